"""What an item still adds to the items above it, on the scale of the score.

Alphabet: N candidates, D width.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.interactions import Floats
from engine.policy_rules import DiversityMethod

Doubles = NDArray[np.float64]

LEAST_VOLUME = 1e-6
"""Residual variance at which an item counts as a copy of those above it."""


class Novelty(Protocol):
    """Follows a list as it grows."""

    def bonus(self) -> Doubles:
        """Logits to add to each candidate's score for the next slot, float64 ``[N]``."""
        ...

    def take(self, at: int) -> None:
        """A candidate has got the slot."""
        ...


class Mmr:
    """Maximal marginal relevance: an item costs what its nearest neighbour above it says.

    Carbonell and Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998, with the
    trade-off as a price in logits instead of a mixture of two scales.
    """

    def __init__(self, vectors: Floats, weight: float) -> None:
        """Begin with an empty list; ``vectors`` are unit or zero rows, float32 ``[N, D]``."""
        self._vectors, self._weight = vectors, weight
        self._nearest = np.zeros(len(vectors))

    def bonus(self) -> Doubles:
        """Never above 0; a cosine below 0 costs nothing and earns nothing."""
        return -self._weight * self._nearest

    def take(self, at: int) -> None:
        """Compare everyone with the new neighbour."""
        np.maximum(self._nearest, self._vectors @ self._vectors[at], out=self._nearest)


class Dpp:
    """Greedy maximum a posteriori inference of a determinantal point process.

    The kernel is ``L[i, j] = q[i] q[j] cos(i, j)`` with ``q = exp(score / (2 weight))``, so that
    the gain of an item in ``weight * log det L`` is its score plus ``weight`` times the log of
    what of its vector those above it do not span. The Cholesky factor grows by a row a slot:
    Chen, Zhang and Zhou, "Fast Greedy MAP Inference for Determinantal Point Process", NeurIPS 2018.
    """

    def __init__(self, vectors: Floats, weight: float) -> None:
        """Begin with an empty list; ``vectors`` are unit or zero rows, float32 ``[N, D]``."""
        self._vectors, self._weight = vectors.astype(np.float64), weight
        self._left = np.ones(len(vectors))
        self._rows: list[Doubles] = []

    def bonus(self) -> Doubles:
        """Never above 0."""
        return self._weight * np.log(np.maximum(self._left, LEAST_VOLUME))

    def take(self, at: int) -> None:
        """Add a row to the Cholesky factor of the list's similarities."""
        similar = self._vectors @ self._vectors[at]
        similar[at] = 1.0  # of zero vectors too
        spanned = sum((row * row[at] for row in self._rows), np.zeros_like(similar))
        row = (similar - spanned) / np.sqrt(max(float(self._left[at]), LEAST_VOLUME))
        self._rows.append(row)
        self._left = np.clip(self._left - row**2, 0.0, 1.0)


def novelty(method: DiversityMethod, vectors: Floats, weight: float) -> Novelty:
    """The follower of a list that a policy asks for."""
    return (Mmr if method is DiversityMethod.MMR else Dpp)(vectors, weight)
