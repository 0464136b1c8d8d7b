"""A history summed item by item."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.totals import decayed, distinct, last_visits_from, totals

EVENTS = st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), max_size=40)


@given(EVENTS)
def test_items_are_distinct_and_their_weights_are_summed(events: list[tuple[int, float]]) -> None:
    item = np.array([i for i, _ in events], np.int64)
    weight = np.array([w for _, w in events], np.float64)
    found, total = totals(item, weight)
    expected, inverse = np.unique(item, return_inverse=True)
    assert found.tolist() == expected.tolist() == distinct(item).tolist()
    summed = np.bincount(inverse, weights=weight, minlength=len(expected))
    assert total.tolist() == summed.tolist()  # added in the same order: the very same numbers


def test_an_event_counts_half_at_the_half_life() -> None:
    ages = np.array([0.0, 30.0, 60.0, -30.0])
    assert decayed(ages, 30).tolist() == pytest.approx([1, 0.5, 0.25, 2])


@given(st.lists(st.integers(-3, 3), max_size=20), st.integers(1, 6))
def test_the_last_visits_begin_where_the_session_changes(sessions: list[int], n: int) -> None:
    begins = [i for i, s in enumerate(sessions) if i == 0 or s != sessions[i - 1]]
    expected = begins[-n:][0] if begins else 0
    assert last_visits_from(np.array(sessions, np.int64), n) == expected
