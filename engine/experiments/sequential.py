"""Intervals that stay valid however often one looks.

A confidence interval is right once, at a size chosen beforehand. A confidence sequence holds at
all sizes at once, so that an experiment may be looked at daily and stopped when it has said
enough: Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic
confidence sequences", Annals of Statistics 2021; in the asymptotic form for means with an unknown
variance of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
asymptotic confidence sequences", Annals of Statistics 2024, theorem 2.2. Its p-value is that of a
mixture sequential probability ratio test with a normal mixture (Johari et al., KDD 2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from engine.evaluate.bootstrap import Interval

Doubles = NDArray[np.float64]

TUNED_FOR = 5_000
"""Users at which the sequence is at its tightest; elsewhere it is a little wider, never wrong."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of ``n`` observations with the variance of one of them."""

    value: float
    variance: float
    n: int


def fixed_interval(estimate: Estimate, level: float) -> Interval:
    """The usual normal interval: right if the size was decided before the first look."""
    half = NormalDist().inv_cdf(0.5 + level / 2) * math.sqrt(estimate.variance / estimate.n)
    return Interval(estimate.value, estimate.value - half, estimate.value + half)


def sequential_interval(estimate: Estimate, level: float, tuned_for: int = TUNED_FOR) -> Interval:
    """The interval at this size of a sequence that holds at all sizes with probability ``level``.

    Half its width is ``sigma sqrt(2 (n rho² + 1) / (n rho)² log(sqrt(n rho² + 1) / alpha))``.

    Args:
        estimate: What was seen so far.
        level: Probability that no interval of the sequence misses.
        tuned_for: Size at which it is to be tight; to be chosen before the first look.
    """
    alpha = 1.0 - level
    n, rho2 = estimate.n, _rho2(alpha, tuned_for)
    spread = 2.0 * (n * rho2 + 1.0) / (n**2 * rho2)
    half = math.sqrt(estimate.variance * spread * math.log(math.sqrt(n * rho2 + 1.0) / alpha))
    return Interval(estimate.value, estimate.value - half, estimate.value + half)


def sequential_p(estimate: Estimate, level: float, tuned_for: int = TUNED_FOR) -> float:
    """Least ``alpha`` whose sequence, tuned as for ``level``, leaves out 0 at this size.

    Under no difference it is ever below ``alpha`` with a probability of ``alpha`` at most.
    """
    n, rho2 = estimate.n, _rho2(1.0 - level, tuned_for)
    if estimate.variance == 0.0:
        return 1.0 if estimate.value == 0.0 else 0.0
    told = (n * estimate.value) ** 2 * rho2 / (2.0 * estimate.variance * (n * rho2 + 1.0))
    return min(1.0, math.sqrt(n * rho2 + 1.0) * math.exp(-min(told, 700.0)))


def difference(treated: Doubles, control: Doubles) -> Estimate:
    """Mean of one group less that of the other, float64 ``[n1]`` and ``[n0]``, over all users."""
    n1, n0 = len(treated), len(control)
    variance = treated.var(ddof=1) / n1 + control.var(ddof=1) / n0
    n = n1 + n0
    return Estimate(float(treated.mean() - control.mean()), float(variance * n), n)


def relative_difference(treated: Doubles, control: Doubles) -> Estimate | None:
    """The same as a share of the control's mean, by the delta method; None where that is 0."""
    base = float(control.mean())
    if base == 0.0:
        return None
    ratio = float(treated.mean()) / base
    n1, n0 = len(treated), len(control)
    spread = treated.var(ddof=1) / n1 + ratio**2 * control.var(ddof=1) / n0
    n = n1 + n0
    return Estimate(ratio - 1.0, float(spread / base**2 * n), n)


def sample_ratio_p(counts: Doubles, weights: Doubles) -> float:
    """Probability of counts at least as far from the weights if assignment does what it says.

    Pearson's chi-square. A very small one means that users are lost or counted twice in some
    variant, and that no other figure of the experiment can be trusted: Fabijan et al., "Diagnosing
    Sample Ratio Mismatch in Online Controlled Experiments", KDD 2019.
    """
    expected = counts.sum() * weights / weights.sum()
    if counts.sum() == 0:
        return 1.0
    from scipy.stats import chi2  # a third of what an engine imports, for one test

    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1))


def _rho2(alpha: float, tuned_for: int) -> float:
    told = -2.0 * math.log(alpha)
    return (told + math.log(told + 1.0)) / tuned_for
