"""One query over a base that lost nothing: the common search, and nothing that it does not need.

A search of inverted lists takes a quarter of a millisecond and leaves the processor's caches cold,
so that every further step in Python costs several times what it seems to. What does not depend on
the query is therefore worked out once for each number of answers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.index.base import Neighbours, Vectors, checked_k
from retrieval.index.plan import CODED
from retrieval.index.segment import Segment, in_order
from retrieval.index.structures import FaissObject, faiss, parameters
from retrieval.index.tuning import Effort

_MOST_PREPARED = 256
_pointer = faiss.swig_ptr


class _Prepared(NamedTuple):
    """What a search for so many answers needs besides the query."""

    effort: Effort
    params: FaissObject
    valid: NDArray[np.bool_]
    """bool ``[1, K]``: all of them, to be copied."""


class LoneSearches:
    """Searches of one query each through a segment of which every position counts.

    One query never wakes another thread of FAISS, so that none need be forbidden.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._ask: FaissObject = segment.index.search_c  # what `search` wraps in checks
        self._prepared: dict[int, _Prepared] = {}

    @staticmethod
    def fit(segment: Segment) -> LoneSearches | None:
        """Searches of a segment; None where codes are re-scored or there is nothing to find."""
        return LoneSearches(segment) if len(segment) and segment.plan.kind not in CODED else None

    def search(self, query: Vectors, k: int) -> Neighbours | None:
        """The best ``k`` rows for one query; None where this way does not find so many.

        Args:
            query: A unit row, contiguous float32 ``[1, D]``, already checked.
            k: Answers.

        Raises:
            ValueError: ``k`` is below 1.
        """
        prepared = self._prepared.get(k) or self._prepare(k)
        if prepared is None:
            return None
        scores, labels = np.empty((1, k), np.float32), np.empty((1, k), np.int64)
        self._ask(1, _pointer(query), k, _pointer(scores), _pointer(labels), prepared.params)
        if labels.item(-1) < 0:
            return None
        line = scores[0]
        if 0 in (line[1:] < line[:-1]).tobytes():  # tied; `all` is no loop in C and takes 10 us
            return in_order(self._segment, scores, labels, prepared.effort)
        return Neighbours(self._segment.rows_at(labels), scores, prepared.valid.copy())

    def _prepare(self, k: int) -> _Prepared | None:
        segment = self._segment
        if checked_k(k) > len(segment):
            return None
        effort = segment.efforts.of(k, 1.0)
        params, _ = parameters(segment.index, effort.breadth or None, None)
        if len(self._prepared) >= _MOST_PREPARED:
            self._prepared.clear()
        prepared = self._prepared[k] = _Prepared(effort, params, np.ones((1, k), np.bool_))
        return prepared
