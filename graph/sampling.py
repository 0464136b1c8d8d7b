"""What a training step sees: positives by weight, negatives by tempered popularity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.schema import Floats, Ints


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws rows with fixed probabilities, with replacement, in O(log n) each.

    Shapes: ``cumulative`` float64 ``[n]``, rising to 1; ``log_q`` float32 ``[n]``.
    """

    cumulative: NDArray[np.float64]
    log_q: Floats
    """Log-probability of each row; -inf for rows that are never drawn."""

    @classmethod
    def of(cls, weight: NDArray[np.floating], exponent: float = 1.0) -> Sampler:
        """Rows drawn in proportion to ``weight ** exponent``; weight 0 is never drawn.

        Raises:
            ValueError: No weight is positive, or one is negative or not finite.
        """
        weight = np.asarray(weight, np.float64)
        if not (np.isfinite(weight).all() and (weight >= 0).all() and (weight > 0).any()):
            raise ValueError("weights to sample by must be finite, not negative, and not all zero")
        q = np.where(weight > 0, weight, 1.0) ** exponent * (weight > 0)
        q /= q.sum()
        with np.errstate(divide="ignore"):
            return cls(np.cumsum(q), np.log(q).astype(np.float32))

    def draw(self, size: int, rng: np.random.Generator) -> Ints:
        """Rows int64 ``[size]``."""
        last = np.flatnonzero(np.isfinite(self.log_q))[-1]
        found = np.searchsorted(self.cumulative, rng.random(size), side="right")
        rows: Ints = np.minimum(found, last).astype(np.int64)
        return rows
