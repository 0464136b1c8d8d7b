"""Cross features: what a candidate is to this user, at this moment, in this place.

One function serves training and serving, and reads nothing that was not known at the moment:
the history before it (:mod:`retrieval.rerank.habits`), the trends taken before it, the offers
running then.

Alphabet: H history, C candidates, I items, G ways of grouping, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from retrieval.crowd import Crowd
from retrieval.neighbours import Neighbours
from retrieval.rerank.facets import Facets, facet_columns, facet_features
from retrieval.rerank.goes_with import GOES_WITH_FEATURES, goes_with_columns
from retrieval.rerank.habits import (
    GROUP_FEATURES,
    ITEM_FEATURES,
    USER_FEATURES,
    Column,
    Habit,
    group_columns,
    item_columns,
    rows_in,
    user_columns,
    visits_of,
)
from retrieval.rerank.intervals import IntervalTable
from retrieval.rerank.needs import NEED_FEATURES, need_columns
from retrieval.rerank.offers import OFFER_KINDS, OfferCalendar
from retrieval.rerank.records import DAY_S, Bools, Floats, History, Ints, ItemTable, Moment
from retrieval.rerank.trends import Trends, day_slot

GROUP_SALE_FEATURES = ("popularity_share", "share_here", "lift_here")

TREND_FEATURES = (
    "sold_7d",
    "sold_28d",
    "sold_ever",
    "trend",
    "repeat_rate",
    "frequency",
    "place_sold",
    "place_sold_28d",
    "place_share",
    "place_lift",
    "place_size",
    "slot_lift",
)
PRICE_FEATURES = ("log_price", "price_to_habit")
SOURCE_FEATURES = ("graph_score", "together_score", "content_score", "crowd_score")


def feature_names(
    n_groupings: int, facets: Sequence[str] = (), *, needs: bool = False, linear: bool = False
) -> tuple[str, ...]:
    """Names of the F columns.

    Args:
        n_groupings: Ways of grouping that the table of items has.
        facets: Names of the scene's facets that the run knows.
        needs: Whether the run knows how often items are taken again.
        linear: Whether it knows what speaks for what.
    """

    def of_groups(names: tuple[str, ...]) -> list[str]:
        return [f"group{g}_{name}" for g in range(n_groupings) for name in names]

    return (
        *ITEM_FEATURES,
        *of_groups(GROUP_FEATURES),
        *of_groups(GROUP_SALE_FEATURES),
        *USER_FEATURES,
        *TREND_FEATURES,
        *(f"on_{kind}" for kind in OFFER_KINDS),
        *PRICE_FEATURES,
        *SOURCE_FEATURES,
        *(NEED_FEATURES if needs else ()),
        *(GOES_WITH_FEATURES if linear else ()),
        *facet_features(facets),
    )


def scene_columns(names: Sequence[str]) -> Bools:
    """Which columns depend on the request's place, facets or offers, bool ``[F]``."""
    of_scene = ("place_", "on_", "facet_")
    return np.array([n.startswith(of_scene) or n.endswith("_here") for n in names])


def sales_columns(names: Sequence[str]) -> Bools:
    """Which columns tell how the candidate itself sold, to whomever, bool ``[F]``."""
    own = frozenset(TREND_FEATURES) - {"place_size"}
    of_group = ("_popularity_share", "_share_here")

    def is_own(name: str) -> bool:
        if name.startswith("facet_"):
            return not name.endswith("_group_lift")
        return name in own or (name.startswith("group") and name.endswith(of_group))

    return np.array([is_own(name) for name in names])


@dataclass(frozen=True, slots=True)
class Sources:
    """Scores that retrieval gave each candidate, float32 ``[C]``; NaN where it gave none."""

    graph: Floats
    together: Floats
    content: Floats
    crowd: Floats


@dataclass(frozen=True, slots=True)
class World:
    """What is the same for every request at a time."""

    items: ItemTable
    trends: Trends
    offers: OfferCalendar
    crowd: Crowd
    facets: Facets = ()
    """What is taken under the values of each facet of the scene."""
    needs: IntervalTable | None = None
    """How often items are taken again; None is not known."""
    linear: Neighbours | None = None
    """What speaks for what (:mod:`retrieval.linear`); None is not known."""

    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of :func:`cross_features` in this world."""
        return feature_names(
            len(self.items.groups),
            [facet.name for facet in self.facets],
            needs=self.needs is not None,
            linear=self.linear is not None,
        )


def cross_features(
    history: History, moment: Moment, candidates: Ints, sources: Sources, world: World
) -> Floats:
    """Features of every candidate, float32 ``[C, F]``; NaN where a feature has no meaning.

    Args:
        history: The user's events before the moment.
        moment: Time and place of the request.
        candidates: int64 ``[C]``, distinct items.
        sources: Retrieval scores of the candidates.
        world: Items, trends and offers as known at the moment.
    """
    age = (moment.at_unix_s - history.at_unix_s) / DAY_S
    visits = visits_of(history, age, moment)
    known, event_row = np.unique(history.item, return_inverse=True)
    row, is_known = rows_in(known, candidates)
    item = Habit.of(event_row, len(known), age, visits)
    columns: list[Column] = [
        *item_columns(item, row, is_known, history, visits, event_row),
        *group_columns(item, row, history, age, visits, candidates, world.items),
        *chain.from_iterable(world.trends.group_sales(candidates, moment.place)),
        *user_columns(history, visits, len(known), len(candidates)),
        *_trend_columns(candidates, moment, world.trends),
        *_offer_columns(candidates, moment, world.offers),
        *_price_columns(candidates, history, world.items),
        sources.graph,
        sources.together,
        sources.content,
        sources.crowd,
        *need_columns(history, moment, candidates, world.needs),
        *goes_with_columns(history, candidates, world.linear),
        *facet_columns(candidates, moment.facets, world.facets, world.items.groups[0]),
    ]
    features = np.empty((len(candidates), len(columns)), dtype=np.float32)
    for i, column in enumerate(columns):
        features[:, i] = column
    # What nobody has bought yet may be new: no sales are then no verdict, and training hides the
    # sales of some candidates so that the network knows what to make of that.
    unsold = world.trends.all_time[candidates] == 0
    if unsold.any():
        own = sales_columns(world.feature_names())
        features[np.ix_(unsold, own)] = np.nan
    return features


def _trend_columns(candidates: Ints, moment: Moment, trends: Trends) -> list[Column]:
    week, month = trends.last_7_days[candidates], trends.last_28_days[candidates]
    nowhere = np.full(len(candidates), np.nan, dtype=np.float32)
    here = recent = nowhere
    if moment.place:
        at_place = trends.at_place(moment.place)
        here, recent = at_place.sold[candidates], at_place.recent[candidates]
    total = float(trends.place_totals[moment.place])
    share = trends.overall_share[candidates]
    slot = int(day_slot(np.array([moment.local_s]))[0])
    return [
        np.log1p(week),
        np.log1p(month),
        np.log1p(trends.all_time[candidates]),
        np.log((week + 1) / (month / 4 + 1)),
        trends.repeat_rate[candidates],
        trends.frequency[candidates],
        np.log1p(here),
        np.log1p(recent),
        np.log((here + 0.5) / (total + 100) * 1e4),
        np.log((here / (total + 1) + 1e-5) / (share + 1e-5)),
        np.full(len(candidates), np.log1p(total) if moment.place else np.nan, dtype=np.float32),
        trends.slot_lift[slot, candidates],
    ]


def _offer_columns(candidates: Ints, moment: Moment, offers: OfferCalendar) -> list[Column]:
    mask = offers.running(moment.place, moment.at_unix_s)[candidates]
    known = offers.covers(moment.place) if moment.place else False
    known |= offers.only_everywhere
    return [
        np.where(known, (mask >> bit) & 1, np.nan).astype(np.float32)
        for bit in range(len(OFFER_KINDS))
    ]


def _price_columns(candidates: Ints, history: History, table: ItemTable) -> list[Column]:
    price = table.log_price[candidates]
    paid = table.log_price[history.item]
    paid = paid[~np.isnan(paid)]
    habit = paid.mean() if len(paid) else np.float32(np.nan)
    return [price, price - habit]
