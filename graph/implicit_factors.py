"""Factors of who touched what, by weighted least squares: what was not touched counts a little."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graph.schema import Floats, GraphError

ENTRIES_PER_CHUNK = 4_096
"""Interactions whose factors are multiplied at once: 4 MB at 256 factors, as caches like it."""
SOLVER_STEPS = 3
"""Steps of conjugate gradients per half sweep; each starts from the sweep before."""


@dataclass(frozen=True, slots=True)
class FactorSizes:
    """How factors are fitted."""

    width: int = 256
    """Factors per user and item."""
    confidence: float = 50.0
    """How much more a touched item counts than one that was not, on average."""
    popularity_exponent: float = 0.5
    """By which the confidence of popular items falls."""
    penalty: float = 1.0
    """Strength of the ridge on each vector."""
    sweeps: int = 8
    """Times that users and items are solved for in turn."""


@dataclass(frozen=True, slots=True)
class Factors:
    """``users @ items.T`` is near 1 for what a user is likely to touch, near 0 elsewhere.

    Shapes: ``users`` float32 ``[U, D]``, ``items`` float32 ``[I, D]``.
    """

    users: Floats
    items: Floats


def implicit_factors(interactions: sp.csr_array, sizes: FactorSizes, *, seed: int) -> Factors:
    r"""Weighted least squares over all pairs (Hu, Koren and Volinsky 2008).

    .. math:: \sum_{u,i} c_{ui} (p_{ui} - x_u^\top y_i)^2 + \lambda \left(\sum_u |x_u|^2
              + \sum_i |y_i|^2\right), \qquad c_{ui} = 1 + \alpha\, r_{ui}\, d_i^{-q} / Z

    with :math:`p_{ui}` 1 where user ``u`` touched item ``i``, else 0, and :math:`Z` the mean of
    :math:`d_i^{-q}` over interactions. The discount of popular items keeps them from taking all
    factors. Users and items are solved for in turn by some steps of conjugate gradients (Takács,
    Pilászy and Tikk 2011): a sweep costs ``O(E D + (U + I) D²)``.

    Args:
        interactions: Non-negative, ``[U, I]``.
        sizes: Settings.
        seed: Initial factors.

    Raises:
        GraphError: The penalty is not positive.
    """
    if sizes.penalty <= 0:
        raise GraphError(f"penalty of the factors is {sizes.penalty}, expected more than 0")
    by_user = _confidence(interactions, sizes)
    by_item = sp.csr_array(by_user.T)
    rng = np.random.default_rng(seed)
    users, items = (
        rng.normal(scale=0.01, size=(n, sizes.width)).astype(np.float32) for n in interactions.shape
    )
    for _ in range(sizes.sweeps):
        _solve(by_user, users, items, sizes.penalty)
        _solve(by_item, items, users, sizes.penalty)
    return Factors(users, items)


def _confidence(interactions: sp.csr_array, sizes: FactorSizes) -> sp.csr_array:
    """What touching counts beyond not touching, ``c - 1``, float32 ``[U, I]``."""
    found: sp.csr_array = interactions.astype(np.float32).copy()
    found.eliminate_zeros()
    degree = np.asarray(found.sum(axis=0), np.float32).ravel()
    found.data *= degree[found.indices] ** -sizes.popularity_exponent
    if found.nnz:
        found.data *= sizes.confidence / found.data.mean()
    return found


def _solve(extra: sp.csr_array, mine: Floats, others: Floats, penalty: float) -> None:
    """Move ``mine`` towards its least squares given ``others``, in place; ``extra`` is c - 1."""
    gram = others.T @ others + penalty * np.eye(others.shape[1], dtype=np.float32)
    rows = np.repeat(np.arange(len(mine)), np.diff(extra.indptr))

    def product(vectors: Floats, target: float) -> Floats:
        """``target`` times the right side, less the system times the vectors: ``[n, D]``."""
        weight = np.empty_like(extra.data)
        for start in range(0, extra.nnz, ENTRIES_PER_CHUNK):
            part = slice(start, start + ENTRIES_PER_CHUNK)
            said = np.einsum(
                "ed,ed->e", vectors.take(rows[part], 0), others.take(extra.indices[part], 0)
            )
            weight[part] = target * (1 + extra.data[part]) - extra.data[part] * said
        weighted = sp.csr_array((weight, extra.indices, extra.indptr), shape=extra.shape)
        left: Floats = weighted @ others - vectors @ gram
        return left

    residual = product(mine, 1.0)
    direction = residual.copy()
    size = _squares(residual)
    for _ in range(SOLVER_STEPS):
        image = -product(direction, 0.0)
        step = size / np.einsum("nd,nd->n", direction, image).clip(1e-20)
        mine += step[:, None] * direction
        residual -= step[:, None] * image
        before, size = size, _squares(residual)
        direction = residual + (size / before.clip(1e-20))[:, None] * direction


def _squares(vectors: Floats) -> Floats:
    squares: Floats = np.einsum("nd,nd->n", vectors, vectors)
    return squares
