"""What sells: over all time, or lately."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.evaluate.baselines.purchases import SECONDS_PER_DAY, Per, Purchases, Weighting
from engine.evaluate.protocol import Requests
from engine.interactions import Floats


@dataclass(frozen=True, slots=True)
class Popularity:
    """Count of purchases (or of distinct users), the same for everybody."""

    window_days: float | None = None
    """Only purchases so recent count; None: all."""
    per: Per = "basket"

    def fit(self, purchases: Purchases) -> EveryoneAlike:
        """Count."""
        if self.window_days is None:
            return EveryoneAlike(purchases.popularity(Weighting(self.per)))
        since = purchases.as_of_unix_s - self.window_days * SECONDS_PER_DAY
        recent = purchases.where(purchases.at_unix_s >= since)
        # What sold in no recent basket still has an order: that of all time.
        rest = purchases.popularity(Weighting(self.per))
        return EveryoneAlike(recent.popularity(Weighting(self.per)) + np.float32(1e-6) * rest)


@dataclass(frozen=True, slots=True)
class EveryoneAlike:
    """One list for all."""

    popularity: Floats
    """float32 ``[C]``."""

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``, every row the same."""
        return np.tile(self.popularity, (len(requests), 1))
