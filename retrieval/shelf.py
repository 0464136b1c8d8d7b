"""Items that may be answered, side by side, with what every request reads of them.

Most items of a large catalogue are not recommended, and of those that are the same few columns
are read again and again: gathered once per filter, they make each channel a walk over less.

Alphabet: I items, A items that may be answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from retrieval.candidates import Channel
from retrieval.rerank.records import Bools, Floats, Ints
from retrieval.rerank.trends import Trends


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Items that may be answered; arrays are ``[A]`` unless said."""

    allowed: Bools
    """bool ``[I]``: which items these are; never changed afterwards."""
    rows: Ints
    """int64, ascending."""
    group: Ints
    """int64: finest group."""
    sold: Floats
    """float32: takes of the last 28 days, and a half."""

    def places(self, rows: Ints) -> Ints:
        """Where those of some rows stand that are here: int64 ``[n]``, ascending for such rows."""
        at = np.searchsorted(self.rows, rows)
        at = at[at < len(self.rows)] if len(rows) and at[-1] == len(self.rows) else at
        found: Ints = at[self.rows[at] == rows[: len(at)]]
        return found

    def best(self, name: str, scores: Floats, n: int) -> Channel:
        """The ``n`` best-scored items whose score is above zero; ties go to the lower row.

        Args:
            name: Of the channel.
            scores: float32 ``[A]``.
            n: Quota of the channel.
        """
        near = np.flatnonzero(scores > 0)
        if 0 < n < len(near):
            found = scores[near]
            near = near[found >= np.partition(found, -n)[-n]]  # ties at the cut are settled below
        near = near[np.argsort(-scores[near], kind="stable")[:n]]
        return Channel(name, self.rows[near], scores[near])


def shelf_of(trends: Trends, allowed: Bools) -> Shelf:
    """The items of a mask ``[I]``, gathered once for as long as requests come with that array."""
    known = _last.get(trends)
    if known is None or known.allowed is not allowed:
        rows = np.flatnonzero(allowed)
        sold = trends.last_28_days[rows] + np.float32(0.5)
        known = _last[trends] = Shelf(allowed, rows, trends.groups[0][rows], sold)
    return known


_last: WeakKeyDictionary[Trends, Shelf] = WeakKeyDictionary()
"""The newest shelf per world: unless a request filters, it is that of everything on offer."""
