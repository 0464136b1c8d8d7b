"""What the user is to each candidate: habits, from the history alone.

Decayed personal frequency (TIFU-KNN, Hu et al. 2020, arXiv:2006.00556), repurchase intervals
(Anderson et al. 2014, "The dynamics of repeat consumption"), and the share of an item within the
user's habit for its group. The sums are taken in :mod:`retrieval.rerank.habit_kernels`.

Alphabet: H history, V visits, K distinct items of the history, C candidates, G ways of grouping.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from retrieval.kernels import kernel
from retrieval.rerank.habit_kernels import (
    AGE_EDGES_DAYS,
    HALF_LIVES_DAYS,
    HERE,
    HERE_EVENTS,
    HOUR,
    HOUR_EVENTS,
    LAST_SESSIONS,
    NEVER_DAYS,
    SLOWEST,
    WEIGHT,
    Doubles,
    sum_history,
    write_groups,
    write_items,
)
from retrieval.rerank.records import Floats, History, ItemTable, Moment
from retrieval.rerank.taken import Taken

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
    "item_rate_this_weekday",
    "item_rate_alone",
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
USER_FEATURES = (
    "visits_30d",
    "visits_120d",
    "visit_size",
    "days_since_visit",
    "variety",
    "gap",
    "visits_share_here",
    "visit_size_here",
    "visit_size_this_hour",
)


@dataclass(frozen=True, slots=True)
class Habits:
    """Sums over a history, seen from a moment; columns of :mod:`retrieval.rerank.habit_kernels`."""

    of_item: Doubles
    """float64 ``[K + 1, SUMS]``; the last row is that of an item never taken."""
    of_visits: Doubles
    """float64 ``[VISIT_SUMS]``: over all visits."""
    n_visits: int
    first_days: float
    """Age of the first visit and of the last; ``NEVER_DAYS`` where there is none."""
    last_days: float


def habits_of(history: History, taken: Taken, moment: Moment) -> Habits:
    """Sum a history up, once for all candidates."""
    of_item, of_visits, age_days = sum_history(
        taken.of_event,
        len(taken),
        history.session,
        (history.at_unix_s, history.local_s, history.place),
        history.value,
        (moment.at_unix_s, moment.local_s, moment.place),
    )
    n = len(age_days)
    first, last = (max(float(age_days[v]), 0.0) if n else NEVER_DAYS for v in (0, -1))
    return Habits(of_item, of_visits, n, first, last)


def write_item_habits(features: Floats, at: int, habits: Habits, taken: Taken) -> int:
    """Write ``ITEM_FEATURES`` of every candidate.

    Args:
        features: float32 ``[C, F]``.
        at: First column to write.
        habits: The user's.
        taken: Where the candidates are among them.

    Returns:
        The column behind the last.
    """
    write_items(features, at, taken.of_candidate, habits.of_item, habits.of_visits, habits.n_visits)
    return at + len(ITEM_FEATURES)


def write_group_habits(
    features: Floats, at: int, habits: Habits, taken: Taken, table: ItemTable
) -> int:
    """Write ``GROUP_FEATURES`` for each way of grouping; see :func:`write_item_habits`."""
    items = (taken.item, taken.candidates, taken.of_candidate)
    sums, widest = (habits.of_item, habits.of_visits), max(table.n_groups, default=0)
    write_groups(features, at, items, sums, table.groups, widest)
    return at + len(table.groups) * len(GROUP_FEATURES)


def write_user_habits(features: Floats, at: int, habits: Habits, taken: Taken) -> int:
    """Write ``USER_FEATURES``, the same for every candidate; see :func:`write_item_habits`."""
    n_events, n, last = len(taken.of_event), max(habits.n_visits, 1), habits.last_days
    sums: list[float] = habits.of_visits.tolist()
    here, visits_120d = sums[HERE], sums[SLOWEST]
    usual_gap = (habits.first_days - last) / (n - 1) if n > 1 else math.nan
    of_user = (
        math.log1p(sums[WEIGHT + HALF_LIVES_DAYS.index(30)]),
        math.log1p(visits_120d),
        math.log1p(n_events / n),
        math.log1p(last),
        len(taken) / max(n_events, 1),
        math.log((last + 0.5) / (usual_gap + 0.5)),
        here / (visits_120d + 0.5),
        _size(sums[HERE_EVENTS], here),
        _size(sums[HOUR_EVENTS], sums[HOUR]),
    )
    _write_same(features, at, of_user)
    return at + len(USER_FEATURES)


@kernel
def _write_same(features: Floats, at: int, values: tuple[float, ...]) -> None:
    for c in range(len(features)):
        for i in range(len(values)):
            features[c, at + i] = values[i]


def _size(events: float, visits: float) -> float:
    """Logarithm of the events of a visit, where there are visits to speak of."""
    return math.log1p(events / visits) if visits > 1e-6 else math.nan
