"""Vectors that do not change: a FAISS index over positions, and the rows that stand there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from retrieval.index.allowed import Bits, Placed, Rows, is_set
from retrieval.index.base import Neighbours, Vectors, nothing_found
from retrieval.index.exact import search_all
from retrieval.index.plan import CODED, IndexPlan, Kind
from retrieval.index.stats import SearchPath
from retrieval.index.structures import (
    FaissObject,
    centres_of,
    ivf_of,
    parameters,
    storage_of,
    whole_vectors,
)
from retrieval.index.tuning import Effort, Efforts, true_scores

COMPARE_UP_TO = 2048
"""So few allowed rows are compared one by one without asking what else would cost."""
GRAPH_COMPARES_UP_TO = 16_384
"""A graph finds its way badly among few rows."""
SPARE = 64
"""So many more answers are asked of a device that cannot pass over the dead."""
_GATHERING = 25
"""Reading a vector out of its place costs as much as passing over so many."""


@dataclass(frozen=True, eq=False)
class Segment:
    """An immutable part of an index; any number of threads may search it."""

    plan: IndexPlan
    rows: Rows
    """int64 ``[n]``, ascending: the row at each position."""
    index: FaissObject
    """Its ids are positions."""
    efforts: Efforts
    beside: Vectors | None = None
    """float32 ``[n, D]``: the vectors, where codes only approximate them."""
    template: Bits | None = None
    """The lists when they were trained and empty, :func:`retrieval.index.structures.frozen`."""

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def whole(self) -> Vectors | None:
        """float32 ``[n, D]``: all vectors in one piece, where there is such a piece."""
        return self.beside if self.beside is not None else whole_vectors(self.index, self.plan.kind)

    @cached_property
    def dense(self) -> bool:
        """Whether every row is its own position."""
        return not len(self.rows) or int(self.rows[-1]) == len(self.rows) - 1

    @property
    def bytes(self) -> float:
        """Memory of codes, ids, places, centres and links."""
        lists, dim = ivf_of(self.index), int(self.index.d)
        each = 0 if self.dense else 8
        if lists is None:
            links = 8 * self.plan.code if self.plan.kind is Kind.HNSW else 0
            return float(len(self) * (4 * dim + links + each))
        places = 8 if self.plan.kind is Kind.IVF_FLAT else 0
        each += int(lists.code_size) + 8 + places
        return float(len(self) * each + centres_of(self.index).code_size * lists.nlist)

    def vectors_at(self, positions: Rows) -> Vectors:
        """Vectors at positions ``[A]``: float32 ``[A, D]``."""
        if self.whole is not None:
            return np.asarray(self.whole[positions])
        vectors: Vectors = self.index.reconstruct_batch(positions)
        return vectors

    def rows_at(self, positions: Rows) -> Rows:
        """Rows at positions of any shape."""
        return positions if self.dense else np.asarray(self.rows[positions])


@dataclass(frozen=True, slots=True, eq=False)
class Living:
    """Which positions of a segment still count."""

    bits: Bits | None
    """Bitmap over positions; None where all of them do."""
    count: int

    def of(self, placed: Placed) -> Rows:
        """The positions of a filter that count."""
        if self.bits is None:
            return placed.positions
        return placed.positions[is_set(self.bits, placed.positions)]

    def within(self, bits: Bits) -> Bits:
        """A bitmap of a filter, less what does not count."""
        return bits if self.bits is None else bits & self.bits


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """Answers of a segment, and how they were come by."""

    found: Neighbours
    path: SearchPath
    completed: int = 0
    """Queries for which every list had to be visited."""


def search_segment(
    segment: Segment, device: FaissObject, queries: Vectors, k: int, living: Living
) -> Reply:
    """The best ``k`` living rows for queries ``[Q, D]``, at the recall of the segment.

    Args:
        segment: Where.
        device: The index that is asked: the segment's own, or its copy on a GPU.
        queries: Unit rows, float32 ``[Q, D]``.
        k: Answers per query.
        living: What counts.
    """
    answers = min(k, living.count)
    if not answers:
        return Reply(nothing_found(len(queries), k), SearchPath.ALL)
    share = living.count / len(segment)
    effort = segment.efforts.of(answers, share)
    found, completed = _visit(segment, device, queries, effort, living.bits)
    return Reply(_padded(found, k), SearchPath.ALL, completed)


def search_filtered(
    segment: Segment, queries: Vectors, k: int, living: Living, placed: Placed
) -> Reply:
    """The best ``k`` living rows of a filter for queries ``[Q, D]``.

    Few rows are compared one by one. Of many, lists are visited, more of them the smaller the
    share is, as long as that is less work than comparing the rows.
    """
    positions = living.of(placed)
    answers = min(k, len(positions))
    effort = segment.efforts.of(max(answers, 1), max(len(positions), 1) / max(len(segment), 1))
    if len(positions) <= _worth_comparing(segment, effort):
        found = search_all(segment.rows_at(positions), segment.vectors_at(positions), queries, k)
        return Reply(found, SearchPath.EXACT_SUBSET)
    found, completed = _visit(segment, segment.index, queries, effort, living.within(placed.bits))
    return Reply(_padded(found, k), SearchPath.SELECTOR, completed)


def _worth_comparing(segment: Segment, effort: Effort) -> float:
    if segment.plan.kind is Kind.HNSW:
        return GRAPH_COMPARES_UP_TO
    per_list = len(segment) / max(segment.plan.lists, 1)
    visited = min(max(effort.breadth, 1) * per_list, len(segment))
    return max(COMPARE_UP_TO, visited / _GATHERING)


def _visit(
    segment: Segment, device: FaissObject, queries: Vectors, effort: Effort, keep: Bits | None
) -> tuple[Neighbours, int]:
    if device is not segment.index and keep is not None:
        found = _ask_and_drop(segment, device, queries, effort, keep)
    else:
        found = _ask(segment, device, queries, effort, keep)
    if found.valid[:, -1].all():
        return found, 0
    short = np.flatnonzero(~found.valid[:, -1])  # the lists that were visited hold too few
    rest = _ask_everywhere(segment, queries[short], effort, keep)
    for whole, part in (
        (found.rows, rest.rows),
        (found.scores, rest.scores),
        (found.valid, rest.valid),
    ):
        whole[short] = part
    return found, len(short)


def _ask_everywhere(
    segment: Segment, queries: Vectors, effort: Effort, keep: Bits | None
) -> Neighbours:
    lists = ivf_of(segment.index)
    if lists is not None:
        everywhere = effort._replace(breadth=int(lists.nlist))
        return _ask(segment, segment.index, queries, everywhere, keep)
    return _ask(segment, storage_of(segment.index), queries, effort, keep)


def _ask_and_drop(
    segment: Segment, device: FaissObject, queries: Vectors, effort: Effort, keep: Bits
) -> Neighbours:
    """Ask a device that passes over nothing for a few more, and drop what is not kept."""
    more = effort._replace(answers=effort.answers + SPARE, depth=effort.depth + SPARE)
    found = _ask(segment, device, queries, more, None)
    at = found.rows if segment.dense else np.searchsorted(segment.rows, found.rows)
    valid = found.valid & is_set(keep, at)
    order = np.argsort(~valid, axis=1, kind="stable")[:, : effort.answers]
    kept = np.take_along_axis(valid, order, axis=1)
    scores = np.where(kept, np.take_along_axis(found.scores, order, axis=1), -np.inf)
    return Neighbours(np.take_along_axis(found.rows, order, axis=1), scores, kept)


def _ask(
    segment: Segment, device: FaissObject, queries: Vectors, effort: Effort, keep: Bits | None
) -> Neighbours:
    params, kept = parameters(device, effort.breadth or None, keep)
    scores, labels = device.search(queries, effort.depth, params=params)
    del kept
    if segment.plan.kind in CODED and segment.beside is not None:
        scores = true_scores(segment.beside, queries, labels)
    return in_order(segment, scores, labels, effort)


def in_order(segment: Segment, scores: Vectors, labels: Rows, effort: Effort) -> Neighbours:
    """The best answers among what FAISS found, equal scores by ascending row.

    Args:
        segment: What was searched.
        scores: float32 ``[Q, C]``.
        labels: Positions, int64 ``[Q, C]``; -1 where there was nothing to find.
        effort: How many answers are wanted.
    """
    if (scores[:, 1:] < scores[:, :-1]).all() and _all_there(labels, effort):
        return Neighbours(segment.rows_at(labels), scores, labels >= 0)  # as it came, no tie
    order = np.lexsort((labels, -scores))[:, : effort.answers]
    labels = np.take_along_axis(labels, order, axis=1)
    scores = np.take_along_axis(scores, order, axis=1)
    valid = labels >= 0
    scores = np.where(valid, scores, np.float32(-np.inf))
    return Neighbours(segment.rows_at(labels.clip(0)), scores, valid)


def _all_there(labels: Rows, effort: Effort) -> bool:
    return labels.shape[1] == effort.answers and bool((labels[:, -1] >= 0).all())


def _padded(found: Neighbours, k: int) -> Neighbours:
    answers = found.rows.shape[1]
    if answers == k:
        return found
    wide = nothing_found(len(found.rows), k)
    wide.rows[:, :answers], wide.scores[:, :answers] = found.rows, found.scores
    wide.valid[:, :answers] = found.valid
    return wide
