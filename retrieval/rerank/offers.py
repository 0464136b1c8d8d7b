"""Which items are on offer at a place and a moment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from retrieval.rerank.records import Floats, Ints, Moment

OFFER_KINDS = ("display", "mailer", "coupon", "discount")
"""Bit ``i`` of an offer mask stands for ``OFFER_KINDS[i]``."""
REMEMBERED_BYTES = 1 << 25
"""Of masks, one byte an item; a shop of a million items keeps 33 places."""
_BITS = np.arange(len(OFFER_KINDS), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class OfferCalendar:
    """Offers sorted by place, then start; place 0 holds those that run everywhere.

    Shapes: ``[N]`` but ``place_offsets``, int64 ``[P + 1]``. Hours are since the unix epoch:
    an offer runs from ``starts_h`` to just before ``ends_h``.
    """

    item: NDArray[np.int32]
    kind: NDArray[np.uint8]
    starts_h: NDArray[np.int32]
    ends_h: NDArray[np.int32]
    place_offsets: Ints
    n_items: int

    @classmethod
    def of(
        cls, item: Ints, place: Ints, kind: Ints, starts_h: Ints, ends_h: Ints, *, shape: Shape
    ) -> OfferCalendar:
        """Sort offers into a calendar; every array is ``[N]``, ``kind`` indexes OFFER_KINDS."""
        order = np.lexsort((starts_h, place))
        return cls(
            item[order].astype(np.int32),
            kind[order].astype(np.uint8),
            starts_h[order].astype(np.int32),
            ends_h[order].astype(np.int32),
            np.searchsorted(place[order], np.arange(shape.n_places + 1)).astype(np.int64),
            shape.n_items,
        )

    def __len__(self) -> int:
        return len(self.item)

    def running(self, place: int, at_unix_s: int) -> NDArray[np.uint8]:
        """Offer mask per item, uint8 ``[I]``, one bit per kind; do not write to it.

        Args:
            place: Row of the place vocabulary; 0 asks for the offers that run everywhere.
            at_unix_s: The moment; answers are shared until an offer begins or ends.
        """
        period = bisect_right(self._changes_h, at_unix_s // 3600)
        return self._running(place, self._changes_h[period - 1] if period else None)

    @property
    def only_everywhere(self) -> bool:
        """Whether there are offers and all of them run at every place."""
        return len(self) > 0 and int(self.place_offsets[1]) == len(self)

    def covers(self, place: int) -> bool:
        """Whether any offer is known for the place itself: absence of one means something."""
        return bool(self.place_offsets[place + 1] > self.place_offsets[place])

    @cached_property
    def _changes_h(self) -> list[int]:
        """Hours at which some offer begins or ends, ascending."""
        changes: list[int] = np.union1d(np.unique(self.starts_h), np.unique(self.ends_h)).tolist()
        return changes

    @cached_property
    def _running(self) -> Callable[[int, int | None], NDArray[np.uint8]]:
        """Masks by place and hour of the last change, as many as :data:`REMEMBERED_BYTES` hold."""
        return lru_cache(max(2, REMEMBERED_BYTES // max(self.n_items, 1)))(self._mask)

    def _mask(self, place: int, hour: int | None) -> NDArray[np.uint8]:
        if hour is None:  # before the first of all
            return np.zeros(self.n_items, dtype=np.uint8)
        mask = self._running(0, hour).copy() if place else np.zeros(self.n_items, dtype=np.uint8)
        first, last = self.place_offsets[place : place + 2].tolist()
        begun = first + int(np.searchsorted(self.starts_h[first:last], hour, side="right"))
        on = first + np.flatnonzero(self.ends_h[first:begun] > hour)
        np.bitwise_or.at(mask, self.item[on], np.left_shift(np.uint8(1), self.kind[on]))
        return mask


def write_offers(
    features: Floats, at: int, candidates: Ints, moment: Moment, offers: OfferCalendar
) -> int:
    """Write whether each candidate is on each kind of offer; NaN where that is not known.

    Args:
        features: float32 ``[C, F]``.
        at: First column to write, of as many as ``OFFER_KINDS``.
        candidates: int64 ``[C]``.
        moment: When and where.
        offers: Of the shop.

    Returns:
        The column behind the last.
    """
    behind = at + len(OFFER_KINDS)
    if offers.only_everywhere or (moment.place and offers.covers(moment.place)):
        mask = offers.running(moment.place, moment.at_unix_s)[candidates]
        features[:, at:behind] = (mask[:, None] >> _BITS) & 1
    else:
        features[:, at:behind] = np.nan
    return behind


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the vocabularies that offers refer to."""

    n_items: int
    n_places: int


def no_offers(n_items: int, n_places: int) -> OfferCalendar:
    """The calendar of a shop without promotions."""
    none = np.zeros(0, dtype=np.int64)
    return OfferCalendar.of(none, none, none, none, none, shape=Shape(n_items, n_places))
