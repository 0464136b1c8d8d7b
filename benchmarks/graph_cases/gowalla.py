"""Gowalla, on the split of the LightGCN paper: ours against neighbours, a filter and popularity.

29,858 users, 40,981 items, full ranking of all items less the user's training items. Everything
is chosen on a part of the training rows; the test rows are ranked once. The files carry no times,
so there is no honest-protocol companion: nothing can be split by time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.graph_cases import baselines
from benchmarks.graph_cases.figures import Row, row
from benchmarks.graph_cases.ranking import Floats, Ints, Question, Ranking, Score, question, rank
from graph import GraphTables
from graph.collaborative import Collaborative, CollaborativeConfig, fit_collaborative
from graph.evidence import FilterSizes, ridge_weights
from graph.filters import Kernel, item_graph
from graph.spectral import spectral_state

PROTOCOL = "LightGCN split"
K = 20
RANK = 256
NEIGHBOURS = 600
QUICK = Kernel(source=0.7, target=0.3)
"""The single reading of the item graph that ranks best on the validation part."""
QUICKEST = "neighbours and regression"


@dataclass(frozen=True, slots=True)
class GowallaFigures:
    """What was measured in one run.

    ``minutes`` is the wall time of our fit, validation included, and ``ranking_minutes`` that of
    ranking for all users; ``cpu_minutes`` is the processor time of both, which a busy machine does
    not lengthen.
    """

    ours: Ranking
    others: tuple[Ranking, ...]
    minutes: float
    ranking_minutes: float
    cpu_minutes: float

    def rows(self) -> tuple[Row, ...]:
        """Rows of the table, ours first."""
        return tuple(row(PROTOCOL, ranking) for ranking in (self.ours, *self.others))


def gowalla(data: Path, seed: int, config: CollaborativeConfig | None = None) -> GowallaFigures:
    """Fit on the training rows, rank for all users of the test rows."""
    asked = gowalla_question(data)
    start, cpu_start = time.perf_counter(), time.process_time()
    model = fit_collaborative(asked.known, config or CollaborativeConfig(), seed=seed)
    fitted = time.perf_counter()
    ours = rank("filters and factors, blended", scores_of(model, K), asked)
    ranked, cpu = time.perf_counter(), time.process_time() - cpu_start
    return GowallaFigures(
        ours=ours,
        others=compared(asked, seed),
        minutes=(fitted - start) / 60,
        ranking_minutes=(ranked - fitted) / 60,
        cpu_minutes=cpu / 60,
    )


def gowalla_question(data: Path) -> Question:
    """The training rows as what is known, the test rows as what is chosen."""
    parts = [pl.read_parquet(data / f"gowalla_{part}.parquet") for part in ("train", "test")]
    user, item = (
        np.concatenate([part[column].to_numpy() for part in parts]).astype(np.int64)
        for column in ("user_id:token", "item_id:token")
    )
    tables = GraphTables(
        n_users=int(user.max()) + 1,
        n_items=int(item.max()) + 1,
        user=user,
        item=item,
        at_unix_s=np.zeros(len(user), np.int64),
        weight=np.ones(len(user), np.float32),
        session=user,
        item_facts=(),
        category_parent=np.zeros(0, np.int64),
    )
    training = np.arange(len(user)) < len(parts[0])
    return question(tables, training, ~training)


def compared(asked: Question, seed: int) -> tuple[Ranking, ...]:
    """The baselines of the same run.

    EASE is left out: its inverse of 40,981 squared takes over 10 GB and ten minutes. BARS lists
    it with 0.1765 / 0.1467 on this split.
    """
    scorers: tuple[tuple[str, Score], ...] = (
        ("popularity", baselines.popularity(asked)),
        ("item-kNN", item_knn(asked)),
        (QUICKEST, quickest(asked)),
        (f"neighbours and a {RANK}-rank filter", closed_form(asked, seed)),
    )
    return tuple(rank(name, score, asked) for name, score in scorers)


def item_knn(asked: Question) -> Score:
    """The plain cosine over users."""
    weights = item_graph(asked.known, NEIGHBOURS, user_exponent=0.0).weights(Kernel())
    return lambda users: (asked.known[users] @ weights).toarray()


def quickest(asked: Question) -> Score:
    """One reading of the item graph and the regression, each levelled by the user's best item."""
    graph = item_graph(asked.known, NEIGHBOURS)
    hops = (graph.weights(QUICK), ridge_weights(graph, FilterSizes()))

    def score(users: Ints) -> Floats:
        history = asked.known[users]
        total = np.zeros(history.shape, np.float32)
        for hop in hops:
            scores = (history @ hop).toarray()
            scores[history.nonzero()] = 0.0
            total += scores / scores.max(axis=1, keepdims=True).clip(1e-9)
        return total

    return score


def closed_form(asked: Question, seed: int) -> Score:
    """GF-CF (Shen et al. 2021): a linear filter and an ideal low pass, in its own weights."""
    spectrum = spectral_state(asked.known, RANK, seed=seed)
    graph = item_graph(asked.known, NEIGHBOURS, user_exponent=1.0)
    weights = graph.weights(Kernel())
    root = graph.degree.clip(1) ** 0.5

    def score(users: Ints) -> Floats:
        history = asked.known[users]
        linear = (history @ weights).toarray()
        low_pass = ((history @ (spectrum.items / root[:, None])) @ spectrum.items.T) * root
        scores: Floats = linear + np.float32(0.3) * low_pass
        return scores

    return score


def scores_of(model: Collaborative, k: int) -> Callable[[Ints], Floats]:
    """The model's ``k`` best as scores of all items; the others have ``-inf``."""
    n_items = model.filters.known.shape[1]

    def score(users: Ints) -> Floats:
        items, best = model.top(users, k)
        scores = np.full((len(users), n_items), -np.inf, np.float32)
        np.put_along_axis(scores, items, best, axis=1)
        return scores

    return score
