"""What sells, as it was known at a moment: popularity by age, by place and by hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import overload

import numpy as np
from scipy import sparse

from retrieval.rerank.records import DAY_S, Bools, Floats, History, Ints

PLACE_HALF_LIFE_DAYS = 60.0
MAX_BEST_SELLERS = 1_000
DAY_PARTS = 8
"""Three-hour parts of a working day, then of a weekend day: ``2 * DAY_PARTS`` slots."""
HOURS_PER_PART = 24 // DAY_PARTS


@overload
def day_slot(local_s: int) -> int: ...


@overload
def day_slot(local_s: Ints) -> Ints: ...


def day_slot(local_s: int | Ints) -> int | Ints:
    """Slot of the week's clock, in ``[0, 2 * DAY_PARTS)``: three hours, weekend apart."""
    part = (local_s % DAY_S) // (HOURS_PER_PART * 3600)
    weekend = (local_s // DAY_S + 3) % 7 >= 5
    return part + DAY_PARTS * weekend


@dataclass(frozen=True, slots=True)
class AtPlace:
    """What sells at one place."""

    sold: Floats
    """Decayed counts, float32 ``[I]``."""
    recent: Floats
    """Counts of the last 28 days, float32 ``[I]``."""
    group_recent: Floats
    """The same per group code, float32 ``[N]``: as :attr:`Trends.group_sold`."""
    total_recent: float
    """All counts of the last 28 days."""


@dataclass(frozen=True, eq=False)
class Trends:
    """Counts of events per item before ``as_of_unix_s``. Shapes: ``[I]`` unless said."""

    as_of_unix_s: int
    last_7_days: Floats
    last_28_days: Floats
    best_sellers: Ints
    """Rows of the items that sold most in the last 28 days, best first, at most 1,000."""
    all_time: Floats
    repeat_rate: Floats
    """Share of an item's users who came back to it, shrunk toward 0.2."""
    frequency: Floats
    """Events per user of the item."""
    place_counts: sparse.csr_matrix
    """``[P, I]``, decayed with a half-life of 60 days."""
    place_recent: sparse.csr_matrix
    """``[P, I]``, of the last 28 days, not decayed."""
    place_totals: Floats
    """``[P]``"""
    overall_share: Floats
    """Share of each item in all decayed sales."""
    slot_lift: Floats
    """``[2 * DAY_PARTS, I]``: log of how much more of the slot's sales an item has than of all
    sales, shrunk to 0 for rare items."""
    group_counts: tuple[Floats, ...]
    """Events of the last 28 days per group code, one array per way of grouping."""
    groups: Ints
    """int64 ``[G, I]``, as in the table of items."""

    @lru_cache(maxsize=64)  # noqa: B019 - trends live as long as their engine
    def at_place(self, place: int) -> AtPlace:
        """What sells at a place, made dense once for the requests that follow."""
        recent = _dense_row(self.place_recent, place)
        of_groups = [
            np.bincount(codes, weights=recent, minlength=len(counts)).astype(np.float32)
            for codes, counts in zip(self.groups, self.group_counts, strict=True)
        ]
        return AtPlace(
            _dense_row(self.place_counts, place),
            recent,
            _joined(of_groups),
            float(recent.sum()),
        )

    @cached_property
    def total_28_days(self) -> float:
        """Events of the last 28 days."""
        return float(self.last_28_days.sum())

    @cached_property
    def group_sold(self) -> Floats:
        """``group_counts`` of all ways of grouping, one behind the other; float32 ``[N]``."""
        return _joined(self.group_counts)

    @cached_property
    def group_starts(self) -> Ints:
        """Where each way of grouping begins in ``group_sold``, int64 ``[G]``."""
        return np.cumsum([0, *map(len, self.group_counts)], dtype=np.int64)[:-1]


def _joined(counts: Sequence[Floats]) -> Floats:
    return np.concatenate([np.zeros(0, np.float32), *counts])


def _dense_row(counts: sparse.csr_matrix, row: int) -> Floats:
    span = slice(counts.indptr[row], counts.indptr[row + 1])
    dense = np.zeros(counts.shape[1], dtype=np.float32)
    dense[counts.indices[span]] = counts.data[span]
    return dense


def take_trends(
    user: Ints,
    events: History,
    *,
    groups: Ints,
    n_groups: tuple[int, ...],
    n_places: int,
    as_of_unix_s: int,
) -> Trends:
    """The trends at a moment, from events strictly before it.

    Args:
        user: int64 ``[E]``, who did each event.
        events: The events of all users; those from ``as_of_unix_s`` on are left out.
        groups: int64 ``[G, I]``.
        n_groups: Number of codes per way of grouping.
        n_places: Size of the place vocabulary.
        as_of_unix_s: The moment.
    """
    known = events.at_unix_s < as_of_unix_s
    n_items = groups.shape[1]
    item, who, place = events.item[known], user[known], events.place[known]
    age_days = (as_of_unix_s - events.at_unix_s[known]) / DAY_S

    def count(mask: Bools) -> Floats:
        return np.bincount(item[mask], minlength=n_items).astype(np.float32)

    last_28 = count(age_days < 28)
    everything = count(np.ones(len(item), dtype=np.bool_))
    buyers, returning = _buyers(who, item, n_items)
    weight = 0.5 ** (age_days / PLACE_HALF_LIFE_DAYS)
    places = sparse.csr_matrix(
        (weight.astype(np.float32), (place, item)), shape=(n_places, n_items)
    )
    sold = np.asarray(places.sum(axis=0)).ravel()
    return Trends(
        as_of_unix_s=as_of_unix_s,
        last_7_days=count(age_days < 7),
        last_28_days=last_28,
        best_sellers=np.argsort(-last_28, kind="stable")[:MAX_BEST_SELLERS],
        all_time=everything,
        repeat_rate=((returning + 1) / (buyers + 5)).astype(np.float32),
        frequency=((everything + 1) / (buyers + 1)).astype(np.float32),
        place_counts=places,
        place_recent=sparse.csr_matrix(
            ((age_days < 28).astype(np.float32), (place, item)), shape=(n_places, n_items)
        ),
        place_totals=np.asarray(places.sum(axis=1)).ravel().astype(np.float32),
        overall_share=(sold / max(float(sold.sum()), 1.0)).astype(np.float32),
        slot_lift=_slot_lift(events.local_s[known], item, n_items),
        group_counts=tuple(
            np.bincount(codes, weights=last_28, minlength=n).astype(np.float32)
            for codes, n in zip(groups, n_groups, strict=True)
        ),
        groups=groups,
    )


def _buyers(who: Ints, item: Ints, n_items: int) -> tuple[Ints, Ints]:
    pairs, times = np.unique(who * n_items + item, return_counts=True)
    items = pairs % n_items
    return (
        np.bincount(items, minlength=n_items),
        np.bincount(items[times > 1], minlength=n_items),
    )


def _slot_lift(local_s: Ints, item: Ints, n_items: int, shrink: float = 20.0) -> Floats:
    n_slots = 2 * DAY_PARTS
    slot = day_slot(local_s)
    counts = np.bincount(slot * n_items + item, minlength=n_slots * n_items)
    counts = counts.reshape(n_slots, n_items).astype(np.float32)
    slot_share = counts.sum(axis=1, keepdims=True) / max(len(item), 1)
    expected = slot_share * counts.sum(axis=0, keepdims=True)
    lift: Floats = np.log((counts + shrink) / (expected + shrink)).astype(np.float32)
    return lift
