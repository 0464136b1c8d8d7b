"""What the user buys again and again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from engine.evaluate.baselines.purchases import Per, Purchases, Weighting
from engine.evaluate.protocol import Requests
from engine.interactions import Floats


@dataclass(frozen=True, slots=True)
class PersonalFrequency:
    """How often the user had the item, fading with age; then what sells.

    The share of popularity orders what the user had equally often or never.
    """

    half_life_days: float | None = None
    per: Per = "basket"
    popularity_share: float = 1e-3
    popularity_half_life_days: float | None = None

    def fit(self, purchases: Purchases) -> PersonalCounts:
        """Count."""
        own = purchases.matrix(Weighting(self.per, self.half_life_days))
        popular = purchases.popularity(
            Weighting("basket", self.popularity_half_life_days)
        ) * np.float32(self.popularity_share)
        return PersonalCounts(own, popular)


@dataclass(frozen=True, slots=True)
class PersonalCounts:
    """Each user's counts, and what is added for everybody."""

    own: sp.csr_array
    """float32 ``[U, C]``."""
    everyone: Floats
    """float32 ``[C]``."""

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``."""
        return np.asarray(self.own[requests.user].toarray() + self.everyone, np.float32)
