"""Cross features: what a candidate is to this user, at this moment, in this place.

One function serves training and serving, and reads nothing that was not known at the moment:
the history before it (:mod:`retrieval.rerank.habits`), the trends taken before it, the offers
running then.

Alphabet: H history, C candidates, I items, G ways of grouping, F features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from retrieval.crowd import Crowd
from retrieval.kernels import kernel
from retrieval.neighbours import Neighbours
from retrieval.rerank.facets import Facets, facet_columns, facet_features
from retrieval.rerank.goes_with import GOES_WITH_FEATURES, write_goes_with
from retrieval.rerank.habits import (
    GROUP_FEATURES,
    ITEM_FEATURES,
    USER_FEATURES,
    habits_of,
    write_group_habits,
    write_item_habits,
    write_user_habits,
)
from retrieval.rerank.intervals import IntervalTable
from retrieval.rerank.needs import NEED_FEATURES, write_needs
from retrieval.rerank.offers import OFFER_KINDS, OfferCalendar, write_offers
from retrieval.rerank.records import Bools, Floats, History, Ints, ItemTable, Moment
from retrieval.rerank.sales import (
    GROUP_SALE_FEATURES,
    TREND_FEATURES,
    write_group_sales,
    write_trends,
)
from retrieval.rerank.taken import Taken, taken_of
from retrieval.rerank.trends import Trends

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
    return _names(n_groupings, tuple(facets), needs, linear)


@lru_cache(maxsize=16)
def _names(n_groupings: int, facets: tuple[str, ...], needs: bool, linear: bool) -> tuple[str, ...]:
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

    def __post_init__(self) -> None:
        """Refuse trends of other items, of which kernels would read what is not there."""
        if self.trends.groups.shape != self.items.groups.shape:
            raise ValueError(
                f"got trends of {self.trends.groups.shape} groups and items, expected those of the "
                f"items, {self.items.groups.shape}: take the trends anew"
            )

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

    Raises:
        IndexError: An event or a candidate names no item of the world.
    """
    n_features = len(world.feature_names())
    features = np.empty((len(candidates), n_features), dtype=np.float32)
    taken = taken_of(history.item, candidates, len(world.items))
    habits = habits_of(history, taken, moment)
    at = write_item_habits(features, 0, habits, taken)
    at = write_group_habits(features, at, habits, taken, world.items)
    at = write_group_sales(features, at, candidates, moment, world.trends)
    at = write_user_habits(features, at, habits, taken)
    at = write_trends(features, at, candidates, moment, world.trends)
    at = write_offers(features, at, candidates, moment, world.offers)
    at = _write_prices(features, at, taken, world.items)
    at = _write_sources(features, at, sources)
    at = write_needs(features, at, history, taken, moment, world.needs)
    at = write_goes_with(features, at, taken, world.linear)
    _write_facets(features, at, candidates, moment, world)
    return features


def _write_prices(features: Floats, at: int, taken: Taken, table: ItemTable) -> int:
    _write_price(features, at, taken.candidates, (taken.item, taken.times), table.log_price)
    return at + len(PRICE_FEATURES)


@kernel
def _write_price(
    features: Floats, at: int, candidates: Ints, taken: tuple[Ints, Ints], log_price: Floats
) -> None:
    """Write each price, and against the mean of what was paid.

    Args:
        features: float32 ``[C, F]``.
        at: First column to write.
        candidates: int64 ``[C]``.
        taken: Items of the history and events of each, int64 ``[K]``.
        log_price: float32 ``[I]``; NaN where no price is known.
    """
    item, times = taken
    paid, n_paid = 0.0, 0
    for k in range(len(item)):
        price = log_price[item[k]]
        if not math.isnan(price):
            paid += times[k] * price
            n_paid += times[k]
    habit = paid / n_paid if n_paid else math.nan
    for c in range(len(candidates)):
        features[c, at] = log_price[candidates[c]]
        features[c, at + 1] = log_price[candidates[c]] - habit


def _write_sources(features: Floats, at: int, sources: Sources) -> int:
    features[:, at] = sources.graph
    features[:, at + 1] = sources.together
    features[:, at + 2] = sources.content
    features[:, at + 3] = sources.crowd
    return at + len(SOURCE_FEATURES)


def _write_facets(
    features: Floats, at: int, candidates: Ints, moment: Moment, world: World
) -> None:
    if not world.facets:
        return
    columns = facet_columns(candidates, moment.facets, world.facets, world.items.groups[0])
    for i, column in enumerate(columns):
        features[:, at + i] = column
    # Where nobody bought the item yet, a lift of its own is no verdict; see retrieval.rerank.sales.
    features[world.trends.all_time[candidates] == 0, at::2] = np.nan
