"""Amazon Beauty: with against without attributes, and ours against what everyone compares with.

Two protocols, both full rankings of all 12,101 items without those that a user had before.
Time: learn before the 90% quantile of the events' times, ask for the rest; weights are learned
one window earlier (80% to 90%). Leave-one-out: ask for every user's last event; weights are
learned on the one before. Order within a day is that of the file. The settings were chosen on the
earlier windows; test is ranked once per seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.graph_cases import baselines
from benchmarks.graph_cases.figures import Row, row
from benchmarks.graph_cases.ranking import (
    Ints,
    Question,
    Ranking,
    gain,
    mean_of,
    question,
    rank,
    ratio,
)
from benchmarks.graph_cases.sources import Settings, ranked
from engine.evaluate.bootstrap import Interval
from graph import FactTable, GraphConfig, GraphTables

SETTINGS = Settings(
    GraphConfig(
        width=128,
        epochs=0,
        half_life_days=1000,
        popularity_half_life_days=90,
        validation_days=60,
    ),
)
PENALTY = 500.0
"""Of EASE."""
SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class BeautyFigures:
    """What was measured; ``gains`` and ``ratios`` by protocol, time first."""

    rows: tuple[Row, ...]
    gains: tuple[Interval, ...]
    """Recall@20 with attributes less that without, paired over users."""
    best_others: tuple[str, ...]
    ratios: tuple[Interval, ...]
    """Recall@20 of ours over that of the best other method."""

    @property
    def gain_low(self) -> float:
        """``beauty_triples_gain_low``."""
        return min(gained.low for gained in self.gains)

    @property
    def vs_best(self) -> float:
        """``beauty_vs_best_ratio``, the lower of the two protocols."""
        return min(over.estimate for over in self.ratios)


def beauty(data: Path, seeds: tuple[int, ...] = SEEDS) -> BeautyFigures:
    """Measure both protocols."""
    tables = beauty_tables(data)
    rows: list[Row] = []
    gains, bests, ratios = [], [], []
    for protocol, earlier, asked in protocols(tables):
        ours, without = _ours(earlier, asked, seeds)
        others = [*_baselines(asked)]
        best = max(others, key=lambda other: float(other.recall.mean()))
        rows += [row(protocol, found) for found in (ours, without, *others)]
        gains.append(gain(ours, without))
        ratios.append(ratio(ours, best))
        bests.append(best.method)
    return BeautyFigures(tuple(rows), tuple(gains), tuple(bests), tuple(ratios))


def beauty_tables(data: Path) -> GraphTables:
    """The events in the order of their times, and one table of attributes."""
    events = pl.read_parquet(data / "amazon_beauty_events.parquet").sort(
        "timestamp", maintain_order=True
    )
    facts = pl.read_parquet(data / "amazon_beauty_attributes.parquet")
    user, item = (events[name].to_numpy().astype(np.int64) - 1 for name in ("user_id", "item_id"))
    head, tail = (
        facts[name].to_numpy().astype(np.int64) - 1 for name in ("item_id", "attribute_id")
    )
    n_items = int(max(item.max(), head.max())) + 1
    ones = np.ones(len(head), np.float32)
    table = FactTable("has_attribute", "attribute", head, tail, int(tail.max()) + 1, ones)
    return GraphTables(
        n_users=int(user.max()) + 1,
        n_items=n_items,
        user=user,
        item=item,
        at_unix_s=events["timestamp"].to_numpy().astype(np.int64),
        weight=np.ones(len(user), np.float32),
        session=user,
        item_facts=(table,),
        category_parent=np.zeros(0, np.int64),
    )


def protocols(tables: GraphTables) -> Iterator[tuple[str, Question, Question]]:
    """Each protocol with the question that its weights are learned on and the test."""
    at = tables.at_unix_s
    first, second = np.quantile(at, [0.8, 0.9])
    middle = (at >= first) & (at < second)
    yield "time", question(tables, at < first, middle), question(tables, at < second, at >= second)
    last = _from_the_end(tables.user)
    yield (
        "leave one out",
        question(tables, last > 2, last == 2),
        question(tables, last > 1, last == 1),
    )


def _from_the_end(user: Ints) -> Ints:
    """Of events in the order of time: 1 for the last of its user, 2 for the one before."""
    order = np.argsort(user, kind="stable")
    counts = np.bincount(user)
    place = np.empty(len(user), np.int64)
    place[order] = np.repeat(np.cumsum(counts), counts) - np.arange(len(user))
    return place


def _ours(earlier: Question, asked: Question, seeds: tuple[int, ...]) -> tuple[Ranking, Ranking]:
    pairs = [ranked(earlier, asked, SETTINGS, seed) for seed in seeds]
    return (
        mean_of("ours", [pair.with_facts for pair in pairs]),
        mean_of("ours, without attributes", [pair.without for pair in pairs]),
    )


def _baselines(asked: Question) -> Iterator[Ranking]:
    yield rank("popularity", baselines.popularity(asked), asked)
    yield rank("popularity, 14 days", baselines.popularity(asked, 14.0), asked)
    yield rank("item-kNN", baselines.item_knn(asked), asked)
    yield rank("item-kNN, shrunk", baselines.item_knn(asked, shrinkage=10.0), asked)
    yield rank("EASE", baselines.ease(asked, PENALTY), asked)
    yield rank("BPR", baselines.bpr(asked, seed=0), asked)
    yield rank("LightGCN", baselines.lightgcn(asked, seed=0), asked)
