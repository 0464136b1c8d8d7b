"""Reciprocal rank fusion, by hand and by law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.candidates import Channel, merge
from retrieval.fusion import fuse, reciprocal_ranks, within


def channel(name: str, *rows: int) -> Channel:
    """Best first; scores fall from 1 by steps that fusion must not read."""
    return Channel(name, np.array(rows, np.int64), np.linspace(1, 0.5, len(rows), dtype=np.float32))


LISTS = st.lists(
    st.lists(st.integers(0, 30), unique=True, max_size=12), min_size=1, max_size=4
).map(lambda lists: [channel(f"c{i}", *rows) for i, rows in enumerate(lists)])


def test_scores_are_sums_of_reciprocal_ranks() -> None:
    fused = fuse("f", [channel("a", 7, 3), channel("b", 3, 9)], 10, smoothing=60)
    assert fused.name == "f"
    assert fused.rows.tolist() == [3, 7, 9]
    np.testing.assert_allclose(fused.scores, [1 / 62 + 1 / 61, 1 / 61, 1 / 62], rtol=1e-6)


def test_a_weight_of_two_counts_as_two_lists() -> None:
    a, b = channel("a", 1, 2, 3), channel("b", 3, 2)
    twice = fuse("f", [a, b], 9, weights=[2, 1])
    listed_twice = fuse("f", [a, a, b], 9)
    assert twice.rows.tolist() == listed_twice.rows.tolist()
    np.testing.assert_allclose(twice.scores, listed_twice.scores, rtol=1e-6)


def test_equal_scores_go_to_the_lower_row() -> None:
    assert fuse("f", [channel("a", 8), channel("b", 5)], 2).rows.tolist() == [5, 8]


def test_rows_of_no_channel_score_nothing_and_others_are_passed_over() -> None:
    asked = np.array([2, 4], np.int64)
    np.testing.assert_allclose(
        reciprocal_ranks([channel("a", 9, 4)], asked, smoothing=1), [0, 1 / 3], rtol=1e-6
    )


def test_no_list_no_row() -> None:
    assert fuse("f", [], 5).rows.tolist() == []
    assert fuse("f", [channel("a")], 5).rows.tolist() == []


@pytest.mark.parametrize(("weights", "smoothing"), [([1.0, 2.0], 60.0), ([1.0], -1.0)])
def test_weights_and_smoothing_are_checked(weights: list[float], smoothing: float) -> None:
    with pytest.raises(ValueError, match="one weight a channel and a smoothing from 0 on"):
        fuse("f", [channel("a", 1)], 1, weights=weights, smoothing=smoothing)


@given(LISTS, st.integers(1, 20))
def test_fusion_does_not_care_for_the_order_of_lists(lists: list[Channel], n: int) -> None:
    one, other = fuse("f", lists, n), fuse("f", lists[::-1], n)
    assert one.rows.tolist() == other.rows.tolist()
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-6)


@given(LISTS, st.integers(1, 20))
def test_the_best_in_every_list_is_the_best_of_all(lists: list[Channel], n: int) -> None:
    first = [Channel(c.name, np.append(99, c.rows), np.append(2, c.scores)) for c in lists]
    assert fuse("f", first, n).rows[0] == 99


@given(LISTS, st.integers(1, 40))
def test_a_bound_keeps_those_on_which_the_channels_agree(lists: list[Channel], most: int) -> None:
    whole = merge(lists)
    kept = within(whole, most)
    assert kept.rows.tolist() == sorted(fuse("f", lists, most).rows.tolist())
    for row, bits, rank in zip(kept.rows, kept.found_by, kept.best_rank, strict=True):
        at = int(np.flatnonzero(whole.rows == row)[0])
        assert (bits, rank) == (whole.found_by[at], whole.best_rank[at])
        assert kept.origins(row) == whole.origins(row)
