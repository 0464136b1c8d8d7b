"""How hard to search for the recall that was asked for, measured on the data itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from retrieval.index.base import Rows, Vectors
from retrieval.index.plan import CODED, IndexPlan, Kind
from retrieval.index.structures import FaissObject, faiss, ivf_of, parameters

SAMPLE = 512
ANSWERS = (10, 100, 1000, 10_000)
"""Numbers of answers that the effort is measured for; many stand for few under a filter."""
QUOTED = 100
"""The number of answers whose recall and breadth are quoted."""
_CELLS = 50_000
_FEWEST = 32
_NARROWEST = 64
"""Of a search through a graph: held vectors, taken as a sample, are found too easily."""
_DEEPEST = 16
_NARROW = 16
"""A breadth is found to within this part of it."""
_GATHERED = 6.0
"""Reading one vector for re-scoring costs as much as comparing so many codes."""
_TIED = 1e-6
_SURE = 2.0
"""Standard errors by which the sample's recall exceeds what is asked: it is not the traffic."""


class Effort(NamedTuple):
    """What one search spends."""

    answers: int
    """For so many answers."""
    breadth: int
    """Lists visited, or the breadth of a search through a graph."""
    depth: int
    """Approximate answers that are re-scored; as many as answers where none are."""


@dataclass(frozen=True, slots=True)
class Efforts:
    """Efforts by number of answers, ascending; empty where every vector is compared."""

    table: tuple[Effort, ...] = ()
    recall: float | None = None
    """On the sample, for the quoted number of answers."""

    @property
    def breadth(self) -> int | None:
        """Breadth for the quoted number of answers."""
        quoted = [effort.breadth for effort in self.table if effort.answers <= QUOTED]
        return quoted[-1] if quoted else None

    def of(self, k: int, share: float) -> Effort:
        """Effort for ``k`` answers among a share of the vectors.

        The k-th best of a share lies about as far away as the ``k / share``-th best of all.
        """
        return _interpolated(self.table, k, share)


@lru_cache(maxsize=4096)
def _interpolated(table: tuple[Effort, ...], k: int, share: float) -> Effort:
    if not table:
        return Effort(k, 0, k)
    wanted = np.log(max(k / share, 1.0))
    at = np.log([effort.answers for effort in table])
    breadths = np.log([effort.breadth for effort in table])
    breadth = float(np.exp(np.interp(wanted, at, breadths) + max(0.0, wanted - at[-1])))
    factors = [effort.depth / effort.answers for effort in table]
    depth = k * float(np.interp(np.log(k), at, factors))
    return Effort(k, max(1, round(breadth)), max(k, round(depth)))


def tune(
    index: FaissObject, plan: IndexPlan, vectors: Vectors, queries: Vectors, *, held: bool = False
) -> Efforts:
    """Measure what each number of answers takes.

    Args:
        index: Filled; its ids are positions of ``vectors``.
        plan: Its recall is what is reached, if the most that can be spent reaches it; so surely
            that another sample would show it too.
        vectors: float32 ``[n, D]``; may be a memory map.
        queries: Unit rows like those to be asked, float32 ``[Q, D]``.
        held: Whether they are some of the vectors: then that each finds itself does not count.
    """
    if plan.kind is Kind.FLAT:
        return Efforts()
    efforts: list[Effort] = []
    quoted: float | None = None
    most = max(len(vectors) // 4, min(len(vectors), ANSWERS[0]))
    for k in sorted({min(k, most) for k in ANSWERS}):
        some = queries[: max(_FEWEST, min(len(queries), _CELLS // k))]
        scores, _ = faiss.knn(some, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
        trial = _Trial(index, plan, vectors, some, scores[:, -1:] - _TIED, held)
        effort, recall = trial.least(k, efforts[-1].breadth if efforts else 1)
        efforts.append(effort)
        if k <= QUOTED:
            quoted = recall
    return Efforts(tuple(efforts), quoted)


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """Queries whose true answers are known."""

    index: FaissObject
    plan: IndexPlan
    vectors: Vectors
    queries: Vectors
    floor: Vectors
    """float32 ``[Q, 1]``: what a true answer scores at least; ties are as good as others."""
    held: bool

    def least(self, k: int, start: int) -> tuple[Effort, float]:
        """The cheapest effort that reaches the recall, and its recall."""
        most = _most(self.index)
        breadth = max(start, 2 * k, _NARROWEST) if self.plan.kind is Kind.HNSW else start
        best: tuple[float, Effort, float] | None = None
        missed = breadth
        while True:
            reached = self._at(breadth, k)
            if reached is not None:
                cost, effort, recall = reached
                if best is not None and cost >= best[0]:
                    return best[1], best[2]
                best = reached
                if self.plan.kind not in CODED:
                    return self._narrowed(missed, effort, recall)
            missed = breadth
            if breadth >= most:
                return (best[1], best[2]) if best else self._whatever(most, k)
            breadth = min(most, max(breadth + 1, breadth * 5 // 4))

    def _narrowed(self, missed: int, effort: Effort, recall: float) -> tuple[Effort, float]:
        """The least effort between a breadth that missed the recall and one that reached it."""
        while effort.breadth - missed > 1 + missed // _NARROW:
            breadth = (missed + effort.breadth) // 2
            reached = self._at(breadth, effort.answers)
            if reached is None:
                missed = breadth
            else:
                _, effort, recall = reached
        return effort, recall

    def _at(self, breadth: int, k: int) -> tuple[float, Effort, float] | None:
        curve, surely = self._curve(breadth, k)
        enough = np.flatnonzero(surely >= self.plan.recall)
        if not enough.size:
            return None
        depth = int(enough[0]) + k
        per_list = len(self.vectors) / max(self.plan.lists, 1)
        cost = breadth * per_list + depth * _GATHERED
        return cost, Effort(k, breadth, depth), float(curve[enough[0]])

    def _whatever(self, breadth: int, k: int) -> tuple[Effort, float]:
        curve, _ = self._curve(breadth, k)
        return Effort(k, breadth, len(curve) - 1 + k), float(curve[-1])

    def _curve(self, breadth: int, k: int) -> tuple[Vectors, Vectors]:
        """Recall, and what it surely is, when ``k``, ``k + 1``, ... answers are re-scored."""
        deepest = min(k * _DEEPEST, len(self.vectors)) if self.plan.kind in CODED else k
        params, kept = parameters(self.index, breadth, None)
        scores, found = self.index.search(self.queries, deepest, params=params)
        del kept
        if self.plan.kind in CODED:
            scores = true_scores(self.vectors, self.queries, found)
        hits = np.cumsum(scores >= self.floor, axis=1)[:, k - 1 :]
        itself = int(self.held and k > 1)
        recalls = np.maximum(np.minimum(hits, k) - itself, 0) / (k - itself)  # [Q, depths]
        curve: Vectors = recalls.mean(axis=0)
        return curve, curve - _SURE * recalls.std(axis=0) / np.sqrt(len(recalls))


def true_scores(vectors: Vectors, queries: Vectors, positions: Rows) -> Vectors:
    """Inner products of queries ``[Q, D]`` with vectors at positions ``[Q, C]``.

    Returns:
        float32 ``[Q, C]``; -inf where the position is -1.
    """
    scores = np.empty(positions.shape, np.float32)
    for line, query, at in zip(scores, queries, positions, strict=True):
        line[:] = vectors[at] @ query
    scores[positions < 0] = -np.inf
    return scores


def _most(index: FaissObject) -> int:
    lists = ivf_of(index)
    return int(lists.nlist) if lists is not None else int(index.ntotal)
