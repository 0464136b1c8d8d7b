"""Habits of all ways of grouping are summed in one walk, and are those of each way alone."""

from __future__ import annotations

import numpy as np
from corner_shop import Event, history, items, now
from hypothesis import given
from hypothesis import strategies as st

from retrieval.rerank.habits import (
    GROUP_FEATURES,
    HALF_LIVES_DAYS,
    Habit,
    group_columns,
    rows_in,
    visits_of,
)
from retrieval.rerank.records import DAY_S

EVENTS = st.lists(
    st.builds(
        Event,
        item=st.integers(0, 5),
        days_ago=st.integers(0, 200).map(float),
        place=st.integers(0, 2),
        session=st.none(),
        value=st.just(0.0),
        kind=st.just(0),
    ),
    max_size=12,
).map(lambda events: sorted(events, key=lambda event: -event.days_ago))


@given(EVENTS, st.integers(1, 3), st.integers(0, 2))
def test_group_habits_are_those_of_each_way_of_grouping_alone(
    events: list[Event], n_groupings: int, place: int
) -> None:
    past, moment, table = history(*events), now(place), items(n_groupings)
    candidates = np.array([5, 0, 2, 3])
    age = (moment.at_unix_s - past.at_unix_s) / DAY_S
    visits = visits_of(past, age, moment)
    known, event_row = np.unique(past.item, return_inverse=True)
    row, _ = rows_in(known, candidates)
    item = Habit.of(event_row, len(known), age, visits)
    found = np.stack(group_columns(item, row, past, age, visits, candidates, table))
    expected = []
    here = 0.5 ** (visits.age_days / HALF_LIVES_DAYS[-1]) * visits.here
    for codes, n in zip(table.groups, table.n_groups, strict=True):
        key, own = codes[past.item], codes[candidates]
        habit = Habit.of(key, n, age, visits)
        of_visits = [(0.5 ** (visits.age_days / h)).sum() + 0.5 for h in HALF_LIVES_DAYS]
        hits = np.bincount(key, here[visits.of_event], n)
        expected += [
            np.log1p(np.bincount(key, minlength=n)[own]),
            *(w[own] / v for w, v in zip(habit.weights, of_visits, strict=True)),
            np.log1p(habit.last_days[own]),
            habit.due(own),
            item.weights[-1][row] / (habit.weights[-1][own] + 0.1),
            hits[own] / (here.sum() + 0.5),
        ]
    assert len(found) == n_groupings * len(GROUP_FEATURES)
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-9, atol=1e-12)


@given(EVENTS)
def test_a_habit_counts_by_hand(events: list[Event]) -> None:
    past, moment = history(*events), now()
    age = (moment.at_unix_s - past.at_unix_s) / DAY_S
    habit = Habit.of(past.item, 6, age, visits_of(past, age, moment))
    for item in range(6):
        ages = [event.days_ago for event in events if event.item == item]
        assert habit.count[item] == len(ages)
        assert habit.last_days[item] == min(ages, default=999.0)
        assert habit.first_days[item] == max(ages, default=0.0)
        for weight, half_life in zip(habit.weights, HALF_LIVES_DAYS, strict=True):
            expected = sum(0.5 ** (days / half_life) for days in ages)
            np.testing.assert_allclose(weight[item], expected, rtol=1e-12)
