"""What speaks for a candidate, summed by hand."""

from __future__ import annotations

import numpy as np
from corner_shop import Event, history

from retrieval.neighbours import Neighbours
from retrieval.rerank.goes_with import SCALE, goes_with_columns

TABLE = Neighbours(
    np.array([[1, 2], [0, 2], [0, 0]], np.int32),
    np.array([[0.3, 0.1], [0.2, 0.0], [0.0, 0.0]], np.float32),
)
"""For 0 speak 1 and, less, 2; for 1 speaks 0; for 2 nothing does."""


def test_every_item_that_was_taken_speaks_by_how_often_it_was() -> None:
    past = history(Event(0, 9), Event(0, 5), Event(1, 5))
    (column,) = goes_with_columns(past, np.array([0, 1, 2]), TABLE)
    twice, once = np.log(3), np.log(2)
    expected = [once * 0.3, twice * 0.2, 0]
    np.testing.assert_allclose(column, np.log1p(SCALE * np.array(expected)), rtol=1e-5)


def test_items_that_came_since_neither_speak_nor_are_spoken_for() -> None:
    past = history(Event(5, 3), Event(1, 2))
    (column,) = goes_with_columns(past, np.array([0, 4]), TABLE)
    np.testing.assert_allclose(column[0], np.log1p(SCALE * np.log(2) * 0.3), rtol=1e-5)
    assert np.isnan(column[1])
    (alone,) = goes_with_columns(history(), np.array([0]), TABLE)
    assert alone.tolist() == [0]
    assert goes_with_columns(past, np.array([0]), None) == []
