"""Items that the same people take: cosine item neighbours (item-kNN, Deshpande & Karypis 2004)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.kernels import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

CHUNK_ROWS = 512


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Nearest neighbours of every item as a padded table.

    Shapes: both ``[I, N]``; ``weight`` is 0 where an item has fewer than N neighbours.
    """

    rows: NDArray[np.int32]
    weight: Floats

    def scores(self, items: Ints, strength: Floats) -> Floats:
        """Sum of neighbour weights from some items, float32 ``[I]``.

        Args:
            items: int64 ``[H]``, what the user took.
            strength: float32 ``[H]``, how much each counts.
        """
        # Gathered first: rows that lie far apart are then waited for together, not one by one.
        rows, weight = self.rows.take(items, axis=0), self.weight.take(items, axis=0)
        return _summed(rows, weight, np.asarray(strength, np.float32), len(self.rows))


@kernel
def _summed(rows: NDArray[np.int32], weight: Floats, strength: Floats, n_items: int) -> Floats:
    """Sum of the weights ``[H, N]`` of rows ``[H, N]``, times strength ``[H]``: float32 ``[I]``."""
    total = np.zeros(n_items, np.float64)
    for at in range(len(rows)):
        counts = strength[at]
        for n in range(rows.shape[1]):
            total[rows[at, n]] += weight[at, n] * counts
    return total.astype(np.float32)


def item_neighbours(
    user: Ints,
    item: Ints,
    weight: Floats,
    *,
    shape: tuple[int, int],
    n: int = 50,
    shrink: float = 1.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Neighbours:
    r"""The ``n`` items whose users overlap most with those of each item.

    .. math:: s_{ij} = \sum_u w_{ui} w_{uj} / ((\lVert w_i\rVert + \beta)(\lVert w_j\rVert + \beta))

    Args:
        user: int64 ``[E]``.
        item: int64 ``[E]``.
        weight: float32 ``[E]``; summed per pair, then passed through ``log1p``.
        shape: Number of users and of items.
        n: Neighbours kept per item.
        shrink: β, keeps items with few users from topping every list.
        on_progress: Called with rows done and rows in all.
    """
    n_items = shape[1]
    taken = sparse.csr_matrix((weight, (user, item)), shape=shape, dtype=np.float32)
    taken.data = np.log1p(2 * taken.data)
    norm = np.sqrt(np.asarray(taken.multiply(taken).sum(axis=0)).ravel()) + shrink
    unit = (taken @ sparse.diags((1 / norm).astype(np.float32))).tocsr()
    rows = np.zeros((n_items, n), dtype=np.int32)
    kept = np.zeros((n_items, n), dtype=np.float32)
    for owner, other, score in overlaps(unit, on_progress):
        apart = other != owner
        other, score = other[apart], score[apart]
        if len(score) > n:
            best = np.argpartition(-score, n)[:n]
            other, score = other[best], score[best]
        order = np.argsort(-score, kind="stable")
        rows[owner, : len(order)] = other[order]
        kept[owner, : len(order)] = score[order]
    return Neighbours(rows, kept)


def overlaps(
    held: sparse.csr_matrix, on_progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[int, Ints, NDArray[np.float64]]]:
    """Every item with the items that share a row with it, and the products with them.

    The square of a shop's items is never held at once: a chunk of its rows is.

    Args:
        held: Rows (users or baskets) by items, ``[R, I]``.
        on_progress: Called with items done and items in all.

    Yields:
        An item, the items int64 ``[N]`` that meet it (itself among them), and the inner products
        of their columns, ``[N]``.
    """
    by_column = held.tocsc()
    active = np.flatnonzero(np.diff(by_column.indptr))  # items never taken meet none
    compact = by_column[:, active].tocsr()
    by_item = compact.T.tocsr()
    for start in range(0, len(active), CHUNK_ROWS):
        chunk = (by_item[start : start + CHUNK_ROWS] @ compact).tocsr()
        for r in range(chunk.shape[0]):
            span = slice(chunk.indptr[r], chunk.indptr[r + 1])
            yield int(active[start + r]), active[chunk.indices[span]], chunk.data[span]
        if on_progress:
            on_progress(min(start + CHUNK_ROWS, len(active)), len(active))
