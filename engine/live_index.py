"""A run's index with rows that changed since: the few are compared beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.interactions import Floats, Ints
from retrieval.index import Neighbours
from retrieval.index.exact import search_all


class Searchable(Protocol):
    """What answering needs of an index; see :class:`retrieval.index.VectorIndex`."""

    def search(self, queries: Floats, k: int, *, allowed: Ints | None = None) -> Neighbours:
        """Find the rows with the highest inner products."""


@dataclass(frozen=True, slots=True)
class LiveIndex:
    """An index that never changes, and rows whose vectors take the place of its own.

    A change makes another one of these: whoever searches the old one is not disturbed.
    """

    base: Searchable
    rows: Ints
    """Rows that changed, int64 ``[n]``, ascending."""
    vectors: Floats
    """Their unit vectors, float32 ``[n, D]``."""
    n_hidden: int
    """How many of them the base has too."""

    @classmethod
    def over(cls, base: Searchable) -> LiveIndex:
        """An index of which no row has changed."""
        none = np.zeros(0, dtype=np.int64)
        return cls(base, none, np.zeros((0, 0), dtype=np.float32), 0)

    def with_rows(self, rows: Ints, vectors: Floats, *, n_base: int) -> LiveIndex:
        """The same index with new vectors ``[n, D]`` for some rows.

        Args:
            rows: int64 ``[n]``, distinct.
            vectors: Unit rows, float32 ``[n, D]``.
            n_base: Rows from there on are not in the base.
        """
        kept = ~np.isin(self.rows, rows)
        joined = np.concatenate([self.rows[kept], rows])
        stacked = np.concatenate([self.vectors[kept].reshape(-1, vectors.shape[1]), vectors])
        order = np.argsort(joined)
        hidden = int((joined < n_base).sum())
        return LiveIndex(self.base, joined[order], stacked[order], hidden)

    def search(self, queries: Floats, k: int, *, allowed: Ints | None = None) -> Neighbours:
        """The best ``k`` rows for queries ``[Q, D]``, of the allowed ones if given."""
        if not len(self.rows):
            return self.base.search(queries, k, allowed=allowed)
        shown = np.ones(len(self.rows), dtype=np.bool_)
        if allowed is None:
            old = self.base.search(queries, k + self.n_hidden)
        else:
            shown = np.isin(self.rows, allowed)
            old = self.base.search(queries, k, allowed=np.setdiff1d(allowed, self.rows))
        new = search_all(self.rows[shown], self.vectors[shown], queries, k)
        stale = np.isin(old.rows, self.rows)
        rows = np.hstack([old.rows, new.rows])
        valid = np.hstack([old.valid & ~stale, new.valid])
        scores = np.where(valid, np.hstack([old.scores, new.scores]), -np.inf)
        best = np.lexsort((rows, -scores))[:, :k]
        return Neighbours(
            *(np.take_along_axis(array, best, axis=1) for array in (rows, scores, valid))
        )
