r"""What speaks for an item by a linear model of who took what, as a table of neighbours.

EASE (Steck 2019, "Embarrassingly shallow autoencoders for sparse data", arXiv:1905.03375) has the
weights :math:`B_{ij} = -P_{ij} / P_{jj}` with :math:`P = (X^\top X + \lambda I)^{-1}`: unlike a
cosine, they share out among the items that a user took what these say in common. No matrix of
items by items is ever inverted, or held: with the leading singular vectors
:math:`X \approx U S V^\top`,

.. math:: P = \tfrac 1\lambda (I - W W^\top), \quad W = V \, S (S^2 + \lambda)^{-1/2}

and a block of rows of :math:`W W^\top` at a time gives the largest weights of some items.

Alphabet: E events, U users, I items, R rank.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from retrieval.neighbours import CHUNK_ROWS, Floats, Ints, Neighbours

POWER_ITERATIONS = 2
OVERSAMPLED = 16


def linear_neighbours(
    user: Ints,
    item: Ints,
    *,
    shape: tuple[int, int],
    n: int = 100,
    ridge: float = 500.0,
    rank: int = 512,
    min_users: int = 5,
    seed: int = 0,
) -> Neighbours:
    """The ``n`` items that speak most for each item, with the weights of EASE; positive ones only.

    Args:
        user: int64 ``[E]``.
        item: int64 ``[E]``.
        shape: Number of users and of items.
        n: Items kept per item.
        ridge: λ: how hard a weight is to earn.
        rank: R, of the approximation; exact from the number of users or items on.
        min_users: Items that fewer took have no neighbours, and are nobody's.
        seed: Of the random start of the singular vectors.
    """
    taken = sparse.csr_matrix((np.ones(len(item), np.float32), (user, item)), shape=shape)
    taken.sum_duplicates()
    active = np.flatnonzero(np.bincount(taken.indices, minlength=shape[1]) >= min_users)
    rows = np.zeros((shape[1], n), dtype=np.int32)
    kept = np.zeros((shape[1], n), dtype=np.float32)
    if len(active) < 2:
        return Neighbours(rows, kept)
    told = taken[:, active].tocsr()
    told.data = np.log1p(told.data)
    smooth = _smoother(told, ridge, rank, np.random.default_rng(seed))  # [I, R]
    left = np.maximum(1 - np.square(smooth).sum(axis=1), 1e-6)
    width = min(n, len(active) - 1)
    for start in range(0, len(active), CHUNK_ROWS):
        block = slice(start, start + CHUNK_ROWS)
        weight = smooth[block] @ smooth.T / left[block, None]
        own = np.arange(len(weight))
        weight[own, start + own] = 0.0
        best = np.argpartition(-weight, width - 1, axis=1)[:, :width]
        value = np.take_along_axis(weight, best, axis=1)
        order = np.argsort(-value, axis=1, kind="stable")
        owner = active[block]
        rows[owner, :width] = active[np.take_along_axis(best, order, axis=1)]
        kept[owner, :width] = np.maximum(np.take_along_axis(value, order, axis=1), 0.0)
    return Neighbours(rows, kept)


def _smoother(told: sparse.csr_matrix, ridge: float, rank: int, rng: np.random.Generator) -> Floats:
    """W, float32 ``[I, R]``, by a randomised singular value decomposition.

    Halko, Martinsson and Tropp 2011, "Finding structure with randomness", algorithm 4.4.
    """
    n_users, n_items = told.shape
    width = min(rank + OVERSAMPLED, n_users, n_items)
    basis = np.linalg.qr(told @ rng.normal(size=(n_items, width)).astype(np.float32))[0]
    for _ in range(POWER_ITERATIONS):
        other = np.linalg.qr(told.T @ basis)[0]
        basis = np.linalg.qr(told @ other)[0]
    _, values, items = np.linalg.svd(np.asarray((told.T @ basis).T), full_matrices=False)
    values, items = values[:rank], items[:rank]
    smooth: Floats = (items.T * (values / np.sqrt(np.square(values) + ridge))).astype(np.float32)
    return smooth
