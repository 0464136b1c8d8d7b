"""When a user will take an item again: time to the next purchase, with its uncertainty.

The logarithm of a gap between two takes is normal around ``item + user + pair``, and every one
of the three is shrunk: a pair's own gaps toward what is usual for the item and for the user, an
item's toward its group's (empirical Bayes, as in Allenby, Leone and Jen 1999, "A dynamic model of
purchase timing with application to direct marketing"). Whether there will be a next time at all
is a coin of the item, which each return of the user makes likelier (the beta-geometric dropout of
Fader, Hardie and Lee 2005, "Counting your customers the easy way"); repeat customers and their
rhythm are told apart as in Bhagat et al. 2018, "Buy it again: modeling repeat purchase
recommendations". The gap that is still open counts too: it is longer than it is old, or has no
end. Learned in :mod:`retrieval.rerank.interval_fit`.

Alphabet: E events, P pairs of a user and an item, I items, C candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from retrieval.rerank.records import DAY_S, Ints

Doubles = NDArray[np.float64]

SAME_TAKE_DAYS = 0.5
"""Takes closer than this are one: two receipts of one trip are no rhythm."""
MAX_GAP_DAYS = 3650.0
SURE_FACTOR = 1.5
"""``confidence`` is the chance that a gap lies within this factor of the expected one."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What each user did with each item, all ``[P]``, ordered by user and item."""

    user: Ints
    item: Ints
    gaps: Ints
    """Closed gaps: takes less one."""
    sum_log: Doubles
    """Of the gaps in days."""
    sum_log_square: Doubles
    last_unix_s: Ints

    def __len__(self) -> int:
        return len(self.item)


@dataclass(frozen=True, slots=True)
class IntervalTable:
    """What is usual, learned from everybody. Days enter as natural logarithms."""

    log_days: Doubles
    """``[I]``: centre of an item's gaps; NaN for an item that nobody ever took twice."""
    variance: Doubles
    """``[I]``: of one gap around the centre of its pair."""
    return_rate: Doubles
    """``[I]``: chance that a first take is followed by another, in (0, 1)."""
    pair_variance: float
    """How far pairs lie from their item and user."""
    user_variance: float
    """How far users lie from the items' centres."""
    loyalty: float
    """Takes that ``return_rate`` is worth against a pair's own returns."""


@dataclass(frozen=True, slots=True)
class NextNeed:
    """The forecast of each row, float64 of its length; NaN where there is none."""

    interval_days: Doubles
    """The gap to expect after a take: the median."""
    due_in_days: Doubles
    """``interval_days`` less the days since the last take; negative is overdue."""
    wait_days: Doubles
    """Median of what remains, if the user does return; never negative."""
    chance: Doubles
    """P(taken within the horizon)."""
    confidence: Doubles
    """Chance that a gap lies within ``SURE_FACTOR`` of ``interval_days``, in (0, 1)."""


def pairs_of(user: Ints, item: Ints, at_unix_s: Ints) -> Pairs:
    """Fold events into pairs.

    Args:
        user: int64 ``[E]``, in any order.
        item: int64 ``[E]``.
        at_unix_s: int64 ``[E]``; whoever forecasts leaves out what came later.
    """
    order = np.lexsort((at_unix_s, item, user))
    user, item, at = user[order], item[order], at_unix_s[order]
    first = np.ones(len(item), dtype=np.bool_)
    first[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    days = np.diff(at, prepend=at[:1]) / DAY_S
    keep = first | (days >= SAME_TAKE_DAYS)
    pair = np.cumsum(first) - 1
    n_pairs = int(first.sum())
    # Measured between the takes that count, lest the trips of one day shorten the next gap.
    kept_at, kept_first, kept_pair = at[keep], first[keep], pair[keep]
    gap = np.diff(kept_at, prepend=kept_at[:1]) / DAY_S
    closed = ~kept_first
    log_gap = np.log(np.clip(gap[closed], SAME_TAKE_DAYS, MAX_GAP_DAYS))
    of = kept_pair[closed]
    last = np.zeros(n_pairs, dtype=np.int64)
    last[pair] = at
    return Pairs(
        user=user[first],
        item=item[first],
        gaps=np.bincount(of, minlength=n_pairs),
        sum_log=np.bincount(of, log_gap, n_pairs).astype(np.float64),
        sum_log_square=np.bincount(of, log_gap**2, n_pairs).astype(np.float64),
        last_unix_s=last,
    )


def forecast(
    table: IntervalTable, pairs: Pairs, at_unix_s: int, *, horizon_days: float = 7.0
) -> NextNeed:
    """When each pair's next take is due, seen from a moment.

    Args:
        table: What is usual.
        pairs: Every pair of the users in question: a user's other items tell the user's pace.
        at_unix_s: The moment; no take may lie after it.
        horizon_days: Of ``chance``.
    """
    centre, spread = centre_of(table, pairs)
    log_age = log_age_of(pairs, at_unix_s)
    age = np.exp(log_age)
    returns = returns_of(table, pairs)
    open_now = ndtr(-(log_age - centre) / spread)
    open_then = ndtr(-(np.log(age + horizon_days) - centre) / spread)
    interval = np.exp(centre)
    half = np.exp(centre - spread * ndtri(np.clip(open_now / 2, 1e-300, 0.5)))
    return NextNeed(
        interval_days=interval,
        due_in_days=interval - age,
        wait_days=np.maximum(half - age, 0.0),
        chance=returns * (open_now - open_then) / (returns * open_now + 1 - returns),
        confidence=np.where(np.isnan(centre), np.nan, 2 * ndtr(np.log(SURE_FACTOR) / spread) - 1),
    )


def next_need(
    table: IntervalTable,
    item: Ints,
    at_unix_s: Ints,
    candidates: Ints,
    now_unix_s: int,
    *,
    horizon_days: float = 7.0,
) -> NextNeed:
    """One user's forecast for each candidate; NaN for what the user never took.

    Args:
        table: What is usual.
        item: int64 ``[H]``, the user's history.
        at_unix_s: int64 ``[H]``; events at or after ``now_unix_s`` are left out.
        candidates: int64 ``[C]``.
        now_unix_s: The moment of the request.
        horizon_days: Of ``chance``.
    """
    before = at_unix_s < now_unix_s
    item, at_unix_s = item[before], at_unix_s[before]
    pairs = pairs_of(np.zeros(len(item), dtype=np.int64), item, at_unix_s)
    told = forecast(table, pairs, now_unix_s, horizon_days=horizon_days)
    row = np.searchsorted(pairs.item, candidates)
    row = np.minimum(row, max(len(pairs) - 1, 0))
    known = pairs.item[row] == candidates if len(pairs) else np.zeros(len(candidates), np.bool_)

    def at(values: Doubles) -> Doubles:
        found = np.full(len(candidates), np.nan)
        found[known] = values[row[known]]
        return found

    return NextNeed(
        at(told.interval_days),
        at(told.due_in_days),
        at(told.wait_days),
        at(told.chance),
        at(told.confidence),
    )


def pace_of(table: IntervalTable, pairs: Pairs, mean: Doubles, held: Doubles) -> Doubles:
    """How much slower than usual each pair's user is, ``[P]``, shrunk toward not at all."""
    _, user = np.unique(pairs.user, return_inverse=True)
    off = np.where(held > 0, mean - table.log_days[pairs.item], 0.0)
    known = np.isfinite(off)
    total = np.bincount(user[known], (held * off)[known])
    weight = np.bincount(user[known], held[known])
    pace = np.zeros(int(user.max()) + 1 if len(user) else 0)
    pace[: len(total)] = total / (weight + 1 / table.user_variance)
    return np.asarray(pace[user])


def centre_of(table: IntervalTable, pairs: Pairs) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of the logarithm of each pair's next gap, ``[P]``."""
    variance = table.variance[pairs.item]
    seen = np.maximum(pairs.gaps, 1)
    mean = pairs.sum_log / seen
    held = pairs.gaps / (pairs.gaps * table.pair_variance + variance)
    prior = table.log_days[pairs.item] + pace_of(table, pairs, mean, held)
    precision = pairs.gaps / variance + 1 / table.pair_variance
    centre = (pairs.sum_log / variance + prior / table.pair_variance) / precision
    return centre, np.sqrt(variance + 1 / precision)


def returns_of(table: IntervalTable, pairs: Pairs) -> Doubles:
    """Chance that there is a next take at all, as it stood right after the last, ``[P]``."""
    rate = table.return_rate[pairs.item]
    return np.asarray((table.loyalty * rate + pairs.gaps) / (table.loyalty + pairs.gaps))


def log_age_of(pairs: Pairs, at_unix_s: int) -> Doubles:
    """Logarithm of the days since the last take, of half a day at least."""
    age = (at_unix_s - pairs.last_unix_s) / DAY_S
    return np.log(np.clip(age, SAME_TAKE_DAYS, MAX_GAP_DAYS))
