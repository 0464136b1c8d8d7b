"""Neighbours put together, narrowed and cut: for indexes that answer in parts."""

from __future__ import annotations

import numpy as np

from retrieval.index.base import Neighbours, Rows, present


def cut(found: Neighbours, k: int) -> Neighbours:
    """The best ``k`` of answers in any order, equal scores by ascending row."""
    scores = np.where(found.valid, found.scores, np.float32(-np.inf))
    order = np.lexsort((found.rows, -scores, ~found.valid))[:, :k]
    rows = np.take_along_axis(found.rows, order, axis=1)
    scores = np.take_along_axis(scores, order, axis=1)
    valid = np.take_along_axis(found.valid, order, axis=1)
    if (missing := k - order.shape[1]) > 0:
        rest = ((0, 0), (0, missing))
        return Neighbours(
            np.pad(rows, rest), np.pad(scores, rest, constant_values=-np.inf), np.pad(valid, rest)
        )
    return Neighbours(rows, scores, valid)


def joined(first: Neighbours, second: Neighbours) -> Neighbours:
    """The answers of two parts of an index to the same queries, side by side."""
    return Neighbours(
        np.concatenate([first.rows, second.rows], axis=1),
        np.concatenate([first.scores, second.scores], axis=1),
        np.concatenate([first.valid, second.valid], axis=1),
    )


def only(found: Neighbours, rows: Rows) -> Neighbours:
    """The answers that are among some rows, int64 ``[A]``, ascending; best first."""
    inside = present(rows, found.rows.ravel()).reshape(found.rows.shape)
    kept = Neighbours(found.rows, found.scores, found.valid & inside)
    return cut(kept, found.rows.shape[1])


def tied_beyond(found: Neighbours, k: int) -> bool:
    """Whether the last place of ``k`` is tied with the last answer given, perhaps with more."""
    if found.valid.shape[1] <= k:
        return False
    last = found.valid[:, -1] & (found.scores[:, -1] == found.scores[:, k - 1])
    return bool(last.any())
