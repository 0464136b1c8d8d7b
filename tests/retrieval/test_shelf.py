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


@given(MASKS, st.sets(st.integers(0, N_ITEMS - 1)))
def test_places_are_where_the_rows_stand(allowed: np.ndarray, asked: set[int]) -> None:
    shelf = shelf_of(WORLD, allowed)
    rows = np.array(sorted(asked), np.int64)
    assert shelf.rows[shelf.places(rows)].tolist() == [r for r in rows.tolist() if allowed[r]]


def test_a_shelf_holds_what_its_items_sold_and_their_groups() -> None:
    allowed = np.array([True, False, False, True, True, False])
    shelf = shelf_of(WORLD, allowed)
    assert shelf.rows.tolist() == [0, 3, 4]
    assert shelf.sold.tolist() == [1.5, 2.5, 0.5]
    assert shelf.group.tolist() == [0, 1, 2]


def test_a_shelf_is_gathered_once_per_filter() -> None:
    allowed = np.ones(N_ITEMS, np.bool_)
    shelf = shelf_of(WORLD, allowed)
    assert shelf_of(WORLD, allowed) is shelf
    other = shelf_of(WORLD, np.zeros(N_ITEMS, np.bool_))
    assert len(other.rows) == 0
    assert shelf_of(WORLD, allowed).rows.tolist() == shelf.rows.tolist()
