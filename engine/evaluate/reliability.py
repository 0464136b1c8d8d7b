"""Whether the probabilities beside a list keep their word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluate.bootstrap import Interval
from engine.evaluate.protocol import Bools

NORMAL_95 = 1.959963984540054
"""Standard deviations within which 95 % of a normal distribution lies."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same probability."""

    chance: float
    """Mean of the probabilities that were told."""
    came_true: Interval
    """Share of them that was taken, with the 95 % interval of Wilson (1927)."""
    n: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """Probabilities against what was taken, over all answers of all lists."""

    bins: tuple[Bin, ...]
    """Of equally many answers, the least likely first."""
    error: float
    """Expected calibration error: mean distance of the bins from the diagonal, by answers."""
    told: float
    """Mean probability."""
    taken: float
    """Share of the answers that was taken."""


def reliability_of(
    chance: NDArray[np.floating], taken: Bools, n_bins: int = 10
) -> Reliability | None:
    """Compare probabilities with what came of them.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI 2015; bins hold equally many answers, since most chances are small.

    Args:
        chance: Float ``[N]``, in [0, 1].
        taken: bool ``[N]``.
        n_bins: Bins at most; one holds at least one answer.

    Returns:
        None where there is no answer.
    """
    if not len(chance):
        return None
    order = np.argsort(chance, kind="stable")
    parts = np.array_split(order, min(n_bins, len(order)))
    bins = tuple(
        Bin(float(chance[part].mean()), _wilson(int(taken[part].sum()), len(part)), len(part))
        for part in parts
    )
    gaps = [abs(b.chance - b.came_true.estimate) * b.n for b in bins]
    return Reliability(
        bins, float(sum(gaps) / len(chance)), float(chance.mean()), float(taken.mean())
    )


def _wilson(hits: int, n: int) -> Interval:
    share, z2 = hits / n, NORMAL_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_95 / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return Interval(share, max(0.0, float(centre - half)), min(1.0, float(centre + half)))
