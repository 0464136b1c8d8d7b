"""Blending by hand: shares, powers, and rows that only one list holds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from retrieval.candidates import Channel
from retrieval.hybrid import blend


def channel(rows: list[int], scores: list[float]) -> Channel:
    return Channel("any", np.array(rows, np.int64), np.array(scores, np.float32))


def test_the_sum_by_hand() -> None:
    near, told = channel([3, 1, 7], [0.8, 0.6, 0.2]), channel([1, 9], [0.5, 1.4])
    got = blend("both", near, told, 4, words_share=0.5, words_power=2)
    # 9 was found by words alone: the lowest cosine of the list, and a full match at most.
    assert_array_equal(got.rows, [9, 1, 3, 7])
    assert_allclose(
        got.scores,
        [0.5 * 0.2 + 0.5 * 1.0**2, 0.5 * 0.6 + 0.5 * 0.5**2, 0.5 * 0.8, 0.5 * 0.2],
        rtol=1e-6,
    )


def test_a_full_match_of_the_words_beats_the_nearest_that_shares_half() -> None:
    near, told = channel([1, 2], [0.9, 0.1]), channel([2, 1], [1.0, 0.5])
    assert blend("both", near, told, 2).rows[0] == 2


def test_shares_of_nothing_and_of_all_are_the_lists_themselves() -> None:
    near, told = channel([3, 1], [0.8, 0.6]), channel([1, 3], [0.9, 0.2])
    assert_array_equal(blend("both", near, told, 2, words_share=0.0).rows, [3, 1])
    assert_array_equal(blend("both", near, told, 2, words_share=1.0).rows, [1, 3])


def test_an_empty_list_leaves_the_order_of_the_other() -> None:
    near, none = channel([3, 1], [0.8, -0.6]), channel([], [])
    assert_array_equal(blend("both", near, none, 5).rows, [3, 1])
    assert_array_equal(blend("both", none, near, 5).rows, [3, 1])
    assert len(blend("both", none, none, 5).rows) == 0


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"words_share: got 1\.5"):
        blend("both", channel([], []), channel([], []), 1, words_share=1.5)
