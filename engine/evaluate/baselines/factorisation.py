"""Matrix factorisation by the `implicit` library: ALS and BPR."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from engine.errors import MissingExtraError
from engine.evaluate.baselines.purchases import Purchases, Weighting
from engine.evaluate.protocol import Requests
from engine.interactions import Floats


@dataclass(frozen=True, slots=True)
class Als:
    """Weighted alternating least squares.

    Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008.
    """

    factors: int = 96
    regularisation: float = 10.0
    confidence: float = 1.0
    """Weight of a purchase over that of the absence of one."""
    half_life_days: float | None = None
    iterations: int = 10
    seed: int = 0

    def fit(self, purchases: Purchases) -> FactorScores:
        """Alternate.

        Raises:
            MissingExtraError: `implicit` is not installed.
        """
        bought = purchases.matrix(Weighting("basket", self.half_life_days))
        with _implicit() as implicit:
            model = implicit.als.AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularisation,
                iterations=self.iterations,
                random_state=self.seed,
                use_gpu=False,
            )
            return _factors(model, bought * np.float32(self.confidence))


@dataclass(frozen=True, slots=True)
class Bpr:
    """Bayesian personalised ranking.

    Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", UAI 2009.
    """

    factors: int = 32
    regularisation: float = 0.1
    learning_rate: float = 0.02
    iterations: int = 30
    seed: int = 0

    def fit(self, purchases: Purchases) -> FactorScores:
        """Descend, on one thread: with more, the library's result is not reproducible.

        Raises:
            MissingExtraError: `implicit` is not installed.
        """
        with _implicit() as implicit:
            model = implicit.bpr.BayesianPersonalizedRanking(
                factors=self.factors,
                regularization=self.regularisation,
                learning_rate=self.learning_rate,
                iterations=self.iterations,
                random_state=self.seed,
                num_threads=1,
                use_gpu=False,
            )
            return _factors(model, purchases.matrix(Weighting("ever")))


@dataclass(frozen=True, slots=True)
class FactorScores:
    """Inner products of user and item factors."""

    users: Floats
    """float32 ``[U, D]``."""
    items: Floats
    """float32 ``[C, D]``."""

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``."""
        return self.users[requests.user] @ self.items.T


@contextmanager
def _implicit() -> Iterator[Any]:
    """The library, with BLAS on one thread: it brings threads of its own, and they fight."""
    try:
        import implicit.als  # type: ignore[import-untyped]
        import implicit.bpr  # type: ignore[import-untyped]
        import threadpoolctl  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("implicit", "demo") from error
    with threadpoolctl.threadpool_limits(1, "blas"):
        yield implicit


def _factors(model: Any, bought: sp.csr_array) -> FactorScores:  # noqa: ANN401
    model.fit(sp.csr_matrix(bought), show_progress=False)
    users = np.asarray(model.user_factors, np.float32)
    return FactorScores(users, np.asarray(model.item_factors, np.float32))
