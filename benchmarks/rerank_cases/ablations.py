"""What each part of what the reranker reads is worth, on Complete Journey.

The demo's training requests are asked again without a part: its columns are hidden and its share
of the tokens is blank, in training and on test. Rankers are a size smaller than the demo's, on a
part of its requests, all alike: only differences matter here. Candidates stay those that were
found with everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.cases import Case
from benchmarks.rerank_cases.asked import Asked, bounds, case, told
from benchmarks.rerank_cases.journey_requests import (
    NDCG,
    Asks,
    asks_of,
    lessons_of_run,
    logits_of,
)
from benchmarks.sections import Found, rows
from engine import layout
from engine.evaluate.bootstrap import Interval, difference_interval
from engine.interactions import Floats, Ints
from engine.rerank_stage import Lessons
from engine.runtime import Run, load_run
from retrieval.rerank.examples import Examples
from retrieval.rerank.features import scene_columns
from retrieval.rerank.model import Reranker
from retrieval.rerank.records import Bools

SMALLER = {"width": 32, "layers": 1, "hidden": 96, "epochs": 3}
REQUESTS = 6_000
NEGATIVES = 48
RHYTHM = ("_interval", "_due", "need_")
CLOCK = ("slot_lift", "_this_hour", "_this_weekday", "trend")
AGES = ("_since", "_before_", "_7d", "_30d", "_120d", "in_last_", "gap", "visits_")


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a ranker can be asked to do without."""

    name: str
    columns: tuple[str, ...] = ()
    """Features whose names hold one of these are hidden."""
    clock: bool = False
    """Hour, weekday, season and holidays, of the request and of every event."""
    ages: bool = False
    """How long ago every event was."""
    place: bool = False
    """The request's place, and which events were there, with their columns."""
    vectors: slice | None = None
    """Columns of the tokens' item vectors."""


def parts_of(graph_width: int) -> tuple[Part, ...]:
    """What is left out in turn; the first is nothing."""
    offers = ("on_",)
    return (
        Part("nothing"),
        Part("time", (*CLOCK, *AGES, *RHYTHM), clock=True, ages=True),
        Part("scene", CLOCK[:3], clock=True, place=True),
        Part("offers", offers),
        Part("scene and offers", (*CLOCK[:3], *offers), clock=True, place=True),
        Part("intervals", RHYTHM),
        Part("graph vectors", ("graph_score",), vectors=slice(0, graph_width)),
        Part("content", ("content_score",), vectors=slice(graph_width, None)),
    )


@dataclass(frozen=True, slots=True)
class Without:
    """Rankers that did without a part."""

    part: Part
    every: NDCG
    """NDCG@10 of each request, mean of the seeds."""
    new: NDCG


def run(asked: Asked) -> Found:
    """Train with everything and without each part, and compare them over the same users."""
    loaded = load_run(asked.run)
    lessons = lessons_of_run(asked.run, asked.demo)
    examples = thinned(layout.load_examples(lessons.requests))
    asks = asks_of(asked.run, asked.demo)
    parts = parts_of(loaded.tables.graph.shape[1])
    found = [_without(part, loaded, lessons, examples, asks, asked.seeds) for part in parts]
    whole, others = found[0], found[1:]
    gains = [difference_interval(whole.every, one.every) for one in others]
    cases: list[Case] = []
    for one, gain in zip(others, gains, strict=True):
        cases += _cases(one.part.name, gain)
    table = rows(
        ("Complete Journey", "NDCG@10, all", "worth, 95 % interval", "NDCG@10, new"),
        [_line("everything", whole, ""), *_lines(others, gains)],
    )
    note = (
        f"{len(examples):,} training requests, {NEGATIVES} negatives each, width "
        f"{SMALLER['width']}, {len(asked.seeds)} seed(s); paired bootstrap over users."
    )
    return Found(tuple(cases), f"{table}\n\n{note}")


def hidden_columns(part: Part, names: Sequence[str]) -> Bools:
    """Which features a part takes along, bool ``[F]``."""
    hidden = np.array([any(piece in name for piece in part.columns) for name in names])
    if part.place:
        of_place = [not name.startswith("on_") for name in names]
        hidden |= scene_columns(names) & np.array(of_place)
    return hidden


def blind(examples: Examples, part: Part, names: Sequence[str]) -> Examples:
    """The requests without a part."""
    features = examples.features.copy()
    features[:, hidden_columns(part, names)] = np.nan
    tokens = examples.tokens
    scene, clock, here, age = (
        getattr(tokens, name).copy() for name in ("scene", "clock", "here", "age_days")
    )
    if part.clock:
        clock[:] = 0
        scene[:, :-1] = 0
    if part.place:
        here[:] = 0
        scene[:, -1] = 0
    if part.ages:
        age[:] = 0
    tokens = replace(tokens, scene=scene, clock=clock, here=here, age_days=age)
    return replace(examples, features=features, tokens=tokens)


def thinned(examples: Examples, seed: int = 0) -> Examples:
    """Some of the requests, with all that was taken and some of the rest."""
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(examples))[:REQUESTS])
    kept, shares, sizes = [], [], []
    for i in chosen:
        at = np.arange(examples.offset[i], examples.offset[i + 1])
        taken = examples.label[at].any(axis=1)
        rest = at[~taken]
        drawn = rng.choice(rest, min(NEGATIVES, len(rest)), replace=False)
        mine = np.sort(np.concatenate([at[taken], drawn]))
        more = np.log(max(len(rest), 1) / max(len(drawn), 1))
        shares.append(np.where(examples.label[mine].any(axis=1), 0.0, more))
        kept.append(mine)
        sizes.append(len(mine))
    rows_of: Ints = np.concatenate(kept)
    tokens = examples.tokens
    return Examples(
        user=examples.user[chosen],
        weight=examples.weight[chosen],
        tokens=replace(
            tokens, **{name: getattr(tokens, name)[chosen] for name in type(tokens).__slots__}
        ),
        offset=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        candidates=examples.candidates[rows_of],
        features=examples.features[rows_of],
        label=examples.label[rows_of],
        is_new=examples.is_new[rows_of],
        log_weight=(examples.log_weight[rows_of] + np.concatenate(shares)).astype(np.float32),
    )


def _without(
    part: Part,
    loaded: Run,
    lessons: Lessons,
    examples: Examples,
    asks: Asks,
    seeds: Sequence[int],
) -> Without:
    names = lessons.columns.features
    taught, asked = blind(examples, part, names), blind(asks.examples, part, names)
    vectors, newest = lessons.vectors.copy(), loaded.model.items.clone()
    if part.vectors is not None:
        vectors[:, part.vectors] = 0
        newest[:, part.vectors] = 0
    config = loaded.config.rerank.model_copy(update=SMALLER)
    every, new = [], []
    for seed in seeds:
        model: Reranker = replace(lessons, vectors=vectors).fit(taught, config, seed).model
        model.items = newest
        scores: Floats = logits_of(model, asked)
        every.append(asks.ndcg(scores))
        new.append(asks.ndcg(scores, new_only=True))
    return Without(part, np.mean(every, axis=0), np.mean(new, axis=0))


def _cases(name: str, gain: Interval) -> Iterator[Case]:
    if name == "scene and offers":
        yield case("cj_scene_gain_low", gain.low, "", ">= 0")
    yield from bounds(f"cj_worth_{name.replace(' ', '_')}", gain)


def _lines(others: Sequence[Without], gains: Sequence[Interval]) -> Iterator[tuple[str, ...]]:
    for one, gain in zip(others, gains, strict=True):
        yield _line(f"without {one.part.name}", one, told(gain))


def _line(title: str, one: Without, worth: str) -> tuple[str, ...]:
    return (title, f"{one.every.mean():.4f}", worth, f"{one.new.mean():.4f}")
