"""The closed form: what a graph filter knows before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.sparse.linalg import svds

from graph.schema import Floats

RANK_TOLERANCE = 1e-4
"""Singular values below this share of the largest are rounding, and their vectors noise."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Factors of the normalised user-item matrix: ``(users * strength) @ items.T`` copies it.

    Shapes: ``users`` float32 ``[U, D]`` and ``items`` float32 ``[I, D]``, orthonormal columns;
    ``strength`` float32 ``[D]``, singular values, falling. A factor that the matrix has no rank
    for is zero in all three.
    """

    users: Floats
    items: Floats
    strength: Floats

    def smoothed_items(self) -> Floats:
        """Items under the linear graph filter, ``V S``: their cosines compare co-occurrence."""
        return self.items * self.strength


def spectral_state(interactions: sp.csr_array, width: int, *, seed: int) -> Spectrum:
    r"""Truncated SVD of the degree-normalised interactions (GF-CF, Shen et al. 2021).

    .. math:: \tilde R = D_U^{-1/2} R D_I^{-1/2} \approx U S V^\top

    The ideal low-pass filter over the item graph :math:`\tilde R^\top \tilde R` keeps just
    the leading right vectors :math:`V`, which scores without any training.

    Args:
        interactions: Non-negative, time-decayed weights, ``[U, I]``.
        width: Factors wanted; where the matrix has a lower rank, the rest are zeros.
        seed: Start of the Lanczos iteration.
    """
    n_users, n_items = interactions.shape
    users = np.zeros((n_users, width), np.float32)
    items = np.zeros((n_items, width), np.float32)
    strength = np.zeros(width, np.float32)
    rank = min(width, n_users - 1, n_items - 1)
    if rank < 1 or not interactions.nnz:
        return Spectrum(users, items, strength)
    left = _inverse_root(interactions.sum(axis=1))
    right = _inverse_root(interactions.sum(axis=0))
    normalised = sp.diags_array(left) @ interactions @ sp.diags_array(right)
    factors: tuple[ArrayLike, ArrayLike, ArrayLike] = svds(
        sp.csr_array(normalised, dtype=np.float32), k=rank, rng=np.random.default_rng(seed)
    )
    u, s, vt = (np.asarray(factor, np.float32) for factor in factors)
    order = np.argsort(-s)
    order = order[s[order] > RANK_TOLERANCE * s.max()]
    # The sign of a singular vector is arbitrary; fixing it makes runs comparable.
    sign = np.sign(vt[np.arange(rank), np.abs(vt).argmax(axis=1)])
    rank = len(order)
    users[:, :rank] = (u * sign)[:, order]
    items[:, :rank] = (vt.T * sign)[:, order]
    strength[:rank] = s[order]
    # Rounding leaves traces in rows without events, which scaling to unit length would amplify.
    users[left == 0] = 0.0
    items[right == 0] = 0.0
    return Spectrum(users, items, strength)


def align(items: Floats, to: Floats) -> Floats:
    """Rotate vectors ``[I, D]`` into another basis of the same width (orthogonal Procrustes)."""
    u, _, vt = np.linalg.svd(items.T @ to)
    rotated: Floats = (items @ (u @ vt)).astype(np.float32)
    return rotated


def _inverse_root(sums: ArrayLike) -> Floats:
    degree = np.asarray(sums, np.float64).ravel()
    root: Floats = np.where(degree > 0, degree.clip(1e-12) ** -0.5, 0.0).astype(np.float32)
    return root
