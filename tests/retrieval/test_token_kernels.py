"""Compiled sums of a request against the arrays that they stand for."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.attention import GAP_BUCKETS, gap_bucket
from retrieval.rerank.token_kernels import EDGES, gap_bias, gap_buckets, relate, standardised

DAY_S = 86_400
SECONDS = st.lists(st.integers(-60, 10 * 365 * DAY_S), max_size=30)
"""Ages: the network's clock stands still for a minute, so an event may lie before it."""


def days(seconds: list[int]) -> np.ndarray:
    return (np.array(seconds, np.float64) / DAY_S).astype(np.float32)


@settings(deadline=None)
@given(SECONDS)
def test_buckets_of_ages_are_those_of_the_network(seconds):
    age = days(seconds)
    expected = gap_bucket(torch.from_numpy(age)).numpy()
    np.testing.assert_array_equal(gap_buckets(age, EDGES), expected)


@settings(deadline=None)
@given(SECONDS.map(lambda seconds: sorted(seconds, reverse=True)))
def test_gaps_between_tokens_are_those_of_the_network(seconds):
    age = days(seconds)
    table = np.random.default_rng(0).random((2, GAP_BUCKETS), dtype=np.float32)
    gap = torch.from_numpy(np.abs(age[:, None] - age))
    np.testing.assert_array_equal(gap_bias(age, table, EDGES), table[:, gap_bucket(gap).numpy()])


def test_gaps_need_no_order():
    age = days([5 * DAY_S, 90, 400 * DAY_S, 0])
    table = np.random.default_rng(0).random((1, GAP_BUCKETS), dtype=np.float32)
    gap = torch.from_numpy(np.abs(age[:, None] - age))
    np.testing.assert_array_equal(gap_bias(age, table, EDGES), table[:, gap_bucket(gap).numpy()])


def test_relations_by_hand():
    attention = np.zeros((3, 1, 3), np.float32)  # two events, and the scene
    events = np.array([7, 8]), np.array([1, 1])
    candidates = np.array([8, 9, 7]), np.array([1, 1, 2])  # the last: of an item, not its group
    relate(attention, candidates, events, np.array([[[0.5, 4.0]], [[1.0, 2.0]]], np.float32))
    np.testing.assert_array_equal(attention[:, 0], [[1, 6, 0], [1, 2, 0], [0, 0, 0]])


def test_features_are_standardised_and_cut_on_both_sides_by_hand():
    features = np.array([[1, np.nan, 300], [-300, 3, 4.5]], np.float32)
    mean, per_std = np.array([1, 2, 4], np.float32), np.array([1, 0.5, 2], np.float32)
    scaled, marked, marks = standardised(features, mean, per_std, 6.0)
    np.testing.assert_array_equal(scaled, [[0, 0, 6], [-6, 0.5, 1]])
    np.testing.assert_array_equal(marked, [1])  # the one column in which something is missing
    np.testing.assert_array_equal(marks, [[1], [0]])
