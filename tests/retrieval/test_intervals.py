"""Time to the next purchase: hand-computed, planted, and true at its limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from retrieval.rerank.interval_fit import fit_intervals
from retrieval.rerank.intervals import (
    IntervalTable,
    Pairs,
    centre_of,
    forecast,
    log_age_of,
    next_need,
    pairs_of,
    returns_of,
)

DAY = 86_400


def ints(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.int64)


WEEKLY = (float(np.log(7.0)),)


def table(log_days=WEEKLY, variance=0.25, returns=0.5) -> IntervalTable:
    n = len(log_days)
    return IntervalTable(
        np.array(log_days), np.full(n, variance), np.full(n, returns), 0.25, 1e-9, 2.0
    )


def test_events_fold_into_pairs_and_one_trip_is_one_take():
    user = ints(1, 0, 0, 0, 0)
    item = ints(5, 5, 5, 5, 2)
    at = (np.array([3.0, 10.0, 0.0, 0.1, 4.0]) * DAY).astype(np.int64)
    pairs = pairs_of(user, item, at)
    assert pairs.user.tolist() == [0, 0, 1]
    assert pairs.item.tolist() == [2, 5, 5]
    assert pairs.gaps.tolist() == [0, 1, 0]
    # The trip at 0.1 days is that of day 0: one gap of ten days, not one of 9.9.
    assert pairs.sum_log == pytest.approx([0, np.log(10), 0])
    assert (pairs.last_unix_s / DAY).tolist() == [4, 10, 3]


def test_a_forecast_by_hand():
    # Two gaps of 14 days; precision of the own gaps 2 / 0.25 = 8, of the prior 1 / 0.25 = 4.
    pairs = pairs_of(ints(0, 0, 0), ints(0, 0, 0), ints(0, 14, 28) * DAY)
    told = forecast(table(), pairs, 35 * DAY)
    centre = (8 * np.log(14) + 4 * np.log(7)) / 12
    spread = np.sqrt(0.25 + 1 / 12)
    assert told.interval_days == pytest.approx([np.exp(centre)], rel=1e-6)
    assert told.due_in_days == pytest.approx([np.exp(centre) - 7], rel=1e-6)

    draws = np.exp(np.random.default_rng(0).normal(centre, spread, 400_000))
    returns = (2 * 0.5 + 2) / (2 + 2)
    still = returns * (draws > 7).mean()
    soon = returns * ((draws > 7) & (draws <= 14)).mean()
    assert told.chance == pytest.approx([soon / (still + 1 - returns)], abs=0.004)
    assert told.wait_days == pytest.approx([np.median(draws[draws > 7]) - 7], abs=0.1)
    near = np.abs(np.log(draws) - centre) < np.log(1.5)
    assert told.confidence == pytest.approx([near.mean()], abs=0.004)


def test_an_item_that_nobody_takes_twice_has_no_forecast():
    user, item = ints(0, 0, 0, 1), ints(0, 0, 1, 1)
    pairs = pairs_of(user, item, ints(0, 7, 3, 5) * DAY)
    learned = fit_intervals(pairs, ints(0, 0, 0), 10 * DAY)
    assert np.isnan(learned.log_days).tolist() == [False, True, True]
    told = next_need(learned, ints(0, 0, 1), ints(0, 7, 3) * DAY, ints(1, 0, 2), 10 * DAY)
    for values in (told.interval_days, told.due_in_days, told.chance, told.confidence):
        assert np.isnan(values).tolist() == [True, False, True]


def test_nothing_is_learned_from_nothing():
    none = ints()
    pairs = pairs_of(none, none, none)
    learned = fit_intervals(pairs, ints(0, 0), DAY)
    assert np.isnan(learned.log_days).all()
    assert np.isnan(next_need(learned, none, none, ints(0, 1), DAY).chance).all()


def test_a_take_after_the_end_is_refused():
    pairs = pairs_of(ints(0), ints(0), ints(5 * DAY))
    with pytest.raises(ValueError, match="expected none after"):
        fit_intervals(pairs, ints(0), 4 * DAY)


def planted(rng: np.random.Generator, n_users: int = 300, end_days: float = 400.0):
    """Milk every 5 days, coffee every 20, a kettle hardly ever again; some users are slow."""
    rows = []
    for user in range(n_users):
        pace = rng.normal(0, 0.3)
        for item, (days, stays) in enumerate([(5, 0.97), (20, 0.9), (60, 0.1)]):
            at = rng.uniform(0, 60)
            while at < end_days:
                rows.append((user, item, at * DAY))
                if rng.random() > stays:
                    break
                at += max(1.0, np.exp(np.log(days) + pace + rng.normal(0, 0.4)))
    user, item, at = np.array(rows).T.astype(np.int64)
    return user, item, at


def test_the_planted_rhythms_are_found():
    user, item, at = planted(np.random.default_rng(1))
    learned = fit_intervals(pairs_of(user, item, at), ints(0, 1, 2), 400 * DAY)
    assert np.exp(learned.log_days[:2]) == pytest.approx([5, 20], rel=0.12)
    assert learned.user_variance == pytest.approx(0.09, rel=0.4)
    assert learned.return_rate[2] < 0.3 < 0.8 < learned.return_rate[1]


def test_chances_come_true_as_often_as_they_say():
    user, item, at = planted(np.random.default_rng(2), n_users=600)
    cut = 300 * DAY
    past = at < cut
    pairs = pairs_of(user[past], item[past], at[past])
    told = forecast(fit_intervals(pairs, ints(0, 1, 2), cut), pairs, cut)
    soon = set(zip(*(x[~past & (at < cut + 7 * DAY)] for x in (user, item)), strict=True))
    came = np.array([pair in soon for pair in zip(pairs.user, pairs.item, strict=True)])
    parts = np.array_split(np.argsort(told.chance), 6)
    gap = [abs(told.chance[part].mean() - came[part].mean()) for part in parts]
    assert np.mean(gap) < 0.04
    assert max(gap) < 0.1


def test_what_comes_after_the_request_changes_nothing():
    user, item, at = planted(np.random.default_rng(3), n_users=30)
    learned = fit_intervals(pairs_of(user, item, at), ints(0, 1, 2), 400 * DAY)
    own = user == 0
    item, at = item[own], at[own]
    now = 200 * DAY
    before = at < now
    whole = next_need(learned, item, at, ints(0, 1, 2), now)
    cut = next_need(learned, item[before], at[before], ints(0, 1, 2), now)
    np.testing.assert_array_equal(whole.chance, cut.chance)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(0, 900)), min_size=1, max_size=30),
    st.floats(0.01, 60),
    st.randoms(),
)
def test_laws_of_a_forecast(takes, horizon, shuffle):
    usual = table(tuple(np.log([3.0, 7, 20, 60, 300])), returns=0.6)
    item = ints(*(i for i, _ in takes))
    at = ints(*(int(days * DAY) for _, days in takes))
    now = 901 * DAY
    candidates = ints(4, 3, 2, 1, 0)
    told = next_need(usual, item, at, candidates, now, horizon_days=horizon)
    later = next_need(usual, item, at, candidates, now, horizon_days=2 * horizon)
    known = np.isin(candidates, item)
    assert (np.isnan(told.chance) == ~known).all()
    assert ((told.chance[known] >= 0) & (told.chance[known] <= 1)).all()
    assert (later.chance[known] >= told.chance[known]).all()
    assert (told.wait_days[known] >= 0).all()
    order = list(range(len(takes)))
    shuffle.shuffle(order)
    mixed = next_need(usual, item[order], at[order], candidates, now, horizon_days=horizon)
    np.testing.assert_allclose(mixed.chance, told.chance)


# What is compiled is what whole arrays say


def slow_pairs(user, item, at_unix_s) -> Pairs:
    order = np.lexsort((at_unix_s, item, user))
    user, item, at = user[order], item[order], at_unix_s[order]
    first = np.ones(len(item), dtype=np.bool_)
    first[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    pair, n = np.cumsum(first) - 1, int(first.sum())
    keep = first | (np.diff(at, prepend=at[:1]) / DAY >= 0.5)
    gap = np.diff(at[keep], prepend=at[keep][:1]) / DAY
    closed = ~first[keep]
    log_gap, of = np.log(np.clip(gap[closed], 0.5, 3650)), pair[keep][closed]
    last = np.zeros(n, np.int64)
    last[pair] = at
    return Pairs(
        user[first],
        item[first],
        np.bincount(of, minlength=n),
        np.bincount(of, log_gap, n),
        np.bincount(of, log_gap**2, n),
        last,
    )


def slow_centre(usual: IntervalTable, pairs: Pairs):
    variance, log_days = usual.variance[pairs.item], usual.log_days[pairs.item]
    held = pairs.gaps / (pairs.gaps * usual.pair_variance + variance)
    off = np.where(held > 0, pairs.sum_log / np.maximum(pairs.gaps, 1) - log_days, 0.0)
    known = np.isfinite(off)
    total = np.bincount(pairs.user[known], (held * off)[known], pairs.user.max() + 1)
    weight = np.bincount(pairs.user[known], held[known], pairs.user.max() + 1)
    prior = log_days + (total / (weight + 1 / usual.user_variance))[pairs.user]
    precision = pairs.gaps / variance + 1 / usual.pair_variance
    centre = (pairs.sum_log / variance + prior / usual.pair_variance) / precision
    return centre, np.sqrt(variance + 1 / precision)


def slow_forecast(usual: IntervalTable, pairs: Pairs, now: int, horizon: float):
    centre, spread = slow_centre(usual, pairs)
    log_age = log_age_of(pairs, now)
    age, returns = np.exp(log_age), returns_of(usual, pairs)
    open_now = ndtr(-(log_age - centre) / spread)
    open_then = ndtr(-(np.log(age + horizon) - centre) / spread)
    half = np.exp(centre - spread * ndtri(np.clip(open_now / 2, 1e-300, 0.5)))
    return (
        np.exp(centre),
        np.exp(centre) - age,
        np.maximum(half - age, 0.0),
        returns * (open_now - open_then) / (returns * open_now + 1 - returns),
        np.where(np.isnan(centre), np.nan, 2 * ndtr(np.log(1.5) / spread) - 1),
    )


TAKES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 900 * DAY)), min_size=1
)


@settings(max_examples=80, deadline=None)
@given(TAKES, st.integers(1, 4000), st.floats(0.01, 60), st.integers(0, 2**32 - 1))
def test_pairs_and_forecasts_are_those_of_whole_arrays(takes, later_days, horizon, seed):
    rng = np.random.default_rng(seed)
    usual = IntervalTable(
        np.where(rng.random(5) < 0.2, np.nan, rng.normal(2, 1.5, 5)),
        *(rng.uniform(0.02, 2, 5), rng.uniform(0.01, 0.99, 5)),
        *rng.uniform(0.01, 1, 2).tolist(),
        2.0,
    )
    user, item, at = np.array(takes, np.int64).T
    pairs, expected = pairs_of(user, item, at), slow_pairs(user, item, at)
    for name in ("user", "item", "gaps", "last_unix_s"):
        np.testing.assert_array_equal(getattr(pairs, name), getattr(expected, name), name)
    for name in ("sum_log", "sum_log_square"):
        np.testing.assert_allclose(getattr(pairs, name), getattr(expected, name), 1e-9, 1e-12)
    for found, slow in zip(centre_of(usual, pairs), slow_centre(usual, pairs), strict=True):
        np.testing.assert_allclose(found, slow, rtol=1e-9, atol=1e-12)
    now = 900 * DAY + later_days * DAY
    told = forecast(usual, pairs, now, horizon_days=horizon)
    named = (told.interval_days, told.due_in_days, told.wait_days, told.chance, told.confidence)
    for found, slow in zip(named, slow_forecast(usual, pairs, now, horizon), strict=True):
        np.testing.assert_allclose(found, slow, rtol=1e-6, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(TAKES)
def test_what_one_user_needs_is_the_forecast_of_a_crowd_of_one(takes):
    _, item, at = np.array(takes, np.int64).T
    usual, now = table(tuple(np.log([3.0, 7, 20, 60, 300]))), 901 * DAY
    crowd = pairs_of(np.zeros_like(item), item, at)
    one, expected = next_need(usual, item, at, crowd.item, now), forecast(usual, crowd, now)
    for name in ("interval_days", "due_in_days", "wait_days", "chance", "confidence"):
        np.testing.assert_allclose(getattr(one, name), getattr(expected, name), 1e-9, 1e-12)
