"""The compiled loops find what a full sort finds, ties and all."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from retrieval.strongest import (
    Best,
    first_open,
    strongest,
    strongest_above_zero,
    strongest_of_kinds,
    strongest_open,
)

N = 40
TIED = hnp.arrays(np.float32, N, elements=st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0, 3.0]))
MASKS = hnp.arrays(np.bool_, N)
ORDERS = st.permutations(range(N)).map(lambda rows: np.array(rows, np.int64))
COUNTS = st.integers(0, N + 2)


def sorted_out(rows: np.ndarray, scores: np.ndarray, kept: np.ndarray, n: int) -> Best:
    """The same by a full sort; rows, scores and which of them count, ``[N]`` each."""
    rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:n]
    return rows[order], scores[order]


def assert_same(found: Best, expected: Best) -> None:
    assert found[0].tolist() == expected[0].tolist()
    assert found[1].tolist() == expected[1].tolist()
    assert (found[0].dtype, found[1].dtype) == (np.int64, np.float32)


@given(ORDERS, TIED, MASKS, COUNTS)
def test_any_rows_in_any_order(
    rows: np.ndarray, scores: np.ndarray, is_open: np.ndarray, n: int
) -> None:
    everything = np.ones(N, np.bool_)
    assert_same(strongest(rows, scores, n), sorted_out(rows, scores, everything, n))
    found = strongest_open(rows, scores, is_open, n)
    assert_same(found, sorted_out(rows, scores, is_open[rows], n))


@given(ORDERS, TIED, MASKS, COUNTS, st.integers(0, N))
def test_a_shelf_by_the_scores_of_all_items(
    order: np.ndarray, scores: np.ndarray, is_open: np.ndarray, n: int, size: int
) -> None:
    rows = order[:size]
    found = strongest_above_zero(rows.astype(np.int32), scores, is_open, n)
    assert_same(found, sorted_out(rows, scores[rows], is_open[rows] & (scores[rows] > 0), n))


@given(
    ORDERS,
    hnp.arrays(np.float32, N, elements=st.sampled_from([0.5, 1.5, 2.5, 7.5])),
    hnp.arrays(np.int32, N, elements=st.integers(0, 3)),
    hnp.arrays(np.float32, 4, elements=st.sampled_from([0.0, 0.1, 0.3, 5.0])),
    MASKS,
    hnp.arrays(np.uint8, N, elements=st.sampled_from([0, 1, 6])),
    st.tuples(COUNTS, COUNTS),
)
def test_the_best_of_kinds_and_those_on_offer(
    rows: np.ndarray,
    sold: np.ndarray,
    group: np.ndarray,
    habit: np.ndarray,
    is_open: np.ndarray,
    on_offer: np.ndarray,
    quota: tuple[int, int],
) -> None:
    sold = np.sort(sold)[::-1].copy()
    score = sold * habit[group]
    counts = is_open[rows] & (score > 0)
    shelf = rows.astype(np.int32), sold, group
    best, offers = strongest_of_kinds(shelf, habit, is_open, on_offer, quota)
    assert_same(best, sorted_out(rows, score, counts, quota[0]))
    assert_same(offers, sorted_out(rows, score, counts & (on_offer[rows] > 0), quota[1]))


@given(ORDERS, TIED, MASKS, COUNTS)
def test_the_first_open_ones_keep_their_order(
    rows: np.ndarray, scores: np.ndarray, is_open: np.ndarray, n: int
) -> None:
    found_rows, found = first_open(rows, scores, is_open, n)
    assert found_rows.tolist() == rows[is_open[rows]][:n].tolist()
    assert found.tolist() == scores[is_open[rows]][:n].tolist()


def test_nothing_has_no_best() -> None:
    none, mask = (np.zeros(0, np.int64), np.zeros(0, np.float32)), np.ones(3, np.bool_)
    for found in (strongest(*none, 5), strongest_open(*none, mask, 5), first_open(*none, mask, 5)):
        assert_same(found, none)
