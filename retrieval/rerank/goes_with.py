"""How much what a user took speaks for each candidate, by the table of :mod:`retrieval.linear`.

Alphabet: C candidates.
"""

from __future__ import annotations

import numpy as np

from retrieval.neighbours import Neighbours
from retrieval.rerank.habits import Column
from retrieval.rerank.records import Floats, History, Ints

GOES_WITH_FEATURES = ("linear_score",)
SCALE = 100.0
"""Scores of a hundredth and below enter as they are, larger ones by their logarithm."""


def goes_with_columns(history: History, candidates: Ints, table: Neighbours | None) -> list[Column]:
    """``GOES_WITH_FEATURES`` of every candidate; NaN for an item that is newer than the table.

    Args:
        history: The user's events before the moment.
        candidates: int64 ``[C]``.
        table: What speaks for each item; None is not known, and gives no columns.
    """
    if table is None:
        return []
    n_items = len(table.rows)
    taken, times = np.unique(history.item[history.item < n_items], return_counts=True)
    strength = np.zeros(n_items, dtype=np.float32)
    strength[taken] = np.log1p(times)
    column: Floats = np.full(len(candidates), np.nan, dtype=np.float32)
    known = candidates < n_items
    rows = candidates[known]
    score = (table.weight[rows] * strength[table.rows[rows]]).sum(axis=1)
    column[known] = np.log1p(SCALE * score)
    return [column]
