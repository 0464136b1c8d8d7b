"""Learn how often items are taken again: the fit behind :mod:`retrieval.rerank.intervals`.

Expectation and maximisation over the gaps that are still open, each of which will close one day
or never (a cure model: Farewell 1982, "The use of mixture models for the analysis of survival
data with long-term survivors"), with every centre and spread shrunk toward its group's.

Alphabet: P pairs of a user and an item, I items.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, log_ndtr, ndtr

from retrieval.rerank.interval_kernels import Doubles
from retrieval.rerank.intervals import (
    IntervalTable,
    Pairs,
    centre_of,
    log_age_of,
    pace_of,
    returns_of,
)
from retrieval.rerank.records import Bools, Ints

ITERATIONS = 12
LEAST_LOYALTY, MOST_LOYALTY = 0.25, 256.0
LEAST_VARIANCE = 0.01
SPREAD_STRENGTH = 10.0
"""Gaps that the group's spread is worth beside the item's own."""
RETURN_STRENGTH = 20.0
"""Takes that the group's share of returns is worth beside the item's own."""


def fit_intervals(pairs: Pairs, group: Ints, as_of_unix_s: int) -> IntervalTable:
    """Learn what is usual.

    Args:
        pairs: Of events before ``as_of_unix_s``.
        group: int64 ``[I]``: the category of each item.
        as_of_unix_s: Where the open gaps are cut.

    Raises:
        ValueError: A take lies after ``as_of_unix_s``.
    """
    if len(pairs) and int(pairs.last_unix_s.max()) > as_of_unix_s:
        raise ValueError(
            f"got a take at {int(pairs.last_unix_s.max())}, expected none after {as_of_unix_s}: "
            "leave out later events before pairs_of"
        )
    table = _first_guess(pairs, group)
    repeated = np.bincount(pairs.item, pairs.gaps, len(group)) > 0
    told = repeated[pairs.item]
    if not told.any():
        return table
    heard = _where(pairs, told)
    log_age = log_age_of(heard, as_of_unix_s)
    for _ in range(ITERATIONS):
        table = _refit(table, heard, log_age, group)
    log_days = np.where(repeated, table.log_days, np.nan)
    return IntervalTable(
        log_days,
        table.variance,
        table.return_rate,
        table.pair_variance,
        table.user_variance,
        table.loyalty,
    )


def _first_guess(pairs: Pairs, group: Ints) -> IntervalTable:
    """Everything as in the whole crowd; NaN where nobody ever came back."""
    n = len(group)
    gaps = float(pairs.gaps.sum())
    mean = float(pairs.sum_log.sum()) / gaps if gaps else np.nan
    square = float(pairs.sum_log_square.sum()) / gaps - mean**2 if gaps else 1.0
    share = (gaps + 1) / (gaps + len(pairs) + 2)
    half = max(square / 2, LEAST_VARIANCE)
    return IntervalTable(
        np.full(n, mean), np.full(n, half), np.full(n, share), half / 2, half / 2, 2.0
    )


def _refit(table: IntervalTable, pairs: Pairs, log_age: Doubles, group: Ints) -> IntervalTable:
    """One step of expectation (over the open gaps) and maximisation."""
    centre, spread = centre_of(table, pairs)
    z = (log_age - centre) / spread
    returns = returns_of(table, pairs)
    still = returns * ndtr(-z)
    coming = still / (still + 1 - returns)
    # Mean and second moment of a normal above z (the inverse Mills ratio, stable far out).
    mills = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-z))
    ahead = centre + spread * mills
    beyond = spread**2 * np.maximum(1 + z * mills - mills**2, 0.0)
    weight = pairs.gaps + coming
    mean = (pairs.sum_log + coming * ahead) / weight
    inside = (
        pairs.sum_log_square + coming * (ahead**2 + beyond) - weight * mean**2
    )  # squares around the pair's own mean

    n_items, n_groups = len(group), int(group.max()) + 1
    held = weight / (weight * table.pair_variance + table.variance[pairs.item])
    pace = pace_of(table, pairs, mean, held)
    log_days = _toward_group(pairs.item, mean - pace, held, group, n_groups)
    variance = _spread_of_items(pairs.item, inside, weight, group, n_items, n_groups)
    rate = _return_rates(pairs, coming, group, n_items, n_groups)
    loyalty = _loyalty(table.loyalty, rate[pairs.item], pairs.gaps, coming)
    off = mean - log_days[pairs.item] - pace
    noise = table.variance[pairs.item] / weight
    sure = pairs.gaps > 0
    between = float(np.average((off**2 - noise)[sure], weights=held[sure]))
    people = _variance_of_users(pairs.user, mean - log_days[pairs.item], held)
    return IntervalTable(log_days, variance, rate, max(between, LEAST_VARIANCE), people, loyalty)


def _toward_group(
    item: Ints, value: Doubles, weight: Doubles, group: Ints, n_groups: int
) -> Doubles:
    """Weighted means of items, shrunk toward their group's, and these toward the whole's."""
    n_items = len(group)
    of_item, w_item = np.bincount(item, weight * value, n_items), np.bincount(item, weight, n_items)
    of_group = np.bincount(group, of_item, n_groups)
    w_group = np.bincount(group, w_item, n_groups)
    overall = of_item.sum() / w_item.sum()
    heavy = float(np.median(w_item[w_item > 0]))
    centre = (of_group + heavy * overall) / (w_group + heavy)
    raw = of_item / np.maximum(w_item, 1e-12)
    scatter = np.average((raw - centre[group]) ** 2, weights=w_item)
    noise = float((w_item > 0).sum()) / w_item.sum()
    between = max(float(scatter) - noise, LEAST_VARIANCE)
    return np.asarray((of_item + centre[group] / between) / (w_item + 1 / between))


def _spread_of_items(
    item: Ints, inside: Doubles, weight: Doubles, group: Ints, n_items: int, n_groups: int
) -> Doubles:
    """Variance of a gap around its pair, per item, shrunk toward the group's, ``[I]``."""
    free = np.maximum(weight - 1, 0.0)
    squares = np.bincount(item, inside * (free > 0), n_items)
    degrees = np.bincount(item, free, n_items)
    overall = squares.sum() / max(float(degrees.sum()), 1e-9)
    of_group = np.bincount(group, squares, n_groups) + SPREAD_STRENGTH * overall
    usual = of_group / (np.bincount(group, degrees, n_groups) + SPREAD_STRENGTH)
    found = (squares + SPREAD_STRENGTH * usual[group]) / (degrees + SPREAD_STRENGTH)
    return np.asarray(np.maximum(found, LEAST_VARIANCE))


def _return_rates(
    pairs: Pairs, coming: Doubles, group: Ints, n_items: int, n_groups: int
) -> Doubles:
    """Share of first takes that are followed by another, those still to come included."""
    came = np.where(pairs.gaps > 0, 1.0, coming)
    back = np.bincount(pairs.item, came, n_items)
    takes = np.bincount(pairs.item, minlength=n_items)
    overall = (back.sum() + 1) / (takes.sum() + 2)
    of_group = np.bincount(group, back, n_groups) + RETURN_STRENGTH * overall
    usual = of_group / (np.bincount(group, takes, n_groups) + RETURN_STRENGTH)
    return np.asarray((back + RETURN_STRENGTH * usual[group]) / (takes + RETURN_STRENGTH))


def _loyalty(before: float, rate: Doubles, gaps: Ints, coming: Doubles) -> float:
    """How slowly returns breed returns: the likeliest of half, as before and twice."""

    def likelihood(strength: float) -> float:
        first = strength * rate
        returned = gammaln(first + gaps) - gammaln(first)
        returned -= gammaln(strength + gaps) - gammaln(strength)
        again = (first + gaps) / (strength + gaps)
        open_end = coming * np.log(again) + (1 - coming) * np.log1p(-again)
        return float((returned + open_end).sum())

    near = (before, before / 2, before * 2)
    return max((x for x in near if LEAST_LOYALTY <= x <= MOST_LOYALTY), key=likelihood)


def _variance_of_users(user: Ints, off: Doubles, held: Doubles) -> float:
    """How far users' paces lie apart, beyond what chance explains."""
    _, row = np.unique(user, return_inverse=True)
    weight = np.bincount(row, held)
    mean = np.bincount(row, held * off) / np.maximum(weight, 1e-12)
    scatter = np.average(mean**2, weights=weight)
    noise = len(weight) / weight.sum()
    return max(float(scatter - noise), LEAST_VARIANCE)


def _where(pairs: Pairs, mask: Bools) -> Pairs:
    return Pairs(
        pairs.user[mask],
        pairs.item[mask],
        pairs.gaps[mask],
        pairs.sum_log[mask],
        pairs.sum_log_square[mask],
        pairs.last_unix_s[mask],
    )
