"""Which items land in one basket: the derived relation ``bought_with``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.schema import Floats, GraphTables, Ints, decayed_weight

ENTRIES_PER_CHUNK = 8_000_000
"""Co-occurrences held at once; about 100 MB."""


def bought_with(
    tables: GraphTables,
    *,
    as_of_unix_s: int,
    half_life_days: float,
    n_neighbours: int = 20,
    shrinkage: float = 3.0,
    max_session_items: int = 200,
) -> tuple[Ints, Ints, Floats]:
    r"""The items most often found in one session with each item.

    .. math:: s_{ij} = \frac{c_{ij}}{\sqrt{c_i c_j} + \lambda}, \qquad
              c_{ij} = \sum_{b \ni i, j} 2^{-age_b / half\ life}

    the cosine of item-based filtering (Sarwar et al. 2001), shrunk so that two items met once
    together are no near-twins. Sessions of more than ``max_session_items`` items say little
    about any pair and are left out; they would dominate the work, which is quadratic in them.

    Args:
        tables: Events; the ones at or after ``as_of_unix_s`` are ignored.
        as_of_unix_s: The moment that ages are counted from.
        half_life_days: Age at which a session counts half.
        n_neighbours: Neighbours kept per item.
        shrinkage: The ``λ`` above, in sessions.
        max_session_items: Largest session that counts.

    Returns:
        Items int64 ``[M]``, their neighbours int64 ``[M]``, scores float32 ``[M]`` in (0, 1),
        ordered by item, best first.
    """
    past = tables.until(as_of_unix_s)
    baskets = baskets_of(past, as_of_unix_s, half_life_days, max_session_items)
    count = np.asarray(baskets.multiply(baskets).sum(axis=0)).ravel()
    items, neighbours, scores = [], [], []
    for chunk, together in _co_occurrence(baskets):
        rows = np.repeat(chunk, np.diff(together.indptr))
        score = together.data / (np.sqrt(count[rows] * count[together.indices]) + shrinkage)
        score[rows == together.indices] = 0.0
        kept = strongest(together.indptr, score, n_neighbours)
        items.append(rows[kept])
        neighbours.append(together.indices[kept].astype(np.int64))
        scores.append(score[kept].astype(np.float32))
    if not items:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    return np.concatenate(items), np.concatenate(neighbours), np.concatenate(scores)


def baskets_of(
    tables: GraphTables, as_of_unix_s: int, half_life_days: float, max_session_items: int
) -> sp.csr_array:
    """Square root of each session's decay at the items in it, float64 ``[sessions, I]``."""
    _, session = np.unique(tables.session, return_inverse=True)
    in_time = np.argsort(tables.at_unix_s, kind="stable")
    pair, first = np.unique((session * tables.n_items + tables.item)[in_time], return_index=True)
    first = in_time[first]
    session = pair // max(tables.n_items, 1)
    size = np.bincount(session)[session] if len(session) else session
    kept = (size > 1) & (size <= max_session_items)
    decay = decayed_weight(tables, as_of_unix_s=as_of_unix_s, half_life_days=half_life_days)
    decay = decay / tables.weight
    values = np.sqrt(decay[first][kept], dtype=np.float64)
    shape = (int(session.max(initial=-1)) + 1, tables.n_items)
    columns = tables.item[first][kept]
    return sp.csr_array((values, (session[kept], columns)), shape=shape)


def _co_occurrence(baskets: sp.csr_array) -> Iterator[tuple[Ints, sp.csr_array]]:
    """Chunks of rows of ``basketsᵀ · baskets``, cut by the work that each row costs."""
    by_item = sp.csr_array(baskets.T)
    row_work = np.asarray(by_item.astype(bool) @ np.diff(baskets.indptr)).ravel()
    active = np.flatnonzero(row_work)
    chunk_of = np.cumsum(row_work[active]) // ENTRIES_PER_CHUNK
    for chunk in np.split(active, np.flatnonzero(np.diff(chunk_of)) + 1):
        if len(chunk):
            yield chunk, sp.csr_array(by_item[chunk] @ baskets)


def strongest(indptr: NDArray[np.integer], score: NDArray[np.floating], limit: int) -> Ints:
    """Positions of the ``limit`` highest positive scores of each row, best first."""
    kept = [np.zeros(0, np.int64)]
    for start, stop in pairwise(indptr):
        row = score[start:stop]
        best = np.argpartition(-row, limit)[:limit] if len(row) > limit else np.arange(len(row))
        best = best[row[best] > 0]
        kept.append(start + best[np.argsort(-row[best], kind="stable")])
    return np.concatenate(kept).astype(np.int64)
