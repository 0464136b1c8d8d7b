"""Items that may be answered, side by side, with what every request reads of them.

Most items of a large catalogue are not recommended, and of those that are the same few columns
are read again and again: gathered once per filter, they make each channel a walk over less. What
sells comes first, as it mostly is what a channel looks for: the rest then costs one look each.

Alphabet: I items, A items that may be answered, S best-sellers among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from retrieval.rerank.records import Bools, Floats
from retrieval.rerank.trends import Trends
from retrieval.strongest import Best, Rows, strongest


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Items that may be answered; arrays are ``[A]`` unless said."""

    allowed: Bools
    """bool ``[I]``: which items these are; never changed afterwards."""
    order: Rows
    """int32 ``[I]``: every item, by takes of the last 28 days, most first, then by row."""
    rows: Rows
    """int32: the items, in this order."""
    group: Rows
    """int32: finest group."""
    sold: Floats
    """float32: takes of the last 28 days, and a half; descending."""
    popular: Best
    """Best-sellers of the last 28 days, ``[S]``, with their takes."""
    of_week: Best
    """The same by takes of the last 7 days, best first."""


def shelf_of(trends: Trends, allowed: Bools) -> Shelf:
    """The items of a mask ``[I]``, gathered once for as long as requests come with that array."""
    known = _last.get(trends)
    if known is None or known.allowed is not allowed:
        order = known.order if known is not None else _by_sales(trends)
        known = _last[trends] = _gathered(trends, allowed, order)
    return known


def _by_sales(trends: Trends) -> Rows:
    return np.argsort(-trends.last_28_days, kind="stable").astype(np.int32)


def _gathered(trends: Trends, allowed: Bools, order: Rows) -> Shelf:
    rows = order[allowed[order]]
    sellers = trends.best_sellers[allowed[trends.best_sellers]]
    return Shelf(
        allowed,
        order,
        rows,
        trends.groups[0][rows].astype(np.int32),
        trends.last_28_days[rows] + np.float32(0.5),
        (sellers, trends.last_28_days[sellers]),
        strongest(sellers, trends.last_7_days[sellers], len(sellers)),
    )


_last: WeakKeyDictionary[Trends, Shelf] = WeakKeyDictionary()
"""The newest shelf per world: unless a request filters, it is that of everything on offer."""
