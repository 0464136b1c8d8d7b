"""Cross features: what a candidate is to this user, at this moment, in this place.

One function serves training and serving, and reads nothing that was not known at the moment:
the history before it, the trends taken before it, the offers running then. The features follow
the next-basket literature: decayed personal frequency (TIFU-KNN, Hu et al. 2020,
arXiv:2006.00556), repurchase intervals (Anderson et al. 2014, "The dynamics of repeat
consumption"), and the share of an item within the user's habit for its group.

Alphabet: H history, C candidates, I items, G ways of grouping, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.crowd import Crowd
from retrieval.rerank.offers import OFFER_KINDS, OfferCalendar
from retrieval.rerank.records import DAY_S, Bools, Floats, History, Ints, ItemTable, Moment
from retrieval.rerank.trends import Trends, day_slot

Column = NDArray[np.floating[Any]] | Ints

HALF_LIVES_DAYS = (7.0, 30.0, 120.0)
LAST_SESSIONS = (1, 3, 6)
AGE_EDGES_DAYS = (4.0, 9.0, 16.0, 23.0, 35.0, 60.0, 100.0)
"""Buckets of age that the network may weigh as it likes, where decays fix the shape."""
NEVER_DAYS = 999.0
HOUR_WIDTH = 3.0
"""Standard deviation, in hours, of the kernel that asks "at this time of day?"."""

ITEM_FEATURES = (
    "item_count",
    "item_is_new",
    *(f"item_rate_{h:g}d" for h in HALF_LIVES_DAYS),
    *(f"item_weight_{h:g}d" for h in HALF_LIVES_DAYS),
    "item_days_since",
    "item_interval",
    "item_due",
    "item_share_since_first",
    *(f"item_in_last_{k}" for k in LAST_SESSIONS),
    "item_value",
    "item_rate_here",
    "item_rate_this_hour",
    *(f"item_before_{edge:g}d" for edge in AGE_EDGES_DAYS),
)
GROUP_FEATURES = (
    "count",
    *(f"rate_{h:g}d" for h in HALF_LIVES_DAYS),
    "days_since",
    "due",
    "item_share",
    "rate_here",
)
GROUP_SALE_FEATURES = ("popularity_share", "share_here", "lift_here")
USER_FEATURES = ("visits_30d", "visits_120d", "visit_size", "days_since_visit", "variety", "gap")
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


def feature_names(n_groupings: int) -> tuple[str, ...]:
    """Names of the F columns, for a table of items with this many ways of grouping."""

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
    )


def scene_columns(names: Sequence[str]) -> Bools:
    """Which columns depend on the request's place or its offers, bool ``[F]``."""
    return np.array([n.startswith(("place_", "on_")) or n.endswith("_here") for n in names])


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


@dataclass(frozen=True, slots=True)
class _Visits:
    """The history cut into visits (baskets); V visits, oldest first."""

    of_event: Ints
    age_days: NDArray[np.float64]
    here: Bools
    this_hour: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.age_days)


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
    visits = _visits(history, age, moment)
    known, event_row = np.unique(history.item, return_inverse=True)
    row, is_known = _rows_in(known, candidates)
    item = _ItemHabit.of(event_row, len(known), age, visits)
    columns: list[Column] = [
        *_item_columns(item, row, is_known, history, visits, event_row),
        *_group_columns(item, row, history, age, visits, candidates, world.items),
        *_group_sale_columns(candidates, moment, world),
        *_user_columns(history, visits, len(known), len(candidates)),
        *_trend_columns(candidates, moment, world.trends),
        *_offer_columns(candidates, moment, world.offers),
        *_price_columns(candidates, history, world.items),
        sources.graph,
        sources.together,
        sources.content,
        sources.crowd,
    ]
    features = np.empty((len(candidates), len(columns)), dtype=np.float32)
    for i, column in enumerate(columns):
        features[:, i] = column
    return features


def _rows_in(known: Ints, wanted: Ints) -> tuple[Ints, Bools]:
    """Row of each wanted item among the known; one past the end where it is not there."""
    row = np.searchsorted(known, wanted)
    inside = row < len(known)
    is_known = np.zeros(len(wanted), dtype=np.bool_)
    is_known[inside] = known[row[inside]] == wanted[inside]
    return np.where(is_known, row, len(known)), is_known


def _visits(history: History, age: NDArray[np.float64], moment: Moment) -> _Visits:
    if len(history) == 0:
        none = np.zeros(0)
        return _Visits(np.zeros(0, np.int64), none, none.astype(np.bool_), none)
    starts = np.concatenate([[True], history.session[1:] != history.session[:-1]])
    hour = (history.local_s[starts] % DAY_S) / 3600
    away = np.abs(hour - moment.hour)
    away = np.minimum(away, 24 - away)
    return _Visits(
        of_event=np.cumsum(starts) - 1,
        age_days=age[starts],
        here=(history.place[starts] == moment.place) & (moment.place > 0),
        this_hour=np.exp(-0.5 * (away / HOUR_WIDTH) ** 2),
    )


@dataclass(frozen=True, slots=True)
class _ItemHabit:
    """Per key (an item or a group): counts, decayed weights, ages. One spare key at the end."""

    count: Ints
    weights: tuple[NDArray[np.float64], ...]
    last_days: NDArray[np.float64]
    first_days: NDArray[np.float64]

    @classmethod
    def of(cls, key: Ints, n_keys: int, age: NDArray[np.float64], visits: _Visits) -> _ItemHabit:
        last = np.full(n_keys + 1, NEVER_DAYS)
        first = np.zeros(n_keys + 1)
        # Oldest first: the later of two assignments to one key wins, so these are min and max.
        last[key] = age
        first[key[::-1]] = age[::-1]
        return cls(
            np.bincount(key, minlength=n_keys + 1),
            tuple(
                np.asarray(np.bincount(key, 0.5 ** (age / h), n_keys + 1), np.float64)
                for h in HALF_LIVES_DAYS
            ),
            last,
            first,
        )

    def interval_days(self, row: Ints) -> NDArray[np.float64]:
        times = self.count[row]
        gap = (self.first_days[row] - self.last_days[row]) / np.maximum(times - 1, 1)
        return np.where(times > 1, gap, np.nan)

    def due(self, row: Ints) -> NDArray[np.float64]:
        """Log of the days since the last time over the usual interval: 0 is due now."""
        return np.log((self.last_days[row] + 1) / (self.interval_days(row) + 1))


def _item_columns(
    habit: _ItemHabit,
    row: Ints,
    is_known: Bools,
    history: History,
    visits: _Visits,
    event_row: Ints,
) -> list[Column]:
    n_keys = len(habit.count)
    count = habit.count[row]
    decay = [0.5 ** (visits.age_days / h) for h in HALF_LIVES_DAYS]
    of_event = visits.of_event
    first_visit = np.full(n_keys, len(visits))
    first_visit[event_row[::-1]] = of_event[::-1]
    since_first = len(visits) - first_visit[row]
    value = np.bincount(event_row, weights=history.value, minlength=n_keys)[row]

    def rate(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
        hits = np.bincount(event_row, weights=kernel[of_event], minlength=n_keys)[row]
        return np.asarray(hits / (kernel.sum() + 0.5))

    return [
        np.log1p(count),
        (~is_known).astype(np.float64),
        *(w[row] / (d.sum() + 0.5) for w, d in zip(habit.weights, decay, strict=True)),
        *(np.log1p(4 * w[row]) for w in habit.weights),
        np.log1p(habit.last_days[row]),
        np.log1p(habit.interval_days(row)),
        habit.due(row),
        count / np.maximum(since_first, 1),
        *(
            np.bincount(event_row[of_event >= len(visits) - k], minlength=n_keys)[row]
            for k in LAST_SESSIONS
        ),
        np.log1p(np.maximum(value / np.maximum(count, 1), 0)),
        rate(decay[-1] * visits.here),
        rate(decay[-1] * visits.this_hour),
        *_by_age(event_row, visits.age_days[of_event], n_keys)[:, row],
    ]


def _by_age(key: Ints, age: NDArray[np.float64], n_keys: int) -> Floats:
    """Events per age bucket and key, float32 ``[len(AGE_EDGES_DAYS), n_keys]``."""
    n = len(AGE_EDGES_DAYS)
    bucket = np.searchsorted(AGE_EDGES_DAYS, age, side="right")
    young = bucket < n
    counts = np.bincount(bucket[young] * n_keys + key[young], minlength=n * n_keys)
    return counts.reshape(n, n_keys).astype(np.float32)


def _group_columns(
    item: _ItemHabit,
    row: Ints,
    history: History,
    age: NDArray[np.float64],
    visits: _Visits,
    candidates: Ints,
    table: ItemTable,
) -> list[Column]:
    """The user's habit for each candidate's groups."""
    visit_weight = [(0.5 ** (visits.age_days / h)).sum() + 0.5 for h in HALF_LIVES_DAYS]
    here = (0.5 ** (visits.age_days / HALF_LIVES_DAYS[-1])) * visits.here
    columns: list[Column] = []
    for codes, n in zip(table.groups, table.n_groups, strict=True):
        key, own = codes[history.item], codes[candidates]
        habit = _ItemHabit.of(key, n, age, visits)
        here_hits = np.bincount(key, weights=here[visits.of_event], minlength=n)
        columns += [
            np.log1p(habit.count[own]),
            *(w[own] / v for w, v in zip(habit.weights, visit_weight, strict=True)),
            np.log1p(habit.last_days[own]),
            habit.due(own),
            item.weights[-1][row] / (habit.weights[-1][own] + 0.1),
            here_hits[own] / (here.sum() + 0.5),
        ]
    return columns


def _group_sale_columns(candidates: Ints, moment: Moment, world: World) -> list[Column]:
    """What share of its groups' sales each candidate has, and how its groups sell here."""
    trends = world.trends
    month = trends.last_28_days[candidates]
    everywhere = max(float(trends.last_28_days.sum()), 1.0)
    at_place = trends.at_place(moment.place) if moment.place else None
    nowhere = np.full(len(candidates), np.nan, dtype=np.float32)
    columns: list[Column] = []
    for g, (codes, sold) in enumerate(zip(world.items.groups, trends.group_counts, strict=True)):
        own = codes[candidates]
        columns.append(np.log((month + 0.5) / (sold[own] + 5)))
        if at_place is None:
            columns += [nowhere, nowhere]
            continue
        of_group = at_place.group_recent[g][own]
        here = max(float(at_place.recent.sum()), 1.0)
        columns += [
            np.log((at_place.recent[candidates] + 0.5) / (of_group + 5)),
            np.log((of_group / here + 1e-4) / (sold[own] / everywhere + 1e-4)),
        ]
    return columns


def _user_columns(
    history: History, visits: _Visits, n_known: int, n_candidates: int
) -> list[Column]:
    n = max(len(visits), 1)
    last = visits.age_days[-1] if len(visits) else NEVER_DAYS
    span = visits.age_days[0] - last if len(visits) else 0.0
    usual_gap = span / (n - 1) if n > 1 else np.nan
    of_user = (
        np.log1p((0.5 ** (visits.age_days / 30)).sum()),
        np.log1p((0.5 ** (visits.age_days / 120)).sum()),
        np.log1p(len(history) / n),
        np.log1p(last),
        n_known / max(len(history), 1),
        np.log((last + 0.5) / (usual_gap + 0.5)),
    )
    return [np.full(n_candidates, x) for x in of_user]


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
    known = len(offers) > 0 and (moment.place == 0 or offers.covers(moment.place))
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
