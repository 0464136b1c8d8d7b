"""Paired tests against scipy, against all swaps, and against what they promise."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from engine.evaluate.bootstrap import Resampling, difference_interval, mean_interval
from engine.evaluate.significance import bootstrap_p_value, paired_test, permutation_p_value


def mean_difference(x, y, axis):
    return np.mean(x, axis=axis) - np.mean(y, axis=axis)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8))
def test_few_users_are_swapped_in_every_way(seed, n):
    ours, theirs = np.random.default_rng(seed).random((2, n))
    differences = ours - theirs
    swaps = [np.dot(signs, differences) for signs in product((-1, 1), repeat=n)]
    reached = np.mean(np.abs(swaps) >= abs(differences.sum()) - 1e-12)
    assert permutation_p_value(ours, theirs) == pytest.approx(reached)
    known = permutation_test((ours, theirs), mean_difference, permutation_type="samples",
                             n_resamples=np.inf, vectorized=True)  # fmt: skip
    assert permutation_p_value(ours, theirs) == pytest.approx(known.pvalue, abs=1e-9)


def test_many_users_agree_with_scipy_as_far_as_draws_do():
    rng = np.random.default_rng(0)
    theirs = rng.random(300)
    ours = theirs + rng.normal(0.01, 0.1, 300)
    known = permutation_test((ours, theirs), mean_difference, permutation_type="samples",
                             n_resamples=4000, rng=1, vectorized=True).pvalue  # fmt: skip
    draws = Resampling(n_resamples=4000)
    assert 0.01 < known < 0.5
    assert permutation_p_value(ours, theirs, draws) == pytest.approx(known, abs=0.03)
    assert bootstrap_p_value(ours, theirs, draws) == pytest.approx(known, abs=0.03)


@pytest.mark.parametrize("test", [permutation_p_value, bootstrap_p_value])
def test_equal_methods_are_called_different_as_seldom_as_it_says(test):
    rng = np.random.default_rng(1)
    called = sum(
        test(*rng.random((2, 60)), Resampling(n_resamples=200, seed=seed)) <= 0.1
        for seed in range(200)
    )
    assert 8 <= called <= 34


@pytest.mark.parametrize("test", [permutation_p_value, bootstrap_p_value])
def test_a_sure_difference_has_the_least_p_that_the_draws_can_tell(test):
    theirs = np.random.default_rng(0).random(50)
    assert test(theirs + 0.2, theirs, Resampling(n_resamples=400)) == pytest.approx(1 / 401)
    assert test(theirs, theirs) == 1


def test_a_test_tells_all_that_is_to_be_told():
    theirs = np.array([0.1, 0.5, 0.5, 0.9, 0.2])
    found = paired_test(np.array([0.3, 0.5, 0.6, 0.8, 0.6]), theirs)
    assert found.difference.estimate == pytest.approx(0.6 / 5)
    assert (found.n_users, found.n_better, found.n_worse) == (5, 3, 1)
    # The sum is 0.6: of the swaps of 0.2, 0.1, -0.1 and 0.4 those of 0.6 and 0.8 reach it.
    assert found.p_permutation == pytest.approx(6 / 16)


def test_other_requests_are_refused():
    with pytest.raises(ValueError, match="same users"):
        paired_test(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="no user"):
        permutation_p_value(np.empty(0), np.empty(0))
    with pytest.raises(ValueError, match="one each"):
        mean_interval(np.ones(3), user=np.array([1, 2]))


def test_requests_of_one_user_are_drawn_together():
    rng = np.random.default_rng(0)
    each, user = rng.random(40), np.repeat(np.arange(40), 25)
    # Every user asks 25 times and is served alike: no more is known than of 40 requests.
    once, often = mean_interval(each), mean_interval(each[user], user=user)
    careless = mean_interval(each[user])
    assert often.estimate == pytest.approx(once.estimate)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=1e-9)
    assert careless.high - careless.low < (often.high - often.low) / 3
    gain = rng.normal(0.02, 0.1, 40)
    p_once = permutation_p_value(each + gain, each)
    assert permutation_p_value((each + gain)[user], each[user], user=user) == p_once
    apart = difference_interval((each + gain)[user], each[user], user=user)
    assert apart.low == pytest.approx(difference_interval(each + gain, each).low)


def test_users_who_ask_more_often_weigh_more():
    values, user = np.array([1.0, 1.0, 1.0, 0.0]), np.array([7, 7, 7, 2])
    found = mean_interval(values, user=user)
    assert found.estimate == 3 / 4
    assert (found.low, found.high) == (0, 1)
