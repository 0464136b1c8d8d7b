"""Channels keep to their quotas, and the union remembers them."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.candidates import Channel, merge, top_of, top_rows


def rows(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


SCORED = st.dictionaries(st.integers(0, 60), st.sampled_from([0.0, 0.5, 1.0, 2.0]))


@given(SCORED, st.integers(0, 12), st.randoms(use_true_random=False))
def test_the_best_rows_are_those_of_a_full_sort(
    scored: dict[int, float], n: int, shuffle: Random
) -> None:
    listed = list(scored.items())
    shuffle.shuffle(listed)
    found = top_rows("c", rows(*(r for r, _ in listed)), scores(*(s for _, s in listed)), n)
    expected = sorted(scored, key=lambda r: (-scored[r], r))[:n]
    assert found.rows.tolist() == expected
    assert found.scores.tolist() == [scored[r] for r in expected]


def test_ties_at_the_cut_go_to_the_lower_row() -> None:
    tied = np.ones(100, np.float32)
    assert top_rows("c", np.arange(100)[::-1].copy(), tied, 3).rows.tolist() == [0, 1, 2]


def test_only_allowed_items_above_zero() -> None:
    allowed = np.array([True, True, False, True, True])
    found = top_of("c", scores(0, 0.1, 9, -1, 0.3), allowed, 10)
    assert found.rows.tolist() == [4, 1]


def test_the_union_is_distinct_and_ascending() -> None:
    found = merge(
        [
            Channel("a", rows(7, 2), scores(2, 1)),
            Channel("b", rows(), scores()),
            Channel("c", rows(2, 9, 1), scores(3, 2, 1)),
        ]
    )
    assert found.rows.tolist() == [1, 2, 7, 9]
    assert found.rows.dtype == np.int64


def test_a_candidate_remembers_every_channel_with_its_rank() -> None:
    found = merge([Channel("a", rows(7, 2), scores(2, 1)), Channel("c", rows(2, 9), scores(3, 2))])
    assert found.origins(2) == (("a", 2, 1.0), ("c", 1, 3.0))
    assert found.origins(9) == (("c", 2, 2.0),)
    assert found.origins(4) == ()


def test_no_channel_no_candidate() -> None:
    assert merge([]).rows.tolist() == []
    assert merge([Channel("a", rows(), scores())]).rows.tolist() == []
