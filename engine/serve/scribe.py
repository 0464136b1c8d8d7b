"""Where lists are worded by a language model: beside the workers, so that none waits for it.

A model takes seconds where a list takes milliseconds. It is asked from threads of the HTTP process,
one list each; what it wrote is kept for all workers.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.errors import VitrineError
from engine.explain.writers import ModelWriter, Source, Task, Why, Written
from engine.llm.models import open_chat_model
from engine.llm.settings import MODEL_VARIABLE, ModelSettings
from engine.llm.usage import Usage
from engine.serve.problems import log_failure

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

LOG = logging.getLogger(__name__)
MOST_AT_ONCE = 8
"""Lists that are being written; the next one has the sentences of the rules."""
NOT_CONFIGURED = (
    f"no language model is configured: start the server with {MODEL_VARIABLE}, such as "
    f"{MODEL_VARIABLE}=openai:gpt-5-mini, a URL, or local"
)


@dataclass(frozen=True, slots=True)
class Tally:
    """What was written so far, and what it took."""

    sources: Counter[Source] = field(default_factory=Counter)
    rejected: Counter[Why] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)


class Scribe:
    """Asks the configured model, one list in one call; opens it when it is first needed."""

    def __init__(
        self,
        settings: ModelSettings | None,
        open_model: Callable[[ModelSettings], BaseChatModel] = open_chat_model,
    ) -> None:
        """Ask nobody yet.

        Args:
            settings: Of the model; None is no model, and rules write everything.
            open_model: Opens it.
        """
        self._settings, self._open_model = settings, open_model
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._opening = threading.Lock()
        self._writer: ModelWriter | None = None
        self._unwritten: Counter[Why] = Counter()
        self.trouble = NOT_CONFIGURED if settings is None else None
        """Why no model can be asked, until the server is started again."""

    def tally(self) -> Tally:
        """Everything that was written so far."""
        by_rules = Counter({Source.RULES: self._unwritten.total()})
        if self._writer is None:
            return Tally(by_rules, Counter(self._unwritten))
        sources, rejected = Counter(self._writer.sources), Counter(self._writer.rejected)
        return Tally(sources + by_rules, rejected + self._unwritten, self._writer.usage)

    async def write(self, tasks: Sequence[Task], locale: str | None) -> AsyncIterator[Written]:
        """One sentence for each task, each when it is there; whatever fails, rules write."""
        left = dict(enumerate(tasks))
        why = Why.FAILED
        if self.trouble is None and tasks:
            if self._places.acquire(blocking=False):
                async for written in self._by_model(tasks, locale):
                    del left[written.at]
                    yield written
            else:
                why = Why.BUSY
        for at, task in left.items():
            self._unwritten[why] += 1
            yield Written(at, task.fallback, Source.RULES, why)

    async def _by_model(self, tasks: Sequence[Task], locale: str | None) -> AsyncIterator[Written]:
        """What a thread hands over; it gives its place back by itself, also if nobody listens."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Written | None] = asyncio.Queue()

        def work() -> None:
            try:
                for written in self._opened().write(tasks, locale=locale):
                    loop.call_soon_threadsafe(pieces.put_nowait, written)
            except VitrineError as error:
                LOG.error("no language model can be asked: %s", error)
                self.trouble = str(error)
            except Exception as error:  # of a provider's package; the list goes out all the same
                log_failure(LOG, "writing reasons", error)
            finally:
                self._places.release()
                loop.call_soon_threadsafe(pieces.put_nowait, None)

        threading.Thread(target=work, name="scribe", daemon=True).start()
        while (written := await pieces.get()) is not None:
            yield written

    def _opened(self) -> ModelWriter:
        with self._opening:
            if self._writer is None:
                if self._settings is None:
                    raise VitrineError(NOT_CONFIGURED)
                self._writer = ModelWriter(self._open_model(self._settings), self._settings)
            return self._writer
