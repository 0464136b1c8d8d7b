"""What a method without an answer for new users is given to say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.evaluate.baselines.popularity import Popularity
from engine.evaluate.baselines.purchases import Purchases
from engine.evaluate.baselines.scorer import Baseline, Scorer
from engine.evaluate.protocol import Bools, Requests
from engine.interactions import Floats


@dataclass(frozen=True, slots=True)
class Backed:
    """A baseline for users with a history, and what sells for all others."""

    baseline: Baseline
    popular: Popularity

    def fit(self, purchases: Purchases) -> BackedScores:
        """Fit both."""
        known = np.bincount(purchases.user, minlength=purchases.n_users) > 0
        return BackedScores(self.baseline.fit(purchases), self.popular.fit(purchases), known)


@dataclass(frozen=True, slots=True)
class BackedScores:
    """Two scorers, and who is asked about by which."""

    own: Scorer
    popular: Scorer
    known: Bools
    """Whether a user has a history, bool ``[U]``."""

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``."""
        scores = self.own.score(requests)
        new = ~self.known[requests.user]
        if new.any():
            scores[new] = self.popular.score(requests[new])
        return scores
