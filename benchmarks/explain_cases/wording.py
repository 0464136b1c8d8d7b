"""Deterministic reasons over a run: form, cost, and whether the checker follows them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.explain_cases.nonsense import complaints
from engine.asking import moment_of, scene_wishes
from engine.explain import Facts, evidence_of, sentence
from engine.explain.checker import check
from engine.explain.sheet import sheet_of
from engine.given import score_listed
from engine.reasons import Situation, facts_of
from engine.recommend import Engine
from engine.scene import Scene
from engine.scoring import Asked

WISHES = (None, None, None, "birthday party", "red wine", "something for breakfast")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Wordings:
    """What was found over many recommendations."""

    n: int
    nonsense: tuple[str, ...]
    """Sentences with something wrong in their form, and what."""
    distinct: int
    """Different sentences among them."""
    accepted: float
    """Share of the deterministic English sentences that the checker can trace."""
    accepted_zh: float
    """And of the Chinese ones."""
    untraced: tuple[str, ...]
    changed_rejected: float
    """Share of sentences in either language with one number changed that it rejects."""


def many_facts(engine: Engine, n: int, seed: int = 0) -> Iterator[Facts]:
    """Facts of ``n`` recommendations: random shoppers, places, times and wishes."""
    rng = np.random.default_rng(seed)
    run, places = engine.run, engine.places()
    shoppers = [shopper.user_id for shopper in engine.shoppers(2_000)]
    made = 0
    while made < n:
        user = shoppers[int(rng.integers(len(shoppers)))]
        place = places[int(rng.integers(len(places)))] if rng.random() < 0.7 and places else None
        scene = Scene(time=engine.as_of, place=place, query=WISHES[int(rng.integers(len(WISHES)))])
        found = engine.recommend(user, scene, k=25, explain=False)
        rows = np.array([run.vocabulary.items.row(one.item.item_id) for one in found], np.int64)
        wishes = tuple(scene_wishes(run, lambda text: run.encoder.encode_texts([text])[0], scene))
        asked = Asked(user, moment_of(run, scene), engine.store.history(user), wishes)
        scored = score_listed(run, asked, rows)
        situation = Situation.of(run, user, scene, scored.history, scored.moment)
        for row in rows[: n - made]:
            yield facts_of(situation, int(row), channels=(), wishes=wishes)
        made += len(rows)


def wordings(engine: Engine, n: int) -> Wordings:
    """Word ``n`` recommendations in both languages and look at every sentence."""
    rng = np.random.default_rng(1)
    bad, texts, untraced = [], set(), []
    traced = traced_zh = changed = caught = made = 0
    for facts in many_facts(engine, n):
        made += 1
        evidence = evidence_of(facts)
        for locale in ("en", "zh"):
            text = sentence(evidence, facts, locale=locale, seed=made % 3)
            wrong = complaints(text, chinese=locale == "zh")
            bad += [f"{', '.join(wrong)}: {text}"] if wrong else []
            texts.add(text)
        for chinese in (False, True):
            text = sentence(evidence, facts, locale="zh" if chinese else "en")
            verdict = check(text, sheet_of(facts), chinese=chinese)
            traced += verdict.accepted and not chinese
            traced_zh += verdict.accepted and chinese
            if not verdict.accepted:
                untraced.append(f"{text} ({verdict.objection})")
            elif (other := _with_another_number(text, rng)) is not None:
                changed += 1
                caught += not check(other, sheet_of(facts), chinese=chinese).accepted
    return Wordings(
        made,
        tuple(bad),
        len(texts),
        traced / made,
        traced_zh / made,
        tuple(untraced),
        caught / max(changed, 1),
    )


def _with_another_number(text: str, rng: np.random.Generator) -> str | None:
    """The sentence with one number made half as large again, or more."""
    if "chain of facts" in text or "知识图谱" in text:
        return None
    outside = [match for match in _NUMBER.finditer(text) if not set('"「') & set(text)]
    if not outside:
        return None
    match = outside[int(rng.integers(len(outside)))]
    value = float(match[0].replace(",", ""))
    other = f"{value * 1.5 + 1:.1f}" if "." in match[0] else f"{int(value * 1.5) + 2:,}"
    return f"{text[: match.start()]}{other}{text[match.end() :]}"


def reasons_ms(engine: Engine, rounds: int = 40) -> tuple[float, float]:
    """Milliseconds of ``recommend`` (k=10), and of its reasons: medians over shoppers, warm."""
    scene = Scene(time=engine.as_of)
    users = [shopper.user_id for shopper in engine.shoppers(rounds)]
    with_, without = [], []
    for explain in (True, False):  # once to warm what is kept between requests
        for user in users:
            engine.recommend(user, scene, explain=explain)
    for user in users:
        pair = []
        for explain in (True, False):
            tries = []
            for _ in range(5):
                started = time.perf_counter()
                engine.recommend(user, scene, explain=explain)
                tries.append(time.perf_counter() - started)
            pair.append(1e3 * min(tries))
        with_.append(pair[0])
        without.append(pair[1])
    return median(with_), median(a - b for a, b in zip(with_, without, strict=True))
