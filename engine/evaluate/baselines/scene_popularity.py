"""What sells at the place of the request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from engine.evaluate.baselines.purchases import Purchases, Weighting, summed
from engine.evaluate.protocol import Requests
from engine.interactions import Floats


@dataclass(frozen=True, slots=True)
class ScenePopularity:
    """Popularity at a place, shrunk to that of all places (Dirichlet prior).

    A place with few purchases says little, so its counts are joined by ``prior_purchases``
    imagined ones that are spread as those of the whole shop.
    """

    prior_purchases: float = 1000.0
    half_life_days: float | None = None

    def fit(self, purchases: Purchases) -> PlacePopularity:
        """Count by place; place 0 (unknown) has the whole shop's counts only."""
        weight = purchases.weights(Weighting(half_life_days=self.half_life_days))
        known = purchases.place > 0
        by_place = summed(
            weight[known],
            purchases.place[known],
            purchases.column[known],
            (purchases.n_places, purchases.n_columns),
        )
        total = np.bincount(purchases.column, weights=weight, minlength=purchases.n_columns)
        prior = self.prior_purchases * total / max(float(total.sum()), 1e-300)
        return PlacePopularity(by_place, prior.astype(np.float32))


@dataclass(frozen=True, slots=True)
class PlacePopularity:
    """Counts of each place, and the prior that all share."""

    by_place: sp.csr_array
    """float32 ``[places, C]``."""
    prior: Floats
    """float32 ``[C]``."""

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``."""
        return np.asarray(self.by_place[requests.place].toarray() + self.prior, np.float32)
