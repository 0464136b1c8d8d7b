"""Last.FM with the knowledge graph of KGCN: with against without the triples.

1,892 users and the 3,846 artists that are mapped to entities, the item set of KGCN (Wang et al.
2019); the other 13,786 artists have no fact. There are no times: each user's artists are split
6:2:2 at random, as in the papers, by the seed. Full ranking of all artists. The weights of the
relations are learned on the second part; the third is ranked once.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.graph_cases import baselines
from benchmarks.graph_cases.figures import Row, row
from benchmarks.graph_cases.ranking import Ints, Question, Ranking, gain, mean_of, question, rank
from benchmarks.graph_cases.sources import Settings, ranked
from engine.evaluate.bootstrap import Interval
from graph import FactTable, GraphConfig, GraphTables

SETTINGS = Settings(
    GraphConfig(width=64, epochs=0),
    popularity_half_lives_days=(1e6,),
    tau_days=None,
    facts_power=2.0,
    min_facts=900,
    learning_users=2_000,
)
SEEDS = (0, 1, 2)
MOMENT = 1_300_000_000
"""The same time for all plays: the file has none."""


@dataclass(frozen=True, slots=True)
class LastfmFigures:
    """What was measured, over all seeds."""

    rows: tuple[Row, ...]
    gain: Interval
    """Recall@20 with the triples less that without, paired over users."""


def lastfm(data: Path, seeds: tuple[int, ...] = SEEDS) -> LastfmFigures:
    """Measure; users without an artist in one of a split's parts are left out of all."""
    tables = lastfm_tables(data / "lastfm_kg")
    splits = [split(tables, seed) for seed in seeds]
    users = splits[0][1].users
    for _, asked in splits[1:]:
        users = np.intersect1d(users, asked.users)
    splits = [(earlier, _of(asked, users)) for earlier, asked in splits]
    ours, without = _ours(splits)
    others = [
        mean_of(runs[0].method, list(runs))
        for runs in zip(*(_baselines(asked) for _, asked in splits), strict=True)
    ]
    rows = tuple(row("random 6:2:2", found) for found in (ours, without, *others))
    return LastfmFigures(rows, gain(ours, without))


def split(tables: GraphTables, seed: int) -> tuple[Question, Question]:
    """Learn on the first part and ask for the second; learn on both and ask for the third."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(tables)), tables.user))
    counts = np.bincount(tables.user)
    place = np.empty(len(tables))
    place[order] = np.arange(len(tables)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = (place + 0.5) / counts[tables.user]
    second = (share >= 0.6) & (share < 0.8)
    return question(tables, share < 0.6, second), question(tables, share < 0.8, share >= 0.8)


def lastfm_tables(folder: Path) -> GraphTables:
    """Plays of the mapped artists, and one fact table per relation."""
    entity = {artist: row for artist, row in _rows(folder / "item_index2entity_id.txt.gz")}
    plays = np.array(_rows(folder / "user_artists.dat.gz", skip=1))
    plays = plays[np.isin(plays[:, 1], list(entity))]
    users, user = np.unique(plays[:, 0], return_inverse=True)
    item = np.array([entity[artist] for artist in plays[:, 1].tolist()], np.int64)
    return GraphTables(
        n_users=len(users),
        n_items=len(entity),
        user=user.astype(np.int64),
        item=item,
        at_unix_s=np.full(len(item), MOMENT),
        weight=np.ones(len(item), np.float32),
        session=user.astype(np.int64),
        item_facts=_facts(folder / "kg.txt.gz"),
        category_parent=np.zeros(0, np.int64),
    )


def _facts(path: Path) -> tuple[FactTable, ...]:
    tails: dict[str, list[tuple[int, int]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            head, relation, tail = line.split()
            if head != tail:
                tails[relation].append((int(head), int(tail)))
    n_tails = 1 + max(tail for pairs in tails.values() for _, tail in pairs)
    tables = []
    for relation in sorted(tails):
        head, tail = np.ascontiguousarray(np.unique(np.array(tails[relation]), axis=0).T)
        ones = np.ones(len(head), np.float32)
        tables.append(FactTable(relation, "entity", head, tail, n_tails, ones))
    return tuple(tables)


def _rows(path: Path, skip: int = 0) -> list[tuple[int, ...]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [tuple(map(int, line.split())) for line in lines.readlines()[skip:]]


def _of(asked: Question, users: Ints) -> Question:
    return Question(asked.past, users, asked.known, asked.chosen)


def _ours(splits: list[tuple[Question, Question]]) -> tuple[Ranking, Ranking]:
    pairs = [ranked(earlier, asked, SETTINGS, seed) for seed, (earlier, asked) in enumerate(splits)]
    return (
        mean_of("ours", [pair.with_facts for pair in pairs]),
        mean_of("ours, without triples", [pair.without for pair in pairs]),
    )


def _baselines(asked: Question) -> list[Ranking]:
    return [
        rank("popularity", baselines.popularity(asked), asked),
        rank("item-kNN", baselines.item_knn(asked), asked),
        rank("item-kNN, shrunk", baselines.item_knn(asked, shrinkage=10.0), asked),
        rank("EASE", baselines.ease(asked, 200.0), asked),
        rank("BPR", baselines.bpr(asked, seed=0), asked),
        rank("LightGCN", baselines.lightgcn(asked, seed=0), asked),
    ]
