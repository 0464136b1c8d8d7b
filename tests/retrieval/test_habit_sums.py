"""Habits that are summed in one walk are those of each candidate's own events, taken alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from corner_shop import Event, history, items, now
from hypothesis import given
from hypothesis import strategies as st

from retrieval.rerank.habit_kernels import (
    AGE_EDGES_DAYS,
    HALF_LIVES_DAYS,
    LAST_SESSIONS,
    NEVER_DAYS,
)
from retrieval.rerank.habits import (
    GROUP_FEATURES,
    ITEM_FEATURES,
    USER_FEATURES,
    habits_of,
    write_group_habits,
    write_item_habits,
    write_user_habits,
)
from retrieval.rerank.records import DAY_S, Bools, Floats, History, Ints, Moment
from retrieval.rerank.taken import taken_of

EVENTS = st.lists(
    st.builds(
        Event,
        item=st.integers(0, 5),
        days_ago=st.one_of(st.integers(0, 200).map(float), st.floats(0, 1500)),
        place=st.integers(0, 2),
        session=st.one_of(st.none(), st.integers(0, 3)),
        value=st.floats(-2, 9),
        kind=st.just(0),
    ),
    max_size=14,
).map(lambda events: sorted(events, key=lambda event: -event.days_ago))
CANDIDATES = np.array([5, 0, 2, 3])


class Slow:
    """The same features from whole arrays, one candidate after the other."""

    def __init__(self, past: History, moment: Moment) -> None:
        self.past = past
        self.age = (moment.at_unix_s - past.at_unix_s) / DAY_S
        starts = np.ones(len(past), np.bool_)
        starts[1:] = past.session[1:] != past.session[:-1]
        self.of_event = np.cumsum(starts) - 1
        self.visit_age = self.age[starts]
        self.size = np.bincount(self.of_event)
        self.n_visits = len(self.visit_age)
        local = past.local_s[starts]
        away = np.abs((local % DAY_S) / 3600 - moment.hour)
        here = past.place[starts] == moment.place if moment.place else np.nan
        near = np.exp(-0.5 * (np.minimum(away, 24 - away) / 3) ** 2)
        on_day = (local // DAY_S + 3) % 7 == moment.weekday
        slow = 0.5 ** (self.visit_age / HALF_LIVES_DAYS[-1])
        self.kernels = [slow * here, slow * near, slow * on_day, slow / self.size]

    def rates(self, mine: Bools) -> list[float]:
        return [
            (0.5 ** (self.age[mine] / life)).sum() / ((0.5 ** (self.visit_age / life)).sum() + 0.5)
            for life in HALF_LIVES_DAYS
        ]

    def weight(self, mine: Bools, life: float = HALF_LIVES_DAYS[-1]) -> float:
        return float((0.5 ** (self.age[mine] / life)).sum())

    def rhythm(self, mine: Bools) -> tuple[float, float, float]:
        """Days since the last time, mean interval, and how due it is."""
        age = self.age[mine]
        last = float(age[-1]) if len(age) else NEVER_DAYS
        interval = float(age[0] - age[-1]) / (len(age) - 1) if len(age) > 1 else np.nan
        return last, interval, np.log((last + 1) / (interval + 1))

    def share(self, mine: Bools, kernel: Floats) -> float:
        return float(kernel[self.of_event[mine]].sum() / (kernel.sum() + 0.5))

    def of_item(self, item: int) -> list[float]:
        mine = self.past.item == item
        count, visits = mine.sum(), self.of_event[mine]
        last, interval, due = self.rhythm(mine)
        edges = (-np.inf, *AGE_EDGES_DAYS)
        age = self.visit_age[visits]
        value = self.past.value[mine].astype(np.float64).sum() / max(count, 1)
        return [
            np.log1p(count),
            count == 0,
            *self.rates(mine),
            *(np.log1p(4 * self.weight(mine, life)) for life in HALF_LIVES_DAYS),
            np.log1p(last),
            np.log1p(interval),
            due,
            count / (self.n_visits - visits[0]) if count else 0,
            *((visits >= self.n_visits - k).sum() for k in LAST_SESSIONS),
            np.log1p(max(value, 0)),
            *(self.share(mine, kernel) for kernel in self.kernels),
            *((left <= age) & (age < right) for left, right in pairwise(edges)),
        ]

    def of_group(self, codes: Ints, item: int) -> list[float]:
        mine = codes[self.past.item] == codes[item]
        last, _, due = self.rhythm(mine)
        return [
            np.log1p(mine.sum()),
            *self.rates(mine),
            np.log1p(last),
            due,
            self.weight(self.past.item == item) / (self.weight(mine) + 0.1),
            self.share(mine, self.kernels[0]),
        ]

    def of_user(self) -> list[float]:
        n, n_events = max(self.n_visits, 1), len(self.past)
        last = self.visit_age[-1] if n_events else NEVER_DAYS
        gap = (self.visit_age[0] - last) / (n - 1) if n > 1 else np.nan
        total = (0.5 ** (self.visit_age / 120)).sum()
        here, near = self.kernels[:2]
        return [
            np.log1p((0.5 ** (self.visit_age / 30)).sum()),
            np.log1p(total),
            np.log1p(n_events / n),
            np.log1p(last),
            len(set(self.past.item.tolist())) / max(n_events, 1),
            np.log((last + 0.5) / (gap + 0.5)),
            here.sum() / (total + 0.5),
            *(
                np.log1p((kernel * self.size).sum() / kernel.sum())
                if kernel.sum() > 1e-6
                else np.nan
                for kernel in (here, near)
            ),
        ]


@given(EVENTS, st.integers(1, 3), st.integers(0, 2))
def test_habits_are_those_of_whole_arrays(
    events: list[Event], n_groupings: int, place: int
) -> None:
    past, moment, table = history(*events), now(place), items(n_groupings)
    taken = taken_of(past.item, CANDIDATES, len(table))
    habits = habits_of(past, taken, moment)
    width = len(ITEM_FEATURES) + n_groupings * len(GROUP_FEATURES) + len(USER_FEATURES)
    found = np.zeros((len(CANDIDATES), width), np.float32)
    at = write_item_habits(found, 0, habits, taken)
    at = write_group_habits(found, at, habits, taken, table)
    assert write_user_habits(found, at, habits, taken) == width
    slow = Slow(past, moment)
    expected = [
        [
            *(np.sum(x) for x in slow.of_item(item)),
            *(x for codes in table.groups for x in slow.of_group(codes, item)),
            *slow.of_user(),
        ]
        for item in CANDIDATES.tolist()
    ]
    np.testing.assert_allclose(found, np.array(expected), rtol=2e-5, atol=1e-6)


@given(EVENTS)
def test_the_items_of_a_history_are_numbered_by_their_first_time(events: list[Event]) -> None:
    past = history(*events)
    taken = taken_of(past.item, CANDIDATES, 6)
    order = list(dict.fromkeys(past.item.tolist()))
    assert taken.item.tolist() == order
    assert taken.item[taken.of_event].tolist() == past.item.tolist()
    assert taken.times.tolist() == [past.item.tolist().count(item) for item in order]
    places = {item: number for number, item in enumerate(order)}
    assert taken.of_candidate.tolist() == [places.get(c, len(order)) for c in CANDIDATES.tolist()]
    assert taken.of_item.tolist() == [places.get(item, -1) for item in range(6)]


@pytest.mark.parametrize(("past", "candidates"), [([6], [0]), ([-1], [0]), ([0], [6]), ([0], [-1])])
def test_what_names_no_item_is_refused(past: list[int], candidates: list[int]) -> None:
    with pytest.raises(IndexError, match="expected rows of items"):
        taken_of(np.array(past), np.array(candidates), 6)
