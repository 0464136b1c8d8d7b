"""Channels keep to their quotas, and the union remembers them."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.candidates import MAX_CHANNELS, Channel, merge, top_of, top_open, top_rows
from retrieval.recall import shortlist


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


def test_bits_and_best_ranks_say_what_the_channels_say() -> None:
    found = merge(
        [
            Channel("a", rows(7, 2), scores(2, 1)),
            Channel("b", rows(), scores()),
            Channel("c", rows(9, 5, 2), scores(3, 2, 1)),
        ]
    )
    assert found.rows.tolist() == [2, 5, 7, 9]
    assert found.found_by.dtype == np.uint16
    assert found.found_by.tolist() == [0b101, 0b100, 0b001, 0b100]
    assert found.best_rank.tolist() == [2, 2, 1, 1]


@given(
    st.lists(st.lists(st.integers(0, 40), unique=True, max_size=15), max_size=MAX_CHANNELS),
    st.sets(st.integers(0, 40)),
)
def test_a_candidate_is_what_its_origins_say(proposed: list[list[int]], wanted: set[int]) -> None:
    channels = [
        Channel(f"c{i}", rows(*listed), scores(*range(len(listed), 0, -1)))
        for i, listed in enumerate(proposed)
    ]
    whole = merge(channels)
    for found in (whole, whole.keep(np.isin(whole.rows, list(wanted)))):
        for row, bits, rank in zip(found.rows, found.found_by, found.best_rank, strict=True):
            origins = found.origins(int(row))
            assert [f"c{i}" for i in range(MAX_CHANNELS) if bits >> i & 1] == [
                name for name, _, _ in origins
            ]
            assert rank == min(r for _, r, _ in origins)


def test_a_channel_longer_than_the_table_of_ranks() -> None:
    many = np.arange(3_000, dtype=np.int64)
    found = merge([Channel("a", many[::-1], many.astype(np.float32)[::-1])])
    assert found.best_rank.tolist() == list(range(3_000, 0, -1))


def test_more_channels_than_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="17 channels, expected at most 16"):
        merge([Channel(f"c{i}", rows(i), scores(1)) for i in range(MAX_CHANNELS + 1)])


def test_no_channel_no_candidate() -> None:
    assert merge([]).rows.tolist() == []
    assert merge([Channel("a", rows(), scores())]).rows.tolist() == []


@given(
    st.lists(st.lists(st.integers(0, 60), unique=True, max_size=30), min_size=1, max_size=5),
    st.integers(1, 40),
)
def test_the_shortlist_is_that_of_a_full_sort(proposed: list[list[int]], most: int) -> None:
    names = ("crowd", "history", "week", "words", "popular")
    found = merge(
        [
            Channel(name, rows(*listed), np.zeros(len(listed), np.float32))
            for name, listed in zip(names, proposed, strict=False)
        ]
    )
    rank = np.where(found.found_by & 0b1010, 0, found.best_rank)  # history and words are sure
    n = max(most, np.count_nonzero(rank == 0) + most // 4)
    expected = np.sort(np.argsort(rank, kind="stable")[:n])
    if len(found.rows) <= most:
        expected = np.arange(len(found.rows))
    kept = shortlist(found, most)
    assert kept.rows.tolist() == found.rows[expected].tolist()
    assert kept.best_rank.tolist() == found.best_rank[expected].tolist()


def test_open_rows_are_those_of_the_mask() -> None:
    is_open = np.array([True, False, True, True])
    found = top_open("c", rows(3, 1, 0, 2), scores(1, 9, 2, 2), is_open, 2)
    assert found.rows.tolist() == [0, 2]
    assert found.scores.tolist() == [2, 2]
