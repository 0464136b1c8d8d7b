"""Whether one method is better than another on the same requests: two paired tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.evaluate.bootstrap import (
    Interval,
    PerRequest,
    Resampling,
    by_user,
    difference_interval,
    paired,
    resampled_means,
)
from engine.interactions import Ints

_AT_ONCE = 64
"""Permutations at a time, so that memory does not grow with them."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Ours against theirs over the same requests."""

    difference: Interval
    """Mean of ours less the mean of theirs."""
    p_bootstrap: float
    """Share of resamples that stray from the difference as far as it is from 0."""
    p_permutation: float
    """Share of swaps of both methods, user by user, with a difference as large."""
    n_users: int
    n_better: int
    """Users for whom ours is better."""
    n_worse: int


def paired_test(
    ours: PerRequest,
    theirs: PerRequest,
    resampling: Resampling | None = None,
    user: Ints | None = None,
) -> PairedTest:
    """Both tests and the difference with its interval; float64 ``[B]`` over the same requests.

    Args:
        ours: One value for each request.
        theirs: The same of the other method.
        resampling: How many draws, and their seed.
        user: Who asked, int64 ``[B]``; None is another user each time.

    Raises:
        ValueError: The requests are not the same, or there is none.
    """
    difference = difference_interval(ours, theirs, resampling, user)
    gained = by_user((ours - theirs)[:, None], user)[0][:, 0]
    return PairedTest(
        difference,
        bootstrap_p_value(ours, theirs, resampling, user),
        permutation_p_value(ours, theirs, resampling, user),
        n_users=len(gained),
        n_better=int((gained > 0).sum()),
        n_worse=int((gained < 0).sum()),
    )


def bootstrap_p_value(
    ours: PerRequest,
    theirs: PerRequest,
    resampling: Resampling | None = None,
    user: Ints | None = None,
) -> float:
    """Two-sided paired bootstrap test of equal means, float64 ``[B]`` each.

    Efron and Tibshirani 1993, section 16.4, with one added to both counts: resamples of the
    differences, shifted to a mean of 0, that are at least as far from 0 as the difference.
    """
    resampling = resampling or Resampling()
    means = resampled_means(paired(ours, theirs), resampling, user)
    seen = float(ours.mean() - theirs.mean())
    strayed = np.abs(means[:, 0] - means[:, 1] - seen)
    return _share(int(np.count_nonzero(_at_least(strayed, seen))), len(strayed))


def permutation_p_value(
    ours: PerRequest,
    theirs: PerRequest,
    resampling: Resampling | None = None,
    user: Ints | None = None,
) -> float:
    """Two-sided paired randomisation test of equal means, float64 ``[B]`` each.

    Fisher's test as Smucker, Allan and Carterette, "A comparison of statistical significance
    tests for information retrieval evaluation", CIKM 2007, advise it: if the methods were alike,
    their values could be swapped for any user. Exact where every way to swap can be gone through
    within the draws; else drawn, with one added to both counts.

    Raises:
        ValueError: The requests are not the same, or there is none.
    """
    resampling = resampling or Resampling()
    values = paired(ours, theirs)
    if len(values) == 0:
        raise ValueError("no user to compare: expected at least 1")
    sums, _ = by_user((values[:, 0] - values[:, 1])[:, None], user)
    differences = sums[:, 0]
    seen, n = float(differences.sum()), len(differences)
    if n < 63 and 2**n <= resampling.n_resamples:
        kept = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return float(_at_least(np.abs((2 * kept - 1) @ differences), seen).mean())
    rng = np.random.default_rng(resampling.seed)
    reached = 0
    for start in range(0, resampling.n_resamples, _AT_ONCE):
        some = min(_AT_ONCE, resampling.n_resamples - start)
        signs = 2.0 * rng.integers(0, 2, (some, n), dtype=np.int8) - 1.0
        reached += int(_at_least(np.abs(signs @ differences), seen).sum())
    return _share(reached, resampling.n_resamples)


def _at_least(strayed: PerRequest, seen: float) -> np.ndarray:
    """Which are as large as what was seen; sums in another order may differ in the last digits."""
    return strayed >= abs(seen) * (1.0 - 1e-9)


def _share(reached: int, n: int) -> float:
    return (1 + reached) / (1 + n)
