"""How sure a mean is, and a difference of two: percentile bootstrap over users.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. Comparisons are
paired: a resample draws the same users for both methods. Where users ask more than once, a
resample draws them with all of their requests, as those are no independent draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.interactions import Ints

PerRequest = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the bounds of its interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are drawn; the same settings draw the same users every time."""

    n_resamples: int = 1000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_resamples < 1 or not 0.0 < self.level < 1.0:
            raise ValueError(
                f"n_resamples {self.n_resamples} and level {self.level}: expected at least 1 "
                "and between 0 and 1"
            )


def mean_interval(
    values: PerRequest, resampling: Resampling | None = None, user: Ints | None = None
) -> Interval:
    """The mean of ``values`` float64 ``[B]`` with its interval.

    Args:
        values: One for each request.
        resampling: How the interval is drawn.
        user: Who asked, int64 ``[B]``; None is another user each time.
    """
    return mean_intervals(values[:, None], resampling, user)[0]


def mean_intervals(
    values: PerRequest, resampling: Resampling | None = None, user: Ints | None = None
) -> tuple[Interval, ...]:
    """The mean of every column of ``values`` float64 ``[B, M]``, all over the same draws."""
    resampling = resampling or Resampling()
    draws = resampled_means(values, resampling, user)
    means = values.mean(axis=0)
    return tuple(
        _interval(float(mean), column, resampling)
        for mean, column in zip(means, draws.T, strict=True)
    )


def difference_interval(
    ours: PerRequest,
    theirs: PerRequest,
    resampling: Resampling | None = None,
    user: Ints | None = None,
) -> Interval:
    """Mean of ours less the mean of theirs, both float64 ``[B]`` over the same requests."""
    resampling = resampling or Resampling()
    means = resampled_means(paired(ours, theirs), resampling, user)
    return _interval(float(ours.mean() - theirs.mean()), means[:, 0] - means[:, 1], resampling)


def ratio_interval(
    ours: PerRequest,
    theirs: PerRequest,
    resampling: Resampling | None = None,
    user: Ints | None = None,
) -> Interval:
    """Mean of ours over the mean of theirs, both float64 ``[B]`` over the same requests.

    Raises:
        ValueError: The mean of theirs is 0, in the whole or in a resample.
    """
    resampling = resampling or Resampling()
    means = resampled_means(paired(ours, theirs), resampling, user)
    if theirs.mean() == 0.0 or (means[:, 1] == 0.0).any():
        raise ValueError("a ratio to a mean of 0 is not defined: compare by difference_interval")
    return _interval(float(ours.mean() / theirs.mean()), means[:, 0] / means[:, 1], resampling)


def paired(ours: PerRequest, theirs: PerRequest) -> PerRequest:
    """Both as columns, float64 ``[B, 2]``.

    Raises:
        ValueError: They are of different lengths.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"{ours.shape} against {theirs.shape}: a paired test needs the same users")
    return np.column_stack([ours, theirs])


def resampled_means(
    values: PerRequest, resampling: Resampling, user: Ints | None = None
) -> PerRequest:
    """Column means of each resample of the users, float64 ``[n_resamples, columns]``."""
    if len(values) == 0:
        raise ValueError("no user to resample: expected at least 1")
    rng = np.random.default_rng(resampling.seed)
    sums, counts = by_user(values, user)
    n = len(counts)
    drawn = (rng.integers(0, n, n) for _ in range(resampling.n_resamples))
    # The reduction itself: the methods around it take longer than a few hundred additions.
    add = np.add.reduce
    return np.stack([add(sums[users], axis=0) / add(counts[users]) for users in drawn])


def by_user(values: PerRequest, user: Ints | None) -> tuple[PerRequest, PerRequest]:
    """Sums over each user's requests, float64 ``[U, columns]``, and their number, ``[U]``.

    Raises:
        ValueError: There are not as many users as values.
    """
    if user is None:
        return values, np.ones(len(values))
    if len(user) != len(values):
        raise ValueError(f"{len(user)} users of {len(values)} values: expected one each")
    _, row = np.unique(user, return_inverse=True)
    counts = np.bincount(row).astype(np.float64)
    sums = [np.bincount(row, weights=column) for column in values.T]
    return np.stack(sums, axis=1), counts


def _interval(estimate: float, draws: PerRequest, resampling: Resampling) -> Interval:
    tail = (1.0 - resampling.level) / 2.0
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return Interval(estimate, float(low), float(high))
