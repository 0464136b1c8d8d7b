"""What the user is to each candidate: habits, from the history alone.

Decayed personal frequency (TIFU-KNN, Hu et al. 2020, arXiv:2006.00556), repurchase intervals
(Anderson et al. 2014, "The dynamics of repeat consumption"), and the share of an item within the
user's habit for its group. Alphabet: H history, V visits, C candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.rerank.records import DAY_S, Bools, Floats, History, Ints, ItemTable, Moment

Column = NDArray[np.floating[Any]] | Ints
Doubles = NDArray[np.float64]

HALF_LIVES_DAYS = (7.0, 30.0, 120.0)
_HALF_LIVES = np.array(HALF_LIVES_DAYS)[:, None]
LAST_SESSIONS = (1, 3, 6)
_LAST_SESSIONS = np.array(LAST_SESSIONS)[:, None]
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
class Visits:
    """The history cut into visits (baskets); V visits, oldest first."""

    of_event: Ints
    age_days: NDArray[np.float64]
    here: NDArray[np.float64]
    """1 for a visit to the request's place, else 0; NaN where the request names none, as when
    training hides the scene."""
    this_hour: NDArray[np.float64]
    this_weekday: Bools
    size: Ints
    """Events of each visit."""

    def __len__(self) -> int:
        return len(self.age_days)


def rows_in(known: Ints, wanted: Ints) -> tuple[Ints, Bools]:
    """Row of each wanted item among the known; one past the end where it is not there."""
    row = np.searchsorted(known, wanted)
    inside = row < len(known)
    is_known = np.zeros(len(wanted), dtype=np.bool_)
    is_known[inside] = known[row[inside]] == wanted[inside]
    return np.where(is_known, row, len(known)), is_known


def visits_of(history: History, age: NDArray[np.float64], moment: Moment) -> Visits:
    """The history cut into visits, seen from a moment."""
    if len(history) == 0:
        none = np.zeros(0)
        zero = none.astype(np.int64)
        return Visits(zero, none, none, none, none.astype(np.bool_), zero)
    starts = np.concatenate([[True], history.session[1:] != history.session[:-1]])
    hour = (history.local_s[starts] % DAY_S) / 3600
    away = np.abs(hour - moment.hour)
    away = np.minimum(away, 24 - away)
    of_event = np.cumsum(starts) - 1
    return Visits(
        of_event=of_event,
        age_days=age[starts],
        here=np.where(moment.place > 0, history.place[starts] == moment.place, np.nan),
        this_hour=np.exp(-0.5 * (away / HOUR_WIDTH) ** 2),
        this_weekday=(history.local_s[starts] // DAY_S + 3) % 7 == moment.weekday,
        size=np.bincount(of_event),
    )


@dataclass(frozen=True, slots=True)
class Habit:
    """Per key (an item or a group): counts, decayed weights, ages. One spare key at the end."""

    count: Ints
    weights: tuple[NDArray[np.float64], ...]
    last_days: NDArray[np.float64]
    first_days: NDArray[np.float64]

    @classmethod
    def of(cls, key: Ints, n_keys: int, age: NDArray[np.float64], visits: Visits) -> Habit:
        """Count the events of each key; the history is oldest first."""
        count, *weights = _sums(_kernels(age), key[None], n_keys + 1)
        last, first = _span(key[None], n_keys + 1, age)
        return cls(count.astype(np.int64), tuple(weights), last, first)

    def interval_days(self, row: Ints) -> Doubles:
        """Mean days between two takes of each key; NaN below two."""
        return _interval(self.count[row], self.first_days[row], self.last_days[row])

    def due(self, row: Ints) -> NDArray[np.float64]:
        """Log of the days since the last time over the usual interval: 0 is due now."""
        return np.log((self.last_days[row] + 1) / (self.interval_days(row) + 1))


def item_columns(
    habit: Habit,
    row: Ints,
    is_known: Bools,
    history: History,
    visits: Visits,
    event_row: Ints,
) -> list[Column]:
    """``ITEM_FEATURES`` of every candidate: ``row`` is its key in the habit."""
    n_keys = len(habit.count)
    count = habit.count[row]
    decay = np.exp2(-visits.age_days / _HALF_LIVES)  # [half-lives, V]
    of_event = visits.of_event
    first_visit = np.full(n_keys, len(visits))
    first_visit[event_row[::-1]] = of_event[::-1]
    kernels = decay[-1] * np.stack(
        [visits.here, visits.this_hour, visits.this_weekday, 1 / np.maximum(visits.size, 1)]
    )
    recent = of_event >= len(visits) - _LAST_SESSIONS
    value, *sums = _sums(
        np.concatenate([history.value[None], recent, kernels[:, of_event]]), event_row[None], n_keys
    ).take(row, axis=1)
    n_recent = len(LAST_SESSIONS)
    weights = np.stack(habit.weights).take(row, axis=1)
    return [
        np.log1p(count),
        (~is_known).astype(np.float64),
        *weights / (decay.sum(axis=1)[:, None] + 0.5),
        *np.log1p(4 * weights),
        np.log1p(habit.last_days[row]),
        np.log1p(habit.interval_days(row)),
        habit.due(row),
        count / np.maximum(len(visits) - first_visit[row], 1),
        *sums[:n_recent],
        np.log1p(np.maximum(value / np.maximum(count, 1), 0)),
        *np.stack(sums[n_recent:]) / (kernels.sum(axis=1)[:, None] + 0.5),
        *_by_age(event_row, visits.age_days[of_event], n_keys)[:, row],
    ]


def _by_age(key: Ints, age: NDArray[np.float64], n_keys: int) -> Floats:
    """Events per age bucket and key, float32 ``[len(AGE_EDGES_DAYS), n_keys]``."""
    n = len(AGE_EDGES_DAYS)
    bucket = np.searchsorted(AGE_EDGES_DAYS, age, side="right")
    young = bucket < n
    counts = np.bincount(bucket[young] * n_keys + key[young], minlength=n * n_keys)
    return counts.reshape(n, n_keys).astype(np.float32)


def group_columns(
    item: Habit,
    row: Ints,
    history: History,
    age: NDArray[np.float64],
    visits: Visits,
    candidates: Ints,
    table: ItemTable,
) -> list[Column]:
    """The user's habit for each candidate's groups."""
    decay = np.exp2(-visits.age_days / _HALF_LIVES)  # [half-lives, V]
    here = decay[-1] * visits.here
    kernels = np.concatenate([_kernels(age), here[visits.of_event][None]])
    # The codes of all ways of grouping, one behind the other: every sum is taken in one walk.
    behind = np.cumsum([0, *table.n_groups[:-1]])[:, None]
    key = table.groups[:, history.item] + behind  # [G, H]
    own = table.groups[:, candidates] + behind  # [G, C]
    n_keys = sum(table.n_groups)
    count, *weights, here_hits = _sums(kernels, key, n_keys).take(own, axis=1)  # each [G, C]
    last, first = _span(key, n_keys, age)
    last_days, interval = last[own], _interval(count, first[own], last[own])
    shares = item.weights[-1][row] / (weights[-1] + 0.1)
    columns = np.stack(
        [
            np.log1p(count),
            *(w / (d.sum() + 0.5) for w, d in zip(weights, decay, strict=True)),
            np.log1p(last_days),
            np.log((last_days + 1) / (interval + 1)),
            shares,
            here_hits / (here.sum() + 0.5),
        ],
        axis=1,
    )  # [G, len(GROUP_FEATURES), C]
    return list(columns.reshape(columns.shape[0] * columns.shape[1], len(candidates)))


def _kernels(age: Doubles) -> Doubles:
    """What an event counts: one, then decayed by each half-life; float64 ``[K, H]``."""
    return np.concatenate([np.ones((1, len(age))), np.exp2(-age / _HALF_LIVES)])


def _sums(kernels: Doubles, key: Ints, n_keys: int) -> Doubles:
    """Sums of each kernel ``[K, H]`` per key; keys are ``[G, H]``, no two rows share one.

    Returns:
        float64 ``[K, n_keys]``.
    """
    flat = (key + np.arange(len(kernels))[:, None, None] * n_keys).ravel()
    weights = np.broadcast_to(kernels[:, None], (len(kernels), *key.shape)).ravel()
    sums = np.asarray(np.bincount(flat, weights, len(kernels) * n_keys), np.float64)
    return sums.reshape(len(kernels), n_keys)


def _span(key: Ints, n_keys: int, age: Doubles) -> tuple[Doubles, Doubles]:
    """Days since the last and the first event of each key, ``[n_keys]``; keys are ``[G, H]``."""
    last, first = np.full(n_keys, NEVER_DAYS), np.zeros(n_keys)
    # Oldest first: the later of two assignments to one key wins, so these are min and max.
    flat, ages = key.ravel(), np.tile(age, len(key))
    last[flat] = ages
    first[flat[::-1]] = ages[::-1]
    return last, first


def _interval(count: Doubles | Ints, first_days: Doubles, last_days: Doubles) -> Doubles:
    """Mean days between two takes; NaN below two. All of one shape."""
    gap = (first_days - last_days) / np.maximum(count - 1, 1)
    return np.where(count > 1, gap, np.nan)


def user_columns(history: History, visits: Visits, n_known: int, n_candidates: int) -> list[Column]:
    """``USER_FEATURES``, the same for every candidate."""
    n = max(len(visits), 1)
    last = visits.age_days[-1] if len(visits) else NEVER_DAYS
    span = visits.age_days[0] - last if len(visits) else 0.0
    usual_gap = span / (n - 1) if n > 1 else np.nan
    weight = 0.5 ** (visits.age_days / HALF_LIVES_DAYS[-1])

    def size(kernel: NDArray[np.float64]) -> float:
        total = float(kernel.sum())
        return float(np.log1p((kernel * visits.size).sum() / total)) if total > 1e-6 else np.nan

    of_user = (
        np.log1p((0.5 ** (visits.age_days / 30)).sum()),
        np.log1p((0.5 ** (visits.age_days / 120)).sum()),
        np.log1p(len(history) / n),
        np.log1p(last),
        n_known / max(len(history), 1),
        np.log((last + 0.5) / (usual_gap + 0.5)),
        float((weight * visits.here).sum()) / (float(weight.sum()) + 0.5),
        size(weight * visits.here),
        size(weight * visits.this_hour),
    )
    return [np.full(n_candidates, x) for x in of_user]
