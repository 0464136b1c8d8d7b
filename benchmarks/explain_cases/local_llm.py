"""The packaged Gemma: how fast it is, and what the checker lets through of what it writes."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from statistics import median

import httpx

from benchmarks.explain_cases.wording import many_facts
from engine.explain import evidence_of, sentence
from engine.explain.prompts import facts_in_words
from engine.explain.sheet import Sheet, sheet_of
from engine.explain.writers import ModelWriter, Source, Task
from engine.llm import ModelSettings, open_chat_model
from engine.llm.xllamacpp_server import local_server
from engine.recommend import Engine

LIST = 5
PATIENCE_S = 600
"""For one answer: a busy machine is not what is measured here, and late sentences would count as
refused ones."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORDS = ["once", "twice", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
QUESTION = 'Facts: item "yogurt"; you bought it 9 times; the last time was 3 days ago.\nReason:'


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one sentence."""

    first_token_s: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Claims:
    """What became of the sentences of a model."""

    n: int
    by_model: int
    """That went out as the model wrote them."""
    replaced: str
    """How many rules wrote instead, by reason: "untraced 12, missing 3"."""
    false: int
    """That claimed something unknown and went out all the same."""
    shown: tuple[str, ...]


def untold(text: str, sheet: Sheet) -> list[str]:
    """Numbers and capitalised names of a sentence that the facts given to the model do not hold.

    Knows nothing of the checker, so that the checker is not measured by itself; what it finds is
    read by people.
    """
    told = " ".join(
        (*facts_in_words(sheet), sheet.title, sheet.brand or "", f"{sheet.price}")
    ).lower()
    numbers = set(_NUMBER.findall(told)) | {str(_WORDS.index(w) + 1) for w in _WORDS if w in told}
    said = [n for n in _NUMBER.findall(text) if n not in numbers]
    names = [n for n in re.findall(r"(?<=[a-z,] )[A-Z][\w'’-]+", text) if n.lower() not in told]
    return said + names


def speed(threads: int, rounds: int = 5) -> Speed:
    """Median of several answers of up to 40 tokens, warm."""
    url = f"{local_server(threads)}/chat/completions"
    body = {
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": 40,
        "stream": True,
        "cache_prompt": False,
        "temperature": 0,
    }
    firsts, rates = [], []
    for at in range(rounds + 1):
        first, n, started = 0.0, 0, time.perf_counter()
        with httpx.stream("POST", url, json=body, timeout=PATIENCE_S) as answer:
            for line in answer.iter_lines():
                if not line.startswith("data: {"):
                    continue
                choices = json.loads(line[6:])["choices"]
                if choices and choices[0]["delta"].get("content"):
                    n += 1
                    first = first or time.perf_counter() - started
        if at and n > 1:
            firsts.append(first)
            rates.append((n - 1) / (time.perf_counter() - started - first))
    return Speed(median(firsts), median(rates))


def false_claims(engine: Engine, n: int, threads: int) -> Claims:
    """Let the model word ``n`` recommendations and hold what went out to the evidence again."""
    settings = ModelSettings(
        model="local", timeout_s=PATIENCE_S, retries=0, threads=threads, max_tokens=180
    )
    writer = ModelWriter(open_chat_model(settings), settings)
    facts = list(many_facts(engine, n))
    by_model, false, shown = 0, 0, []
    for start in range(0, len(facts), LIST):
        part = facts[start : start + LIST]
        tasks = [Task(sheet_of(one), sentence(evidence_of(one), one)) for one in part]
        for written in writer.write(tasks):
            if written.source is Source.RULES:
                continue
            by_model += 1
            false += bool(untold(written.text, tasks[written.at].sheet))
            shown.append(written.text)
    replaced = ", ".join(f"{why.value} {n}" for why, n in sorted(writer.rejected.items()))
    return Claims(len(facts), by_model, replaced or "none", false, tuple(shown[:20]))
