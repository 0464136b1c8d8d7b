"""What lies in one basket with an item more often than chance: counts, lift and significance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.kernels import kernel
from retrieval.neighbours import overlaps

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

MIN_EVIDENCE = 10.83
"""Likelihood ratio that a pair of independent items reaches once in a thousand (chi-squared)."""
MIN_MEETINGS = 3
"""Baskets with both; fewer prove nothing, however rare the two are."""
MIN_KIN_MEETINGS = 5
"""The same for an item and all of a category."""
PRIOR_BASKETS = 3.0
"""Expected meetings that are added to both sides of a lift, so that two rare items met by luck
have a lift near one."""
MAX_BASKET_ITEMS = 200
"""Larger baskets say little of any pair, and cost the square of their size."""


@dataclass(frozen=True, slots=True)
class Partners:
    """The strongest partners of every item as a padded table, surest first.

    Shapes: ``rows``, ``log_lift`` and ``together`` ``[I, N]``; ``log_lift`` and ``together`` are 0
    where an item has fewer than N partners. ``count`` ``[I]``; ``n_baskets`` is a single number.
    """

    rows: NDArray[np.int32]
    log_lift: Floats
    """Log of how many times as often as by chance the two lie in one basket, shrunk; above 0."""
    together: Floats
    """Baskets that hold both."""
    count: Floats
    """Baskets that hold each item."""
    n_baskets: Ints
    """All baskets: a single number, ``[]`` or ``[1]``."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def log_share(self) -> Floats:
        """Log of the share of all baskets that hold each item, float32 ``[I]``; -inf where none."""
        with np.errstate(divide="ignore"):
            share: Floats = np.log(self.count / np.float32(max(self.n_baskets.item(), 1)))
        return share

    def lifts(self, items: Ints, strength: Floats | None = None) -> Floats:
        """Sum of log lifts over some items, float32 ``[I]``; 0 for partners of none of them.

        With a prior ``log share`` this is the score of naive Bayes: which item the rest of the
        basket holds, given these.

        Args:
            items: int64 ``[H]``.
            strength: float32 ``[H]``, how much each counts; None counts each once.
        """
        weight = self.log_lift[items]  # [H, N]
        if strength is not None:
            weight = weight * strength[:, None]
        summed = np.bincount(
            self.rows[items].ravel(), weights=weight.ravel(), minlength=len(self.rows)
        )
        return summed.astype(np.float32)

    def lifted(self, items: Ints) -> tuple[Ints, Floats]:
        """The partners of some items, int64 ``[N]`` ascending, and their :meth:`lifts` ``[N]``."""
        found = self.rows.take(items, axis=0), self.log_lift.take(items, axis=0)
        partners, total = _lifted(*found, len(self))
        rows = np.sort(partners)
        return rows, total[rows].astype(np.float32)

    def lifts_to(self, item: int, others: Ints) -> Floats:
        """Log lifts of one item with some others, float32 ``[N]``; 0 where they are no partners.

        Args:
            item: Its row; one later than the table has no partners.
            others: int64 ``[N]``, ascending and distinct.
        """
        lifts = np.zeros(len(others), dtype=np.float32)
        if item >= len(self) or not len(others):
            return lifts
        real = self.log_lift[item] > 0
        partner, lift = self.rows[item][real], self.log_lift[item][real]
        at = np.searchsorted(others, partner).clip(max=len(others) - 1)
        asked = others[at] == partner
        lifts[at[asked]] = lift[asked]
        return lifts

    def kin_lifts(self, kin: Ints) -> Floats:
        """Log lifts of some items taken for one, float32 ``[I]``; 0 where they are not sure.

        What few baskets cannot say of an item, those of its whole kind often can.

        Args:
            kin: int64 ``[M]``, the items of one category.
        """
        met = np.bincount(
            self.rows[kin].ravel(), weights=self.together[kin].ravel(), minlength=len(self.rows)
        )
        chance = float(self.count[kin].sum()) * self.count / max(self.n_baskets.item(), 1)
        lift = np.log((met + PRIOR_BASKETS) / (chance + PRIOR_BASKETS))
        return np.where(met >= MIN_KIN_MEETINGS, np.maximum(lift, 0.0), 0.0).astype(np.float32)


@kernel
def _lifted(rows: NDArray[np.int32], log_lift: Floats, n_items: int) -> tuple[Ints, Doubles]:
    """Partners of ``[H, N]`` in any order, and by row ``[I]`` the lifts of those that are."""
    partners, n = np.empty(rows.size, np.int64), 0
    is_partner, total = np.zeros(n_items, np.bool_), np.empty(n_items, np.float64)
    for item in range(len(rows)):
        for at in range(rows.shape[1]):
            lift, partner = log_lift[item, at], rows[item, at]
            if not lift > 0:
                continue
            if not is_partner[partner]:
                is_partner[partner], total[partner] = True, 0.0
                partners[n] = partner
                n += 1
            total[partner] += lift
    return partners[:n], total


def no_partners(n_items: int) -> Partners:
    """The table of a shop without baskets."""
    none = np.zeros((n_items, 0), dtype=np.float32)
    count = np.zeros(n_items, dtype=np.float32)
    return Partners(none.astype(np.int32), none, none, count, np.array(0, dtype=np.int64))


def basket_partners(
    basket: Ints,
    item: Ints,
    n_items: int,
    *,
    n: int = 50,
    on_progress: Callable[[int, int], None] | None = None,
) -> Partners:
    r"""The ``n`` partners of each item whose meeting in baskets is least likely to be chance.

    Pairs are ranked by the log-likelihood ratio of their two-by-two table (Dunning 1993), which
    asks for evidence, not for popularity: what everybody buys meets everything, as often as
    chance would have it. Only pairs that meet more often than by chance are kept.

    .. math:: \text{lift}_{ij} = \frac{c_{ij} + \pi}{c_i c_j / B + \pi}

    Args:
        basket: int64 ``[E]``, which basket each event belongs to.
        item: int64 ``[E]``.
        n_items: I.
        n: Partners kept per item.
        on_progress: Called with rows done and rows in all.
    """
    held = _baskets(basket, item, n_items)
    count = np.asarray(held.sum(axis=0), dtype=np.float64).ravel()
    total = float(max(held.shape[0], 1))
    rows = np.zeros((n_items, n), dtype=np.int32)
    lift = np.zeros((n_items, n), dtype=np.float32)
    together = np.zeros((n_items, n), dtype=np.float32)
    for owner, other, met in overlaps(held, on_progress):
        often = (met >= MIN_MEETINGS) & (other != owner)
        other, met = other[often], met[often].astype(np.float64)
        evidence = likelihood_ratio(met, count[owner], count[other], total)
        chance = count[owner] * count[other] / total
        sure = np.flatnonzero((met > chance) & (evidence >= MIN_EVIDENCE))
        best = sure[np.argsort(-evidence[sure], kind="stable")[:n]]
        rows[owner, : len(best)] = other[best]
        lift[owner, : len(best)] = np.log(
            (met[best] + PRIOR_BASKETS) / (chance[best] + PRIOR_BASKETS)
        )
        together[owner, : len(best)] = met[best]
    n_baskets = np.array(held.shape[0], dtype=np.int64)
    return Partners(rows, lift, together, count.astype(np.float32), n_baskets)


def likelihood_ratio(both: Doubles, one: float, other: Doubles, total: float) -> Doubles:
    r"""Dunning's G² of two items' independence, float64 ``[N]``; 0 where they are independent.

    .. math:: G^2 = 2 \sum_{cells} o \log (o / e)

    Args:
        both: Baskets with both, ``[N]``.
        one: Baskets with the first.
        other: Baskets with the second, ``[N]``.
        total: All baskets.
    """
    cells = (both, one - both, other - both, total - one - other + both)
    expected = (
        one * other / total,
        one * (total - other) / total,
        (total - one) * other / total,
        (total - one) * (total - other) / total,
    )
    ratio = np.zeros(len(both), dtype=np.float64)
    for observed, chance in zip(cells, expected, strict=True):
        there = observed > 0
        ratio[there] += observed[there] * np.log(observed[there] / chance[there])
    return 2 * np.maximum(ratio, 0.0)


def _baskets(basket: Ints, item: Ints, n_items: int) -> sparse.csr_matrix:
    """Which basket holds what, ``[B, I]`` of ones: baskets that can tell of a pair, or count."""
    numbers, row = np.unique(basket, return_inverse=True)
    pairs = np.unique(row * max(n_items, 1) + item)
    row, column = pairs // max(n_items, 1), pairs % max(n_items, 1)
    small = np.bincount(row, minlength=len(numbers))[row] <= MAX_BASKET_ITEMS
    ones = np.ones(int(small.sum()), dtype=np.float32)
    return sparse.csr_matrix(
        (ones, (row[small], column[small])), shape=(len(numbers), n_items), dtype=np.float32
    )
