"""Who gets a slot when chance has a say, and with which probability.

Every explorer knows the exact chance of each candidate, given the slots above: that is the
propensity which the log keeps, and what an estimate of another policy divides by.

Alphabet: W candidates that may take the slot, best first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from engine.interactions import Ints
from engine.policy_rules import Exploration, ExplorationMethod

Doubles = NDArray[np.float64]

LEAST_SPREAD = 0.1
"""Share of its spread that the score of the best-known item keeps."""
_NODES = np.linspace(-7.0, 7.0, 201)
"""The trapezoid rule on them is exact to 1e-7 for spreads that differ by the factor above."""
_WEIGHTS = np.exp(-0.5 * _NODES**2) * (_NODES[1] - _NODES[0]) / np.sqrt(2 * np.pi)


class Explorer(Protocol):
    """Gives slots to candidates by their utilities and how uncertain these are, both ``[W]``."""

    @property
    def pool(self) -> int | None:
        """How many of the best open candidates may get the slot; None is the best alone."""
        ...

    def draw(self, utility: Doubles, spread: Doubles, rng: np.random.Generator) -> int:
        """Which candidate gets the slot."""
        ...

    def chance(self, utility: Doubles, spread: Doubles, at: int) -> float:
        """Probability that a candidate gets it."""
        ...

    def chances(self, utility: Doubles, spread: Doubles) -> Doubles:
        """The probability of every candidate, float64 ``[W]``; sums to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Greedy:
    """The best, always."""

    pool: int | None = None

    def draw(self, utility: Doubles, spread: Doubles, rng: np.random.Generator) -> int:
        """The best; of equals the first."""
        return int(np.argmax(utility))

    def chance(self, utility: Doubles, spread: Doubles, at: int) -> float:
        """1 or 0."""
        return float(np.argmax(utility) == at)

    def chances(self, utility: Doubles, spread: Doubles) -> Doubles:
        """1 for the best."""
        chances = np.zeros(len(utility))
        chances[np.argmax(utility)] = 1.0
        return chances


@dataclass(frozen=True, slots=True)
class Epsilon:
    """The best, but for a share of the slots, which goes to all alike."""

    epsilon: float
    pool: int | None

    def draw(self, utility: Doubles, spread: Doubles, rng: np.random.Generator) -> int:
        """The best, or anyone, the best among them."""
        if rng.random() < self.epsilon:
            return int(rng.integers(len(utility)))
        return int(np.argmax(utility))

    def chance(self, utility: Doubles, spread: Doubles, at: int) -> float:
        """``epsilon / W``, and the rest for the best."""
        return float(self.chances(utility, spread)[at])

    def chances(self, utility: Doubles, spread: Doubles) -> Doubles:
        """As :meth:`chance`, for all."""
        chances = np.full(len(utility), self.epsilon / len(utility))
        chances[np.argmax(utility)] += 1.0 - self.epsilon
        return chances


@dataclass(frozen=True, slots=True)
class Thompson:
    """The best of utilities drawn anew for every slot, normal around what is known.

    Drawn anew, and not once for the whole list, the chance of a candidate given the slots above
    is an integral over one variable: the density of its own draw times the probability that all
    other draws are lower.
    """

    pool: int | None

    def draw(self, utility: Doubles, spread: Doubles, rng: np.random.Generator) -> int:
        """The highest of one draw each."""
        return int(np.argmax(rng.normal(utility, spread)))

    def chance(self, utility: Doubles, spread: Doubles, at: int) -> float:
        """Probability that its draw is the highest."""
        own = utility[at] + spread[at] * _NODES
        others = np.arange(len(utility)) != at
        below = ndtr((own - utility[others, None]) / spread[others, None])  # (W - 1, nodes)
        return float(_WEIGHTS @ below.prod(axis=0))

    def chances(self, utility: Doubles, spread: Doubles) -> Doubles:
        """As :meth:`chance`, for all."""
        found = np.array([self.chance(utility, spread, at) for at in range(len(utility))])
        shares: Doubles = found / found.sum()
        return shares


def explorer_of(exploration: Exploration | None) -> Explorer:
    """The explorer that a policy asks for; none is the best, always."""
    if exploration is None:
        return Greedy()
    if exploration.method is ExplorationMethod.EPSILON:
        return Epsilon(exploration.epsilon, exploration.pool)
    return Thompson(exploration.pool)


def spreads(exploration: Exploration | None, sold: Ints) -> Doubles:
    """How uncertain scores are, float64 ``[N]``, given how often each item was ever sold.

    The variance is that of a mean of ``sold`` observations beside ``prior_sales`` of the prior.
    """
    if exploration is None or exploration.method is not ExplorationMethod.THOMPSON:
        return np.zeros(len(sold))
    share = np.sqrt(exploration.prior_sales / (exploration.prior_sales + sold))
    widths: Doubles = exploration.spread * np.maximum(share, LEAST_SPREAD)
    return widths
