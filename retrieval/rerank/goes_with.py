"""How much what a user took speaks for each candidate, by the table of :mod:`retrieval.linear`.

Alphabet: C candidates, F features, K distinct items of the history, I items, N neighbours of each.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from retrieval.kernels import kernel
from retrieval.neighbours import Neighbours
from retrieval.rerank.records import Floats, Ints
from retrieval.rerank.taken import Taken

GOES_WITH_FEATURES = ("linear_score",)
SCALE = 100.0
"""Scores of a hundredth and below enter as they are, larger ones by their logarithm."""


def write_goes_with(features: Floats, at: int, taken: Taken, table: Neighbours | None) -> int:
    """Write ``GOES_WITH_FEATURES`` of every candidate; NaN for an item newer than the table.

    Args:
        features: float32 ``[C, F]``.
        at: First column to write.
        taken: The items of the history, and the candidates.
        table: What speaks for each item; None is not known, and gives no columns.

    Returns:
        The column behind the last.
    """
    if table is None:
        return at
    strength = np.log1p(taken.times.astype(np.float32))
    # Gathered first: rows that lie far apart are then waited for together, not one by one.
    rows = table.rows.take(taken.candidates, axis=0, mode="clip")
    weight = table.weight.take(taken.candidates, axis=0, mode="clip")
    _write(features, at, (rows, weight), taken.item, strength, len(table.rows))
    features[taken.candidates >= len(table.rows), at] = np.nan
    return at + len(GOES_WITH_FEATURES)


@kernel
def _write(
    features: Floats,
    at: int,
    table: tuple[NDArray[np.int32], Floats],
    item: Ints,
    strength: Floats,
    n_items: int,
) -> None:
    """Write the sums of strength by the candidates' rows of the table, both ``[C, N]``.

    Items that were taken are int64 ``[K]``, and how much each counts float32 ``[K]``.
    """
    rows, weight = table
    strength_of = np.zeros(n_items, np.float32)
    for k in range(len(item)):
        if item[k] < n_items:
            strength_of[item[k]] = strength[k]
    for c in range(len(rows)):
        score = np.float32(0)
        for i in range(rows.shape[1]):
            score += weight[c, i] * strength_of[rows[c, i]]
        features[c, at] = math.log1p(SCALE * score)
