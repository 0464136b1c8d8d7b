"""EASE, by the smaller of two systems: of users or of items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from engine.evaluate.baselines.purchases import Per, Purchases, Weighting
from engine.evaluate.protocol import Requests
from engine.interactions import Floats

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Ease:
    """A linear item-to-item model with a zero diagonal, in closed form.

    Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019:
    ``B = I - P / diag(P)`` with ``P = (XᵀX + λI)⁻¹``. Where users are fewer than items, by the
    Woodbury identity ``X P = K X`` with ``K = (XXᵀ + λI)⁻¹``: only a system of U users is solved,
    and ``scores = X - (K X) / diag(P)`` where ``diag(P) = (1 - diag(XᵀKX)) / λ``.
    """

    l2: float = 300.0
    """λ."""
    per: Per = "ever"
    half_life_days: float | None = None

    def fit(self, purchases: Purchases) -> EaseScores | EaseWeights:
        """Solve for the users that bought anything, or for the items."""
        bought = purchases.matrix(Weighting(self.per, self.half_life_days))
        few_items = purchases.n_columns < np.count_nonzero(np.diff(bought.indptr))
        return self._by_items(bought) if few_items else self._by_users(bought)

    def _by_items(self, bought: sp.csr_array) -> EaseWeights:
        weights = self._inverse(sp.csr_array(bought.T))
        weights /= -np.diag(weights).copy()
        np.fill_diagonal(weights, 0.0)
        return EaseWeights(bought, weights)

    def _by_users(self, bought: sp.csr_array) -> EaseScores:
        n_columns = bought.shape[1]
        kernel = self._inverse(bought)
        by_item = bought.tocsc()
        diagonal = np.empty(n_columns, np.float64)
        for start in range(0, n_columns, _BLOCK):
            block = by_item[:, start : start + _BLOCK]
            smoothed = (block.T @ kernel).T
            diagonal[start : start + _BLOCK] = np.asarray(block.multiply(smoothed).sum(axis=0))
        return EaseScores(bought, kernel, ((1.0 - diagonal) / self.l2).astype(np.float32))

    def _inverse(self, rows: sp.csr_array) -> Floats:
        """Inverse of the products of all rows with λ on the diagonal, float32 ``[n, n]``."""
        gram = (rows @ rows.T).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.l2
        # LU, though Cholesky is half the work: LAPACK's potri took 0.5 to 12 s for the same U.
        inverse: Floats = np.linalg.inv(gram).astype(np.float32)
        return inverse


@dataclass(frozen=True, slots=True)
class EaseScores:
    """What the closed form needs where users are few."""

    bought: sp.csr_array
    """X, float32 ``[U, C]``."""
    kernel: Floats
    """K, float32 ``[U, U]``."""
    diagonal: Floats
    """Diagonal of P, float32 ``[C]``."""

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``."""
        own = self.bought[requests.user].toarray()
        smoothed = (self.bought.T @ self.kernel[requests.user].T).T
        return np.asarray(own - smoothed / self.diagonal, np.float32)


@dataclass(frozen=True, slots=True)
class EaseWeights:
    """The linear model itself."""

    bought: sp.csr_array
    """X, float32 ``[U, C]``."""
    weights: Floats
    """B, float32 ``[C, C]``."""

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``."""
        return np.asarray(self.bought[requests.user] @ self.weights, np.float32)
