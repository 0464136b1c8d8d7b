"""Items held out of training altogether, ranked among all: Amazon Beauty, attributes as content.

A tenth of the items loses every event before the 80% quantile of time; the users who touch one of
them later are asked for it, among all 12,101 items. Nothing tells a method which items are new.
The settings and the weights of our three scores come
from one window earlier (70% to 80%) with another tenth held out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.graph_cases import baselines
from benchmarks.graph_cases.beauty import beauty_tables
from benchmarks.graph_cases.figures import Row, row
from benchmarks.graph_cases.ranking import (
    K,
    Question,
    Ranking,
    Score,
    question,
    rank,
    ratio,
)
from engine.evaluate.bootstrap import Interval
from graph import GraphConfig, GraphTables, build_graph, fit, fit_item_map
from graph.conditional_logit import learn_logit
from graph.content_match import fit_content_match
from graph.fold_in import embed_new_items
from graph.relation_filter import (
    ItemRelation,
    recent_histories,
    shared_facts,
    touched_in_turn,
)
from graph.vectors import split_items

SECONDS_PER_DAY = 86_400
SHARE = 0.1
HISTORY_DAYS = 90.0
RIDGE = 2.0
PARTS = ("content alone", "content match", "graph vectors")
SEEDS = (0, 1, 2)
CONFIG = GraphConfig(
    width=64, epochs=0, half_life_days=365, popularity_half_life_days=90, validation_days=60
)


@dataclass(frozen=True, slots=True)
class ColdFigures:
    """What was measured, over all seeds; each seed holds out other items."""

    rows: tuple[Row, ...]
    vs_content: Interval
    """Recall@20 of ours over that of content alone."""
    popularity_recall: float
    """Of popularity, or of chance where that is more: who never sold is on no list."""

    @property
    def vs_popularity(self) -> float:
        """``cold_vs_popularity``."""
        return self.rows[0].recall.estimate / self.popularity_recall


def cold(data: Path, seeds: tuple[int, ...] = SEEDS) -> ColdFigures:
    """Measure; users of different seeds are different questions and stand one after another."""
    tables = beauty_tables(data)
    found = [_one(tables, seed) for seed in seeds]
    methods = [_joined(list(runs)) for runs in zip(*found, strict=True)]
    ours, content, *_, sold = methods
    chance = K / tables.n_items
    rows = tuple(row("cold items", method) for method in methods)
    return ColdFigures(rows, ratio(ours, content), max(float(sold.recall.mean()), chance))


def _one(tables: GraphTables, seed: int) -> list[Ranking]:
    order = np.random.default_rng(seed).permutation(tables.n_items)
    n = int(SHARE * tables.n_items)
    first, second, third = np.quantile(tables.at_unix_s, [0.7, 0.8, 0.9])
    earlier = _question(tables, order[n : 2 * n], first, second)
    asked = _question(tables, order[:n], second, third)
    scores = [score(earlier.users) for _, score in _parts(earlier, seed)]
    known, chosen = earlier.known[earlier.users], earlier.chosen[earlier.users]
    logit = learn_logit(PARTS, scores, known, chosen)
    parts = [score for _, score in _parts(asked, seed)]
    singles = [rank(name, score, asked) for name, score in zip(PARTS, parts, strict=True)]
    return [
        rank("ours", lambda rows: logit.scores([score(rows) for score in parts]), asked),
        *singles,
        rank("popularity", baselines.popularity(asked), asked),
    ]


def _parts(asked: Question, seed: int) -> list[tuple[str, Score]]:
    past = asked.past
    facts = shared_facts(past.item_facts[0], past.n_items)
    recent = recent_histories(past, half_life_days=HISTORY_DAYS)
    scores: list[Score] = [
        lambda rows: facts.scores(recent[rows]),
        _by_match(asked, facts, recent),
        _by_vectors(asked, facts, seed),
    ]
    return list(zip(PARTS, scores, strict=True))


def _question(tables: GraphTables, held: NDArray[np.int64], cut: float, end: float) -> Question:
    is_held = np.zeros(tables.n_items, np.bool_)
    is_held[held] = True
    at, new = tables.at_unix_s, is_held[tables.item]
    return question(tables, (at < cut) & ~new, (at >= cut) & (at < end) & new)


def _by_match(asked: Question, facts: ItemRelation, histories: sp.csr_array) -> Score:
    """Vectors of what content attracts, of every item alike."""
    content = facts.steps[0].toarray().astype(np.float32)
    (together,) = touched_in_turn(asked.past, tau_days=60.0).steps
    warm = np.asarray(asked.known.sum(axis=0)).ravel() > 0
    match = fit_content_match(content, together, warm, ridge=RIDGE)
    items = match.embed_new_items(content)
    return lambda rows: (histories[rows] @ content) @ items.T


def _by_vectors(asked: Question, facts: ItemRelation, seed: int) -> Score:
    """Users' learned tastes and the tastes that content and facts suggest, of every item alike."""
    past = asked.past
    moment = int(past.at_unix_s.max()) + SECONDS_PER_DAY
    content = facts.steps[0].toarray().astype(np.float32)
    known = np.zeros(past.n_items, np.bool_)
    known[past.item_facts[0].head_rows] = True
    kg = build_graph(past, as_of_unix_s=moment, half_life_days=CONFIG.half_life_days)
    vectors = fit(kg, past, content, known, CONFIG, seed=seed)
    warm = np.zeros(past.n_items, np.bool_)
    warm[past.item] = True
    item_map = fit_item_map(vectors.items, warm, content, known, past.item_facts)
    taste, _ = split_items(embed_new_items(item_map, content, known, past.item_facts))
    return lambda rows: vectors.users[rows, 1:] @ taste.T


def _joined(runs: list[Ranking]) -> Ranking:
    recall = np.concatenate([run.recall for run in runs])
    return Ranking(runs[0].method, recall, np.concatenate([run.ndcg for run in runs]))
