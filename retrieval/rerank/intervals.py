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

from retrieval.rerank.interval_kernels import (
    MAX_GAP_DAYS,
    SAME_TAKE_DAYS,
    Doubles,
    Spreads,
    Usual,
    centres,
    fold,
    foretell,
    foretell_one,
    mean_paces,
    paces,
)
from retrieval.rerank.records import DAY_S, Ints
from retrieval.rerank.taken import Taken, taken_of


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

    @property
    def usual(self) -> Usual:
        """What kernels read of each item."""
        return self.log_days, self.variance, self.return_rate

    @property
    def spreads(self) -> Spreads:
        """What kernels read of everybody."""
        return self.pair_variance, self.user_variance, self.loyalty


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
    pair = np.cumsum(first) - 1
    return Pairs(user[first], item[first], *fold(pair, at, int(first.sum())))


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
    row, when = np.arange(len(pairs)), (at_unix_s, horizon_days)
    of_pairs = (pairs.item, pairs.gaps, pairs.sum_log, pairs.last_unix_s)
    pace = _paces(table, pairs)
    return NextNeed(*foretell(row, of_pairs, pace, table.usual, table.spreads, when))


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
        item: int64 ``[H]``, the user's history, in any order.
        at_unix_s: int64 ``[H]``; events at or after ``now_unix_s`` are left out, and so are those
            of items that are newer than the table.
        candidates: int64 ``[C]``.
        now_unix_s: The moment of the request.
        horizon_days: Of ``chance``.
    """
    known = (at_unix_s < now_unix_s) & (item < len(table.log_days))
    if not known.all():
        item, at_unix_s = item[known], at_unix_s[known]
    if (at_unix_s[1:] < at_unix_s[:-1]).any():
        order = np.argsort(at_unix_s, kind="stable")
        item, at_unix_s = item[order], at_unix_s[order]
    n_items = max(len(table.log_days), int(candidates.max(initial=-1)) + 1)
    taken = taken_of(item, candidates, n_items)
    return next_need_of(table, taken, at_unix_s, now_unix_s, horizon_days=horizon_days)


def next_need_of(
    table: IntervalTable,
    taken: Taken,
    at_unix_s: Ints,
    now_unix_s: int,
    *,
    horizon_days: float = 7.0,
) -> NextNeed:
    """The forecast of :func:`next_need` for a history whose items are numbered.

    Args:
        table: What is usual; knows every item of the history.
        taken: The items of the history, and the candidates among them.
        at_unix_s: int64 ``[H]``, ascending, all before ``now_unix_s``.
        now_unix_s: The moment of the request.
        horizon_days: Of ``chance``.
    """
    when = (now_unix_s, horizon_days)
    events = (taken.of_event, taken.item, at_unix_s)
    told = foretell_one(events, taken.of_candidate, table.usual, table.spreads, when)
    return NextNeed(*told)


def pace_of(table: IntervalTable, pairs: Pairs, mean: Doubles, held: Doubles) -> Doubles:
    """How much slower than usual each pair's user is, ``[P]``, shrunk toward not at all."""
    off = mean - table.log_days[pairs.item]
    return mean_paces(pairs.user, off, held, table.user_variance)


def _paces(table: IntervalTable, pairs: Pairs) -> Doubles:
    """The same by the closed gaps."""
    gaps = (pairs.gaps, pairs.sum_log)
    return paces(pairs.user, pairs.item, gaps, table.usual, table.spreads)


def centre_of(table: IntervalTable, pairs: Pairs) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of the logarithm of each pair's next gap, ``[P]``."""
    gaps = (pairs.gaps, pairs.sum_log)
    return centres(pairs.item, gaps, _paces(table, pairs), table.usual, table.spreads)


def returns_of(table: IntervalTable, pairs: Pairs) -> Doubles:
    """Chance that there is a next take at all, as it stood right after the last, ``[P]``."""
    rate = table.return_rate[pairs.item]
    return np.asarray((table.loyalty * rate + pairs.gaps) / (table.loyalty + pairs.gaps))


def log_age_of(pairs: Pairs, at_unix_s: int) -> Doubles:
    """Logarithm of the days since the last take, of half a day at least."""
    age = (at_unix_s - pairs.last_unix_s) / DAY_S
    return np.log(np.clip(age, SAME_TAKE_DAYS, MAX_GAP_DAYS))
