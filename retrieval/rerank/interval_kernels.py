"""The forecast of :mod:`retrieval.rerank.intervals`, pair by pair.

Alphabet: E events, P pairs of a user and an item, I items, R rows asked for.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from retrieval.kernels import kernel
from retrieval.rerank.records import DAY_S, Ints

Doubles = NDArray[np.float64]
Gaps = tuple[Ints, Doubles]
"""Closed gaps of each pair, and the sum of their logarithms; both ``[P]``."""
Usual = tuple[Doubles, Doubles, Doubles]
"""Centre and variance of each item's gaps, and its return rate; all ``[I]``."""
Spreads = tuple[float, float, float]
"""Variance of pairs, variance of users, and loyalty."""

SAME_TAKE_DAYS = 0.5
"""Takes closer than this are one: two receipts of one trip are no rhythm."""
MAX_GAP_DAYS = 3650.0
SURE_FACTOR = 1.5
"""``confidence`` is the chance that a gap lies within this factor of the expected one."""
NUMBERS = 5
"""Of a forecast."""


@kernel
def fold(pair: Ints, at_unix_s: Ints, n_pairs: int) -> tuple[Ints, Doubles, Doubles, Ints]:
    """Fold the events of pairs.

    Args:
        pair: int64 ``[E]``, number of the pair of each event.
        at_unix_s: int64 ``[E]``, ascending within each pair.
        n_pairs: Number P.

    Returns:
        Closed gaps, the sums of their logarithms and of the squares of these, and the second of
        the last take; all ``[P]``.
    """
    gaps, last = np.zeros(n_pairs, np.int64), np.zeros(n_pairs, np.int64)
    sum_log, sum_log_square = np.zeros(n_pairs), np.zeros(n_pairs)
    counted, seen = np.zeros(n_pairs, np.int64), np.zeros(n_pairs, np.bool_)
    for i in range(len(pair)):
        p, at = pair[i], at_unix_s[i]
        if not seen[p]:
            seen[p], counted[p] = True, at
        elif (at - last[p]) / DAY_S >= SAME_TAKE_DAYS:
            # Measured between the takes that count, lest the trips of one day shorten the next gap.
            log_gap = math.log(_gap_days(counted[p], at))
            gaps[p] += 1
            sum_log[p] += log_gap
            sum_log_square[p] += log_gap * log_gap
            counted[p] = at
        last[p] = at
    return gaps, sum_log, sum_log_square, last


@kernel
def _gap_days(from_unix_s: int, to_unix_s: int) -> float:
    """Days between two moments, of half a day at least and ten years at most."""
    return min(max((to_unix_s - from_unix_s) / DAY_S, SAME_TAKE_DAYS), MAX_GAP_DAYS)


@kernel
def mean_paces(user: Ints, off: Doubles, held: Doubles, user_variance: float) -> Doubles:
    """How far each pair's user is off, shrunk toward not at all; float64 ``[P]``.

    Args:
        user: int64 ``[P]``: the pairs of a user follow each other.
        off: float64 ``[P]``, what each pair says of its user.
        held: float64 ``[P]``, how much that weighs; nothing where it is 0.
        user_variance: How far users lie apart.
    """
    pace = np.empty(len(user))
    first, total, weight = 0, 0.0, 1 / user_variance
    for p in range(len(user)):
        if held[p] > 0 and math.isfinite(off[p]):
            total += held[p] * off[p]
            weight += held[p]
        if p + 1 == len(user) or user[p + 1] != user[p]:
            pace[first : p + 1] = total / weight
            first, total, weight = p + 1, 0.0, 1 / user_variance
    return pace


@kernel
def paces(user: Ints, item: Ints, gaps: Gaps, usual: Usual, spreads: Spreads) -> Doubles:
    """How much slower than usual each pair's user is, by the closed gaps; float64 ``[P]``."""
    closed, sum_log = gaps
    log_days, variance, _ = usual
    pair_variance, user_variance, _ = spreads
    # Gathered first: what lies far apart is then waited for together, not one by one.
    off, held = log_days[item], variance[item]
    for p in range(len(item)):
        if closed[p]:
            held[p] = closed[p] / (closed[p] * pair_variance + held[p])
            off[p] = sum_log[p] / closed[p] - off[p]
        else:
            held[p] = 0.0
    return mean_paces(user, off, held, user_variance)


@kernel
def centres(
    item: Ints, gaps: Gaps, pace: Doubles, usual: Usual, spreads: Spreads
) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of the logarithm of each pair's next gap, ``[P]``."""
    closed, sum_log = gaps
    log_days, variance, _ = usual
    centre, spread = np.empty(len(item)), np.empty(len(item))
    for p in range(len(item)):
        prior = log_days[item[p]] + pace[p]
        centre[p], spread[p] = _centre(closed[p], sum_log[p], prior, variance[item[p]], spreads[0])
    return centre, spread


@kernel
def _centre(
    gaps: int, sum_log: float, prior: float, variance: float, pair_variance: float
) -> tuple[float, float]:
    """Mean and standard deviation of the next gap's logarithm: own gaps against what is usual."""
    precision = gaps / variance + 1 / pair_variance
    centre = (sum_log / variance + prior / pair_variance) / precision
    return centre, math.sqrt(variance + 1 / precision)


@kernel
def foretell_one(
    events: tuple[Ints, Ints, Ints],
    row: Ints,
    usual: Usual,
    spreads: Spreads,
    when: tuple[int, float],
) -> Doubles:
    """The forecast of some pairs of one user, from the user's events.

    Args:
        events: Number of the pair of each, int64 ``[E]``; item of each pair, int64 ``[P]``;
            moment of each event, int64 ``[E]``, ascending.
        row: int64 ``[R]``; as of :func:`foretell`.
        usual: What is usual.
        spreads: How far pairs and users lie apart.
        when: The moment in unix seconds, and the days of the chance.

    Returns:
        As :func:`foretell`.
    """
    pair, item, at_unix_s = events
    gaps, sum_log, _, last = fold(pair, at_unix_s, len(item))
    pace = paces(np.zeros_like(item), item, (gaps, sum_log), usual, spreads)
    return foretell(row, (item, gaps, sum_log, last), pace, usual, spreads, when)


@kernel
def foretell(
    row: Ints,
    pairs: tuple[Ints, Ints, Doubles, Ints],
    pace: Doubles,
    usual: Usual,
    spreads: Spreads,
    when: tuple[int, float],
) -> Doubles:
    """The forecast of some pairs.

    Args:
        row: int64 ``[R]``, rows of the pairs; what lies outside them has no forecast.
        pairs: Item, closed gaps, the sum of their logarithms and the last take of each, ``[P]``.
        pace: Of :func:`paces`.
        usual: What is usual.
        spreads: How far pairs and users lie apart.
        when: The moment in unix seconds, and the days of the chance.

    Returns:
        float64 ``[NUMBERS, R]``: interval, days until due, wait, chance and confidence; NaN where
        there is no forecast.
    """
    item, gaps, sum_log, last = pairs
    log_days, variances, rates = usual
    pair_variance, _, loyalty = spreads
    now_unix_s, horizon_days = when
    told = np.full((NUMBERS, len(row)), math.nan)
    for r in range(len(row)):  # gathered first, as above
        if 0 <= row[r] < len(item):
            i = item[row[r]]
            told[0, r], told[1, r], told[2, r] = log_days[i], variances[i], rates[i]
    for r in range(len(row)):
        if math.isnan(told[0, r]):
            told[:, r] = math.nan
            continue
        p = row[r]
        prior, variance, rate = told[0, r] + pace[p], told[1, r], told[2, r]
        centre, spread = _centre(gaps[p], sum_log[p], prior, variance, pair_variance)
        age = _gap_days(last[p], now_unix_s)
        returns = (loyalty * rate + gaps[p]) / (loyalty + gaps[p])
        open_now = _normal_cdf((centre - math.log(age)) / spread)
        open_then = _normal_cdf((centre - math.log(age + horizon_days)) / spread)
        half = math.exp(centre - spread * _lower_quantile(max(open_now / 2, 1e-300)))
        told[0, r] = math.exp(centre)
        told[1, r] = told[0, r] - age
        told[2, r] = max(half - age, 0.0)
        told[3, r] = returns * (open_now - open_then) / (returns * open_now + 1 - returns)
        told[4, r] = 2 * _normal_cdf(math.log(SURE_FACTOR) / spread) - 1
    return told


@kernel
def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@kernel
def _lower_quantile(p: float) -> float:
    """Quantile of the normal at p in (0, 0.5], within 2e-9 (P. J. Acklam's rational functions)."""
    if p < 0.02425:
        q = math.sqrt(-2 * math.log(p))
        top = -7.784894002430293e-03 * q - 3.223964580411365e-01
        top = ((top * q - 2.400758277161838) * q - 2.549732539343734) * q
        top = (top + 4.374664141464968) * q + 2.938163982698783
        low = (7.784695709041462e-03 * q + 3.224671290700398e-01) * q + 2.445134137142996
        return top / ((low * q + 3.754408661907416) * q + 1)
    q = p - 0.5
    r = q * q
    top = (-3.969683028665376e01 * r + 2.209460984245205e02) * r - 2.759285104469687e02
    top = ((top * r + 1.383577518672690e02) * r - 3.066479806614716e01) * r + 2.506628277459239
    low = (-5.447609879822406e01 * r + 1.615858368580409e02) * r - 1.556989798598866e02
    return top * q / (((low * r + 6.680131188771972e01) * r - 1.328068155288572e01) * r + 1)
