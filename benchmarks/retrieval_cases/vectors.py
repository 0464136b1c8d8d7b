"""Unit vectors clustered like those of a real catalogue, and the true neighbours among them.

Departments of shelves of items: shelves scatter around departments and items around shelves, along
axes whose spread falls off as in the spectra of encoders, and popular shelves hold more.
"""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

DIM = 128
_DEPARTMENTS, _ITEMS_PER_SHELF, _MOST_SHELVES = 200, 100, 10_000
_SHELF_SPREAD, _ITEM_SPREAD = 0.8, 1.0
_POPULARITY = 0.6
_CHUNK = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Vectors, questions from the same shelves, and what the answers are."""

    vectors: NDArray[np.float32]
    """``[n, D]``, unit rows; the row of each is its place."""
    queries: NDArray[np.float32]
    """``[Q, D]``, unit rows."""
    floor: NDArray[np.float32]
    """``[Q, 1]``: what the k-th true neighbour scores."""
    k: int

    def recall(self, scores: NDArray[np.float32]) -> float:
        """Share of true neighbours among answers with the scores ``[Q, k]``."""
        return float((scores >= self.floor - 1e-6).mean())


def catalogue(n: int, *, n_queries: int = 1000, k: int = 100, dim: int = DIM) -> Catalogue:
    """Make ``n`` vectors of width ``dim`` and find the ``k`` true neighbours of the queries."""
    draw = _Shelves(max(10, min(n // _ITEMS_PER_SHELF, _MOST_SHELVES)), dim)
    vectors, queries = draw(n, 1), draw(n_queries, 2)
    scores, _ = faiss.knn(queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
    return Catalogue(vectors, queries, scores[:, -1:], k)


def more(n: int, like: int, seed: int, dim: int = DIM) -> NDArray[np.float32]:
    """``n`` further vectors from the shelves of a catalogue of ``like``: ``[n, dim]``."""
    return _Shelves(max(10, min(like // _ITEMS_PER_SHELF, _MOST_SHELVES)), dim)(n, seed)


class _Shelves:
    def __init__(self, n: int, dim: int) -> None:
        rng = np.random.default_rng(0)
        spread = np.arange(1, dim + 1) ** -0.5
        turn = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        self._axes = (spread * np.sqrt(dim) / np.linalg.norm(spread))[:, None] * turn
        departments = rng.standard_normal((_DEPARTMENTS, dim))
        near = rng.standard_normal((n, dim)) @ self._axes
        self._centres = departments[rng.integers(0, _DEPARTMENTS, n)] + _SHELF_SPREAD * near
        popularity = np.arange(1, n + 1) ** -_POPULARITY
        self._shares = popularity / popularity.sum()

    def __call__(self, n: int, seed: int) -> NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        out = np.empty((n, self._centres.shape[1]), np.float32)
        for start in range(0, n, _CHUNK):
            part = out[start : start + _CHUNK]
            shelf = rng.choice(len(self._centres), len(part), p=self._shares)
            noise = rng.standard_normal(part.shape) @ self._axes
            part[:] = self._centres[shelf] + _ITEM_SPREAD * noise
            part /= np.linalg.norm(part, axis=1, keepdims=True)
        return out
