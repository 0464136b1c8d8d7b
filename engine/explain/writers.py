"""Who words the reasons: rules by default, a language model on request, its work checked.

A whole list is worded in one call. Each sentence goes out as soon as its line is complete and the
checker has traced everything in it; whatever fails, comes late or does not come is replaced by the
deterministic sentence, and counted.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from engine.explain.checker import check
from engine.explain.prompts import Prompt, prompt_for, sentence_of_line
from engine.explain.sentences import is_chinese
from engine.explain.sheet import Sheet
from engine.llm.settings import ModelSettings
from engine.llm.usage import Usage, usage_of
from engine.llm.within import ModelTooSlowError, stream_within

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

REMEMBERED = 10_000


class Source(StrEnum):
    """Where a sentence came from."""

    RULES = "rules"
    MODEL = "model"
    CACHE = "cache"
    """From the model, for the same evidence, earlier."""


class Why(StrEnum):
    """Why the deterministic sentence went out in place of the model's."""

    UNTRACED = "untraced"
    """It claimed something that is not known."""
    MISSING = "missing"
    """The answer had no line for the item."""
    LATE = "late"
    FAILED = "failed"
    BUSY = "busy"
    """Too many lists were being written already, and the model was not asked."""


@dataclass(frozen=True, slots=True)
class Task:
    """One item to be worded."""

    sheet: Sheet
    fallback: str
    """The deterministic sentence."""


@dataclass(frozen=True, slots=True)
class Written:
    """One sentence."""

    at: int
    """Position of its task."""
    text: str
    source: Source
    why: Why | None = None
    """Why rules wrote it although a model was asked."""
    objection: str | None = None
    """What the checker objected to."""


class Writer(Protocol):
    """Words reasons; the order is that of completion."""

    def write(self, tasks: Sequence[Task], *, locale: str | None = None) -> Iterator[Written]:
        """One sentence for each task."""
        ...


class RuleWriter:
    """Gives every item its deterministic sentence."""

    def write(self, tasks: Sequence[Task], *, locale: str | None = None) -> Iterator[Written]:
        """One sentence for each task, in their order, as it is."""
        for at, task in enumerate(tasks):
            yield Written(at, task.fallback, Source.RULES)


class ModelWriter:
    """Asks a LangChain chat model; safe for threads."""

    def __init__(self, model: BaseChatModel, settings: ModelSettings) -> None:
        """Use an opened model; see :func:`engine.llm.open_chat_model`."""
        self._model, self._settings = model, settings
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Sheet, bool], str] = OrderedDict()
        self._usage = Usage()
        self._sources: Counter[Source] = Counter()
        self._rejected: Counter[Why] = Counter()

    @property
    def usage(self) -> Usage:
        """Calls, tokens and money so far."""
        with self._lock:
            return self._usage

    @property
    def sources(self) -> dict[Source, int]:
        """Where the sentences so far came from."""
        with self._lock:
            return dict(self._sources)

    @property
    def rejected(self) -> dict[Why, int]:
        """How many sentences were replaced so far, by reason."""
        with self._lock:
            return dict(self._rejected)

    def write(self, tasks: Sequence[Task], *, locale: str | None = None) -> Iterator[Written]:
        """One sentence for each task: known ones first, then as the model writes them.

        Args:
            tasks: A whole list: it is worded in one call.
            locale: BCP 47 tag of all sentences; Chinese for ``zh`` and its kin, English for every
                other.
        """
        for written in self._written(tasks, chinese=is_chinese(locale)):
            with self._lock:
                self._sources[written.source] += 1
                if written.why is not None:
                    self._rejected[written.why] += 1
            yield written

    def _written(self, tasks: Sequence[Task], *, chinese: bool) -> Iterator[Written]:
        waiting = dict(enumerate(tasks))
        for at, task in enumerate(tasks):
            known = self._remembered(task.sheet, chinese=chinese)
            if known is not None:
                del waiting[at]
                yield Written(at, known, Source.CACHE)
        why = Why.MISSING
        for _ in range(self._settings.retries + 1):
            if not waiting:
                return
            try:
                yield from self._ask(waiting, chinese=chinese)
                break
            except ModelTooSlowError:
                why = Why.LATE
                break
            except Exception:  # whatever a provider raises, the shopper gets a sentence
                why = Why.FAILED
        for at, task in waiting.items():
            yield Written(at, task.fallback, Source.RULES, why)

    def _ask(self, waiting: dict[int, Task], *, chinese: bool) -> Iterator[Written]:
        """One call for all that wait; what is answered leaves ``waiting``."""
        order = list(waiting)
        prompt = prompt_for([waiting[at].sheet for at in order], chinese=chinese)
        for number, text in self._numbered(prompt):
            if not 1 <= number <= len(order) or order[number - 1] not in waiting:
                continue
            at = order[number - 1]
            task = waiting.pop(at)
            objection = check(text, task.sheet, chinese=chinese).objection
            if objection is not None:
                yield Written(at, task.fallback, Source.RULES, Why.UNTRACED, objection)
            else:
                self._remember(task.sheet, text, chinese=chinese)
                yield Written(at, text, Source.MODEL)
            if not waiting:
                return  # a small model goes on and on

    def _numbered(self, prompt: Prompt) -> Iterator[tuple[int, str]]:
        """Numbers and sentences of an answer, each when its line is complete."""
        started = time.monotonic()
        tokens_in = tokens_out = pieces = 0
        line, failed = "", True
        try:
            for piece in stream_within(self._model, _messages(prompt), self._settings.timeout_s):
                pieces += 1
                if piece.usage_metadata:
                    tokens_in += piece.usage_metadata["input_tokens"]
                    tokens_out += piece.usage_metadata["output_tokens"]
                *complete, line = f"{line}{piece.text}".split("\n")
                yield from filter(None, map(sentence_of_line, complete))
            failed = False
            if (last := sentence_of_line(line)) is not None:
                yield last
        except GeneratorExit:
            failed = False
            raise
        finally:
            if not tokens_in:  # a provider tells at the end alone, or not at all
                tokens_in, tokens_out = _about(prompt), pieces
            used = usage_of(
                self._settings,
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                seconds=time.monotonic() - started,
                failed=failed,
            )
            with self._lock:
                self._usage += used

    def _remembered(self, sheet: Sheet, *, chinese: bool) -> str | None:
        with self._lock:
            if (sheet, chinese) in self._known:
                self._known.move_to_end((sheet, chinese))
            return self._known.get((sheet, chinese))

    def _remember(self, sheet: Sheet, text: str, *, chinese: bool) -> None:
        with self._lock:
            self._known[sheet, chinese] = text
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _about(prompt: Prompt) -> int:
    """Tokens of a prompt, estimated: four letters of English make about one."""
    return len("".join((prompt.system, *prompt.example, prompt.question))) // 4


def _messages(prompt: Prompt) -> list[BaseMessage]:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    asked, answered = prompt.example
    return [
        SystemMessage(prompt.system),
        HumanMessage(asked),
        AIMessage(answered),
        HumanMessage(prompt.question),
    ]
