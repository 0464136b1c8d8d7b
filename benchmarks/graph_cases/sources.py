"""Our ranker of the paper cases: the graph's vectors and its relations, blended by validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from benchmarks.graph_cases.ranking import Floats, Ints, Question, Ranking, Score, rank
from graph import GraphConfig, GraphVectors, build_graph, fit
from graph.conditional_logit import Logit, learn_logit
from graph.relation_filter import (
    ItemRelation,
    join_small,
    recent_histories,
    shared_facts,
    touched_by_the_same,
    touched_in_turn,
)

SECONDS_PER_DAY = 86_400
LONG_DAYS = 1_000.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the parts are made with; chosen on validation."""

    graph: GraphConfig
    history_half_life_days: float = 20.0
    """Of what a user touched, for ``touched in turn``; facts and ``touched by the same`` go by
    the whole history."""
    popularity_half_lives_days: tuple[float, ...] = (20.0,)
    tau_days: float | None = 60.0
    """Time constant of ``touched in turn``; None leaves it out."""
    facts_power: float = 1.0
    """Shared facts enter as this power: 2 undoes the root that all scores are levelled by."""
    min_facts: int = 30
    """Relations of fewer facts share one table."""
    learning_users: int = 1_000
    """Users of the earlier question that weights are learned from, at most."""


Part = tuple[str, Score]


@dataclass(frozen=True, slots=True)
class Pair:
    """The same ranker with and without facts, and the weights of the former by name."""

    with_facts: Ranking
    without: Ranking
    weights: tuple[tuple[str, float], ...]


def ranked(learned_on: Question, asked: Question, settings: Settings, seed: int) -> Pair:
    """Learn weights on an earlier question, with and without facts; rank a later one by both."""
    some = learned_on.some(settings.learning_users, seed)
    scores = [(name, score(some.users)) for name, score in _all_parts(some, settings, seed)]
    later = _all_parts(asked, settings, seed)
    n_plain = len(later) - _n_facts(asked, settings)
    found = []
    for n in (len(later), n_plain):
        names, parts = zip(*scores[:n], strict=True)
        logit = learn_logit(names, parts, some.known[some.users], some.chosen[some.users])
        found.append((rank("ours", _scored(logit, later[:n]), asked), logit))
    (with_facts, logit), (without, _) = found
    weights = tuple(zip(logit.names, logit.weights.tolist(), strict=True))
    return Pair(with_facts, without, weights)


def vectors_of(asked: Question, settings: Settings, seed: int) -> GraphVectors:
    """The graph stage's own vectors, learned from events alone before the question."""
    past = replace(asked.past, item_facts=())
    moment = int(past.at_unix_s.max()) + SECONDS_PER_DAY
    config = settings.graph
    kg = build_graph(past, as_of_unix_s=moment, half_life_days=config.half_life_days)
    none = np.zeros((past.n_items, 1), np.float32), np.zeros(past.n_items, bool)
    return fit(kg, past, *none, config, seed=seed)


def _all_parts(asked: Question, settings: Settings, seed: int) -> list[Part]:
    """Everything that can say which item a user turns to next; the facts come last."""
    vectors = vectors_of(asked, settings, seed)
    return [
        *_of_vectors(vectors),
        *_of_events(asked, settings),
        *_of_sales(asked, settings),
        *_of_facts(asked, settings),
    ]


def _n_facts(asked: Question, settings: Settings) -> int:
    return len(join_small(asked.past.item_facts, settings.min_facts))


def _scored(logit: Logit, parts: list[Part]) -> Score:
    return lambda users: logit.scores([score(users) for _, score in parts])


def _of_vectors(vectors: GraphVectors) -> Iterator[Part]:
    users, items = vectors.users, vectors.items
    yield "vectors", lambda rows: users[rows] @ items.T
    yield "taste", lambda rows: users[rows, 1:] @ items[:, 1:].T


def _of_events(asked: Question, settings: Settings) -> Iterator[Part]:
    past = asked.past
    whole = recent_histories(past, half_life_days=LONG_DAYS)
    same = touched_by_the_same(past)
    yield same.name, lambda rows: same.scores(whole[rows])
    if settings.tau_days is not None:
        recent = recent_histories(past, half_life_days=settings.history_half_life_days)
        turn = touched_in_turn(past, tau_days=settings.tau_days)
        yield turn.name, lambda rows: turn.scores(recent[rows])


def _of_facts(asked: Question, settings: Settings) -> Iterator[Part]:
    past = asked.past
    whole = recent_histories(past, half_life_days=LONG_DAYS)
    for table in join_small(past.item_facts, settings.min_facts):
        shared = shared_facts(table, past.n_items)
        yield shared.name, _powered(shared, whole, settings.facts_power)


def _powered(relation: ItemRelation, histories: sp.csr_array, power: float) -> Score:
    return lambda users: relation.scores(histories[users]) ** power


def _of_sales(asked: Question, settings: Settings) -> Iterator[Part]:
    past = asked.past
    age_days = (past.at_unix_s.max() - past.at_unix_s) / SECONDS_PER_DAY
    for half_life_days in settings.popularity_half_lives_days:
        weight = 0.5 ** (age_days / half_life_days)
        sold = np.log1p(np.bincount(past.item, weight, minlength=past.n_items)).astype(np.float32)
        yield f"sold, {half_life_days:g} days", _same_for_all(sold)


def _same_for_all(row: Floats) -> Callable[[Ints], Floats]:
    return lambda users: np.tile(row, (len(users), 1))
