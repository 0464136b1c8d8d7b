"""What speaks for a candidate, summed by hand."""

from __future__ import annotations

import numpy as np
from corner_shop import Event, history
from hypothesis import given
from hypothesis import strategies as st

from retrieval.neighbours import Neighbours
from retrieval.rerank.goes_with import SCALE, write_goes_with
from retrieval.rerank.records import Floats, History
from retrieval.rerank.taken import taken_of

TABLE = Neighbours(
    np.array([[1, 2], [0, 2], [0, 0]], np.int32),
    np.array([[0.3, 0.1], [0.2, 0.0], [0.0, 0.0]], np.float32),
)
"""For 0 speak 1 and, less, 2; for 1 speaks 0; for 2 nothing does."""


def column(past: History, candidates: list[int], table: Neighbours = TABLE) -> Floats:
    features = np.zeros((len(candidates), 3), np.float32)
    taken = taken_of(past.item, np.array(candidates, np.int64), 6)
    assert write_goes_with(features, 1, taken, table) == 2
    assert not features[:, [0, 2]].any()
    return features[:, 1]


def test_every_item_that_was_taken_speaks_by_how_often_it_was() -> None:
    past = history(Event(0, 9), Event(0, 5), Event(1, 5))
    twice, once = np.log(3), np.log(2)
    expected = [once * 0.3, twice * 0.2, 0]
    found = column(past, [0, 1, 2])
    np.testing.assert_allclose(found, np.log1p(SCALE * np.array(expected)), rtol=1e-5)


def test_items_that_came_since_neither_speak_nor_are_spoken_for() -> None:
    past = history(Event(5, 3), Event(1, 2))
    found = column(past, [0, 3, 4])  # the table ends before 3
    np.testing.assert_allclose(found[0], np.log1p(SCALE * np.log(2) * 0.3), rtol=1e-5)
    assert np.isnan(found[1:]).all()
    assert column(history(), [0]).tolist() == [0]


def test_a_world_that_knows_no_table_has_no_column() -> None:
    features = np.zeros((1, 1), np.float32)
    taken = taken_of(history(Event(0, 1)).item, np.array([0]), 6)
    assert write_goes_with(features, 0, taken, None) == 0
    assert features.tolist() == [[0]]


@given(st.lists(st.integers(0, 5), max_size=9), st.integers(0, 2**32 - 1))
def test_the_sum_is_that_of_whole_arrays(items: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = Neighbours(
        rng.integers(0, 6, (6, 4)).astype(np.int32), rng.random((6, 4), dtype=np.float32)
    )
    strength = np.log1p(np.bincount(np.array(items, np.int64), minlength=6))
    expected = np.log1p(SCALE * (table.weight * strength[table.rows]).sum(axis=1))
    found = column(history(*(Event(item, 1) for item in items)), [5, 0, 3], table)
    np.testing.assert_allclose(found, expected[[5, 0, 3]], rtol=1e-5)
