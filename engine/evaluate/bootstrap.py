"""How sure a mean is: percentile bootstrap over users.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. Comparisons are
paired: a resample draws the same users for both methods.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def mean_interval(values: PerRequest, resampling: Resampling | None = None) -> Interval:
    """The mean of ``values`` float64 ``[B]`` with its interval."""
    resampling = resampling or Resampling()
    means = _resampled_means(values[:, None], resampling)[:, 0]
    return _interval(float(values.mean()), means, resampling)


def difference_interval(
    ours: PerRequest, theirs: PerRequest, resampling: Resampling | None = None
) -> Interval:
    """Mean of ours less the mean of theirs, both float64 ``[B]`` over the same users."""
    resampling = resampling or Resampling()
    means = _resampled_means(_paired(ours, theirs), resampling)
    return _interval(float(ours.mean() - theirs.mean()), means[:, 0] - means[:, 1], resampling)


def ratio_interval(
    ours: PerRequest, theirs: PerRequest, resampling: Resampling | None = None
) -> Interval:
    """Mean of ours over the mean of theirs, both float64 ``[B]`` over the same users.

    Raises:
        ValueError: The mean of theirs is 0, in the whole or in a resample.
    """
    resampling = resampling or Resampling()
    means = _resampled_means(_paired(ours, theirs), resampling)
    if theirs.mean() == 0.0 or (means[:, 1] == 0.0).any():
        raise ValueError("a ratio to a mean of 0 is not defined: compare by difference_interval")
    return _interval(float(ours.mean() / theirs.mean()), means[:, 0] / means[:, 1], resampling)


def _paired(ours: PerRequest, theirs: PerRequest) -> PerRequest:
    if ours.shape != theirs.shape:
        raise ValueError(f"{ours.shape} against {theirs.shape}: a paired test needs the same users")
    return np.column_stack([ours, theirs])


def _resampled_means(values: PerRequest, resampling: Resampling) -> PerRequest:
    """Column means of each resample, float64 ``[n_resamples, columns]``."""
    n = len(values)
    if n == 0:
        raise ValueError("no user to resample: expected at least 1")
    rng = np.random.default_rng(resampling.seed)
    return np.stack(
        [values[rng.integers(0, n, n)].mean(axis=0) for _ in range(resampling.n_resamples)]
    )


def _interval(estimate: float, draws: PerRequest, resampling: Resampling) -> Interval:
    tail = (1.0 - resampling.level) / 2.0
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return Interval(estimate, float(low), float(high))
