"""A history summed up by visit, by item and by group, and what that says of each candidate.

Alphabet: H history, V visits, K distinct items of the history, C candidates, I items.

Every row of sums, be it of a visit, an item or a group, has the same first columns:

=====================  ===========================================================================
``COUNT``              events
``LAST``, ``FIRST``    age in days of the last event and of the first
``WEIGHT``             events decayed by each of ``HALF_LIVES_DAYS``
``HERE``               decayed by the last of these, and by visit: those at the request's place;
                       NaN where it names none
``HOUR``               the same, of those near the request's hour
``WEEKDAY``            the same, of those on its weekday
``ALONE``              the same, over the events of each visit
=====================  ===========================================================================

All that is compiled into one kernel stands in this file: a kernel on disk does not see that
another file changes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from retrieval.kernels import kernel
from retrieval.rerank.records import DAY_S, Floats, Ints

Doubles = NDArray[np.float64]
Numbers = NDArray[np.uint32]

HALF_LIVES_DAYS = (7.0, 30.0, 120.0)
LAST_SESSIONS = (1, 3, 6)
AGE_EDGES_DAYS = (4.0, 9.0, 16.0, 23.0, 35.0, 60.0, 100.0)
"""Buckets of age that the network may weigh as it likes, where decays fix the shape."""
NEVER_DAYS = 999.0
HOUR_WIDTH = 3.0
"""Standard deviation, in hours, of the kernel that asks "at this time of day?"."""

COUNT, LAST, FIRST, WEIGHT = range(4)
SLOWEST = WEIGHT + len(HALF_LIVES_DAYS) - 1
HERE = SLOWEST + 1
HOUR, WEEKDAY, ALONE, SHARED = range(HERE + 1, HERE + 5)
HERE_EVENTS, HOUR_EVENTS, VISIT_SUMS = range(SHARED, SHARED + 3)
"""In the sums over all visits: the events of those here and at this hour."""
VALUE, RECENT = range(SHARED, SHARED + 2)
"""Of an item: what its events are worth, and how many are in the last visits."""
YOUNG = RECENT + len(LAST_SESSIONS)
"""Events in each bucket of age."""
FIRST_VISIT = YOUNG + len(AGE_EDGES_DAYS)
"""Number of the visit of the first event."""
SUMS = FIRST_VISIT + 1


@kernel
def sum_history(
    number: Ints,
    n_items: int,
    session: Ints,
    times: tuple[Ints, Ints, Ints],
    value: Floats,
    now: tuple[int, int, int],
) -> tuple[Doubles, Doubles, Doubles]:
    """Sums over a history, oldest first.

    Args:
        number: int64 ``[H]``, number of each event's item.
        n_items: Number K of them.
        session: int64 ``[H]``.
        times: Unix seconds, seconds of the shop's clock and place of each event, int64 ``[H]``.
        value: float32 ``[H]``.
        now: The same three of the request.

    Returns:
        Sums of each item, float64 ``[K + 1, SUMS]``, the last row being of no event; sums over all
        visits, float64 ``[VISIT_SUMS]``; the ages of the visits in days, float64 ``[V]``.
    """
    starts = _cut_visits(session)
    visits = _weigh_visits(starts, times, now)
    of_items = _sum_items(number, n_items, (starts, times[0]), value, visits, now[0])
    return of_items, _sum_visits(visits), visits[:, FIRST].copy()


@kernel
def _cut_visits(session: Ints) -> Ints:
    """First event of each visit (basket), oldest first, and the end; int64 ``[V + 1]``."""
    starts = np.empty(len(session) + 1, np.int64)
    n = 0
    for i in range(len(session)):
        if i == 0 or session[i] != session[i - 1]:
            starts[n] = i
            n += 1
    starts[n] = len(session)
    return starts[: n + 1].copy()


@kernel
def _weigh_visits(
    starts: Ints, times: tuple[Ints, Ints, Ints], now: tuple[int, int, int]
) -> Doubles:
    """Sums of each visit, which count the visit once, however many its events: ``[V, SHARED]``."""
    at_unix_s, local_s, place = times
    now_unix_s, now_local_s, here = now
    hour, weekday = _hour(now_local_s), _weekday(now_local_s)
    n = len(starts) - 1
    visits = np.empty((n, SHARED))
    for v in range(n):
        first, size = starts[v], starts[v + 1] - starts[v]
        age = (now_unix_s - at_unix_s[first]) / DAY_S
        away = abs(_hour(local_s[first]) - hour)
        away = min(away, 24 - away) / HOUR_WIDTH
        for j in range(len(HALF_LIVES_DAYS)):
            visits[v, WEIGHT + j] = _decay(age, HALF_LIVES_DAYS[j])
        slow = visits[v, SLOWEST]
        visits[v, COUNT], visits[v, LAST], visits[v, FIRST] = size, age, age
        visits[v, HERE] = math.nan if here <= 0 else slow if place[first] == here else 0.0
        visits[v, HOUR] = slow * math.exp(-0.5 * away * away)
        visits[v, WEEKDAY] = slow if _weekday(local_s[first]) == weekday else 0.0
        visits[v, ALONE] = slow / size
    return visits


@kernel
def _hour(local_s: int) -> float:
    return (local_s % DAY_S) / 3600


@kernel
def _weekday(local_s: int) -> int:
    return (local_s // DAY_S + 3) % 7


@kernel
def _decay(age_days: float, half_life_days: float) -> float:
    return math.exp(-age_days / half_life_days * math.log(2.0))


@kernel
def _sum_visits(visits: Doubles) -> Doubles:
    """Sums over all visits, ``[VISIT_SUMS]``."""
    sums = np.zeros(VISIT_SUMS)
    for v in range(len(visits)):
        for j in range(WEIGHT, SHARED):
            sums[j] += visits[v, j]
        sums[HERE_EVENTS] += visits[v, HERE] * visits[v, COUNT]
        sums[HOUR_EVENTS] += visits[v, HOUR] * visits[v, COUNT]
    return sums


@kernel
def _sum_items(
    number: Ints,
    n_items: int,
    events: tuple[Ints, Ints],
    value: Floats,
    visits: Doubles,
    now_unix_s: int,
) -> Doubles:
    """Sums of each item, ``[K + 1, SUMS]``; events are the starts of visits and the moments."""
    starts, at_unix_s = events
    sums = np.zeros((n_items + 1, SUMS))
    sums[:, LAST], sums[:, FIRST_VISIT] = NEVER_DAYS, len(visits)
    decay = np.empty(len(HALF_LIVES_DAYS))
    n_visits = len(visits)
    for v in range(n_visits):
        bucket = _bucket(visits[v, FIRST])
        for i in range(starts[v], starts[v + 1]):
            k, at = number[i], at_unix_s[i]
            age = (now_unix_s - at) / DAY_S
            if i == 0 or at != at_unix_s[i - 1]:  # the events of a visit are often of one moment
                for j in range(len(decay)):
                    decay[j] = _decay(age, HALF_LIVES_DAYS[j])
            if sums[k, COUNT] == 0:
                sums[k, FIRST], sums[k, FIRST_VISIT] = age, v
            sums[k, COUNT] += 1
            sums[k, LAST] = age
            for j in range(len(decay)):
                sums[k, WEIGHT + j] += decay[j]
            for j in range(HERE, SHARED):
                sums[k, j] += visits[v, j]
            sums[k, VALUE] += value[i]
            _count_when(sums[k], n_visits - v, bucket)
    return sums


@kernel
def _bucket(age_days: float) -> int:
    """Number of the first edge above an age; one past the last where there is none."""
    bucket = 0
    while bucket < len(AGE_EDGES_DAYS) and AGE_EDGES_DAYS[bucket] <= age_days:
        bucket += 1
    return bucket


@kernel
def _count_when(sums: Doubles, visits_ago: int, bucket: int) -> None:
    """Count an event of the last visit but ``visits_ago - 1``, in its bucket of age."""
    for j in range(len(LAST_SESSIONS)):
        if visits_ago <= LAST_SESSIONS[j]:
            sums[RECENT + j] += 1
    if bucket < len(AGE_EDGES_DAYS):
        sums[YOUNG + bucket] += 1


@kernel
def _number_groups(group: Ints, candidates: Ints, number: Numbers) -> int:
    """Write the number of each code that some candidate is of, else 0; returns how many are."""
    number[:] = 0
    n = 0
    for c in range(len(candidates)):
        code = group[candidates[c]]
        if not number[code]:
            n += 1
            number[code] = n
    return n


@kernel
def _sum_groups(group: Ints, items: Ints, sums: Doubles, number: Numbers, n_groups: int) -> Doubles:
    """Sums of each group that has a number, ``[N + 1, HERE + 1]``; row 0 is of all others."""
    found = np.zeros((n_groups + 1, HERE + 1))
    found[:, LAST], found[:, FIRST] = math.inf, -math.inf
    # Looked up before anything is summed: what lies far apart is then waited for together.
    of_item = np.empty(len(items), np.uint32)
    for k in range(len(items)):
        of_item[k] = number[group[items[k]]]
    for k in range(len(items)):
        g = of_item[k]
        found[g, COUNT] += sums[k, COUNT]
        found[g, LAST] = min(found[g, LAST], sums[k, LAST])
        found[g, FIRST] = max(found[g, FIRST], sums[k, FIRST])
        for j in range(WEIGHT, HERE + 1):
            found[g, j] += sums[k, j]
    return found


@kernel
def write_items(
    features: Floats, at: int, row: Ints, sums: Doubles, of_visits: Doubles, n_visits: int
) -> None:
    """Write what the user is to each candidate itself.

    Args:
        features: float32 ``[C, F]``.
        at: First column to write.
        row: int64 ``[C]``, number of each candidate.
        sums: Of each item.
        of_visits: Over all visits.
        n_visits: Number V of them.
    """
    n_lives, n_recent = len(HALF_LIVES_DAYS), len(LAST_SESSIONS)
    for c in range(len(row)):
        k, to = row[c], at
        count = sums[k, COUNT]
        features[c, to] = math.log1p(count)
        features[c, to + 1] = 0.0 if count else 1.0
        to += 2
        for i in range(n_lives):
            weight = sums[k, WEIGHT + i]
            features[c, to + i] = weight / (of_visits[WEIGHT + i] + 0.5)
            features[c, to + n_lives + i] = math.log1p(4 * weight)
        to += 2 * n_lives
        interval = _interval(sums[k])
        features[c, to] = math.log1p(sums[k, LAST])
        features[c, to + 1] = math.log1p(interval)
        features[c, to + 2] = math.log((sums[k, LAST] + 1) / (interval + 1))
        features[c, to + 3] = count / max(n_visits - sums[k, FIRST_VISIT], 1.0)
        to += 4
        for i in range(n_recent):
            features[c, to + i] = sums[k, RECENT + i]
        value = sums[k, VALUE] / max(count, 1.0)
        to += n_recent
        features[c, to] = math.log1p(0.0 if value < 0 else value)
        to += 1
        for i in range(HERE, ALONE + 1):
            features[c, to + i - HERE] = sums[k, i] / (of_visits[i] + 0.5)
        to += ALONE + 1 - HERE
        for i in range(len(AGE_EDGES_DAYS)):
            features[c, to + i] = sums[k, YOUNG + i]


@kernel
def _interval(sums: Doubles) -> float:
    """Mean days between two takes; NaN below two."""
    if sums[COUNT] < 2:
        return math.nan
    days: float = (sums[FIRST] - sums[LAST]) / (sums[COUNT] - 1)
    return days


@kernel
def write_groups(
    features: Floats,
    at: int,
    items: tuple[Ints, Ints, Ints],
    habits: tuple[Doubles, Doubles],
    groups: Ints,
    widest: int,
) -> None:
    """Write what the user is to the groups of each candidate.

    Args:
        features: float32 ``[C, F]``.
        at: First column to write.
        items: Items of the history, int64 ``[K]``; candidates, int64 ``[C]``; their numbers.
        habits: Sums of each item, and over all visits.
        groups: int64 ``[G, I]``, code of each item's group.
        widest: Most codes of one way of grouping.
    """
    taken, candidates, row = items
    sums, of_visits = habits
    number = np.empty(widest, np.uint32)
    for g in range(len(groups)):
        n = _number_groups(groups[g], candidates, number)
        of_group = _sum_groups(groups[g], taken, sums, number, n)
        told = _describe_groups(of_group, of_visits)
        share = told.shape[1] - 2
        for c in range(len(candidates)):
            k = number[groups[g, candidates[c]]]
            for i in range(told.shape[1]):
                features[c, at + i] = told[k, i]
            features[c, at + share] = sums[row[c], SLOWEST] / (of_group[k, SLOWEST] + 0.1)
        at += told.shape[1]


@kernel
def _describe_groups(of_group: Doubles, of_visits: Doubles) -> Doubles:
    """What is the same for all candidates of a group; the second last column is left empty."""
    n_lives = len(HALF_LIVES_DAYS)
    told = np.empty((len(of_group), n_lives + 5))
    for k in range(len(of_group)):
        last = of_group[k, LAST] if of_group[k, COUNT] else NEVER_DAYS
        told[k, 0] = math.log1p(of_group[k, COUNT])
        for i in range(n_lives):
            told[k, 1 + i] = of_group[k, WEIGHT + i] / (of_visits[WEIGHT + i] + 0.5)
        told[k, n_lives + 1] = math.log1p(last)
        told[k, n_lives + 2] = math.log((last + 1) / (_interval(of_group[k]) + 1))
        told[k, n_lives + 4] = of_group[k, HERE] / (of_visits[HERE] + 0.5)
    return told
