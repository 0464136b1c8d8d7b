"""A shop of six items that is small enough to work out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from retrieval.rerank.offers import OfferCalendar, Shape, no_offers
from retrieval.rerank.records import DAY_S, History, Ints, ItemTable, Moment
from retrieval.rerank.trends import Trends, take_trends

NOW = int(datetime(2024, 3, 6, 12, tzinfo=UTC).timestamp())
"""A Wednesday at noon; the shop's clock shows UTC."""
N_PLACES = 4


class Event(NamedTuple):
    item: int
    days_ago: float
    place: int = 0
    session: int | None = None
    """By default events of one age are one session."""
    value: float = 0.0
    kind: int = 0


def history(*events: Event) -> History:
    """Events, oldest first."""
    at = np.array([NOW - round(e.days_ago * DAY_S) for e in events], np.int64)
    session = [at[i] if e.session is None else e.session for i, e in enumerate(events)]
    return History(
        item=np.array([e.item for e in events], np.int64),
        at_unix_s=at,
        local_s=at.copy(),
        session=np.array(session, np.int64),
        place=np.array([e.place for e in events], np.int64),
        value=np.array([e.value for e in events], np.float32),
        kind=np.array([e.kind for e in events], np.int8),
    )


def now(place: int = 0) -> Moment:
    return Moment(NOW, NOW, place)


def items(n_groupings: int = 2) -> ItemTable:
    """Groupings in turn: pairs of neighbours, odd and even."""
    ways = ([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1])
    return ItemTable(
        groups=np.array([ways[g % 2] for g in range(n_groupings)], np.int64),
        n_groups=tuple((3, 2)[g % 2] for g in range(n_groupings)),
        log_price=np.log(np.array([1, 2, 4, np.nan, 8, 1], np.float32)),
        recommendable=np.ones(6, np.bool_),
    )


def trends(
    sold: History | None = None,
    user: Ints | None = None,
    table: ItemTable | None = None,
    as_of_unix_s: int = NOW,
) -> Trends:
    sold, table = sold or history(), table or items()
    return take_trends(
        np.zeros(len(sold), np.int64) if user is None else user,
        sold,
        groups=table.groups,
        n_groups=table.n_groups,
        n_places=N_PLACES,
        as_of_unix_s=as_of_unix_s,
    )


class Offer(NamedTuple):
    item: int
    place: int
    kind: int
    starts_h: int
    ends_h: int


NOW_H = NOW // 3600


def calendar(*offers: Offer, n_items: int = 6) -> OfferCalendar:
    if not offers:
        return no_offers(n_items, N_PLACES)
    columns = np.array(offers, np.int64).T
    return OfferCalendar.of(*columns, shape=Shape(n_items, N_PLACES))
