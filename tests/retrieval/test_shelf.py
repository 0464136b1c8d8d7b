"""Items side by side answer as the whole catalogue does, and are gathered once."""

from __future__ import annotations

import numpy as np
from corner_shop import Event, history, trends
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from retrieval.candidates import top_of
from retrieval.recall import Unseen
from retrieval.shelf import shelf_of

WORLD = trends(history(Event(0, 3), Event(3, 2), Event(3, 1)), np.array([0, 0, 1]))
N_ITEMS = 6
MASKS = hnp.arrays(np.bool_, N_ITEMS)
SCORES = hnp.arrays(np.float32, N_ITEMS, elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]))


@given(MASKS, SCORES, st.sets(st.integers(0, N_ITEMS - 1)), st.integers(0, 7))
def test_the_best_are_those_of_the_whole_catalogue(
    allowed: np.ndarray, scores: np.ndarray, taken: set[int], n: int
) -> None:
    rows = np.array(sorted(taken), np.int64)
    unseen = Unseen.of(shelf_of(WORLD, allowed), rows)
    mask = allowed.copy()
    mask[rows] = False
    np.testing.assert_array_equal(unseen.mask, mask)
    found, expected = unseen.best("c", scores, n), top_of("c", scores, mask, n)
    assert found.rows.tolist() == expected.rows.tolist()
    assert found.scores.tolist() == expected.scores.tolist()


def test_a_shelf_holds_what_its_items_sold_and_their_groups_most_first() -> None:
    allowed = np.array([True, False, False, True, True, False])
    shelf = shelf_of(WORLD, allowed)
    assert shelf.rows.tolist() == [3, 0, 4]
    assert shelf.sold.tolist() == [2.5, 1.5, 0.5]
    assert shelf.group.tolist() == [1, 0, 2]


def test_best_sellers_of_a_shelf_are_those_that_may_be_answered() -> None:
    sold = history(*[Event(4, 20)] * 3, *[Event(1, 2)] * 2, Event(0, 1), Event(5, 1))
    world = trends(sold)
    shelf = shelf_of(world, np.array([True, True, True, True, True, False]))
    assert shelf.popular[0][:3].tolist() == [4, 1, 0]
    assert shelf.popular[1][:3].tolist() == [3, 2, 1]
    assert shelf.of_week[0].tolist() == [1, 0, 2, 3, 4]
    assert shelf.of_week[1].tolist() == [2, 1, 0, 0, 0]


def test_a_shelf_is_gathered_once_per_filter() -> None:
    allowed = np.ones(N_ITEMS, np.bool_)
    shelf = shelf_of(WORLD, allowed)
    assert shelf_of(WORLD, allowed) is shelf
    other = shelf_of(WORLD, np.zeros(N_ITEMS, np.bool_))
    assert len(other.rows) == 0
    assert shelf_of(WORLD, allowed).rows.tolist() == shelf.rows.tolist()
