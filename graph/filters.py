"""Closed-form filters over the item graph: what co-occurrence says, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graph.co_occurrence import strongest
from graph.schema import Floats, GraphError, Ints

PRODUCTS_PER_CHUNK = 16_000_000
"""Co-occurrences counted at once; about 200 MB."""


@dataclass(frozen=True, slots=True)
class Kernel:
    r"""One reading of the item graph, :math:`w_{ij} = \cos_{ij}^q\, d_i^{1/2-b}\, d_j^{1/2-c}`.

    ``power`` is ``q``: above 1 it trusts the strongest neighbours. ``source`` is ``b``: the higher,
    the less the popular items of a history say. ``target`` is ``c``: the lower, the more popular
    the answers. ``Kernel()`` is the plain cosine.
    """

    source: float = 0.5
    target: float = 0.5
    power: float = 1.0


@dataclass(frozen=True, slots=True)
class ItemGraph:
    """Items and their strongest neighbours.

    Shapes: ``cosine`` float32 ``[I, I]`` sparse, no diagonal, values in (0, 1]; ``diagonal``
    float32 ``[I]``, each item's cosine with itself, below 1 where its users count less;
    ``degree`` float32 ``[I]``, events per item.
    """

    cosine: sp.csr_array
    diagonal: Floats
    degree: Floats

    def weights(self, kernel: Kernel) -> sp.csr_array:
        """Weights ``[I, I]``: rows are items of a history, columns answers.

        All kernels share the arrays ``indices`` and ``indptr`` of ``cosine``.
        """
        source = self.degree.clip(1) ** (0.5 - kernel.source)
        target = self.degree.clip(1) ** (0.5 - kernel.target)
        rows = np.repeat(source, np.diff(self.cosine.indptr))
        data = self.cosine.data**kernel.power * rows * target[self.cosine.indices]
        parts = (data.astype(np.float32), self.cosine.indices, self.cosine.indptr)
        return sp.csr_array(parts, shape=self.cosine.shape)


def item_graph(
    interactions: sp.csr_array, n_neighbours: int, *, user_exponent: float = 0.5
) -> ItemGraph:
    r"""The cosine graph of items in which the users of many items count less.

    .. math:: \cos_{ij} = (d_i d_j)^{-1/2} \sum_u d_u^{-a}\, r_{ui} r_{uj}

    With :math:`a = 1` this is the linear filter of GF-CF (Shen et al. 2021) and one step of
    LightGCN's propagation (He et al. 2020); with 0 the cosine of item-based filtering (Sarwar et
    al. 2001).

    Args:
        interactions: Non-negative, ``[U, I]``.
        n_neighbours: Strongest neighbours kept per item.
        user_exponent: ``a``.

    Raises:
        GraphError: A weight is negative or not finite.
    """
    if interactions.nnz and not (np.isfinite(interactions.data) & (interactions.data >= 0)).all():
        raise GraphError("interactions must be finite and 0 or more: found others; drop those rows")
    degree = np.asarray(interactions.sum(axis=0), np.float32).ravel()
    halves = normalised(interactions, user_exponent / 2, 0.5)
    rows, columns, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for chunk, cosine in _co_occurrence(halves):
        source = np.repeat(chunk, np.diff(cosine.indptr))
        cosine.data[source == cosine.indices] = 0.0
        kept = np.sort(strongest(cosine.indptr, cosine.data, n_neighbours))
        rows.append(source[kept])
        columns.append(cosine.indices[kept].astype(np.int64))
        values.append(cosine.data[kept])
    entries = (
        np.concatenate(values).astype(np.float32),
        (np.concatenate(rows), np.concatenate(columns)),
    )
    n_items = interactions.shape[1]
    diagonal = np.asarray(halves.multiply(halves).sum(axis=0), np.float32).ravel()
    return ItemGraph(sp.csr_array(entries, shape=(n_items, n_items)), diagonal, degree)


def normalised(
    interactions: sp.csr_array, user_exponent: float, item_exponent: float
) -> sp.csr_array:
    r""":math:`D_U^{-a} R D_I^{-b}` as float32; rows and columns without events stay empty."""
    users = np.asarray(interactions.sum(axis=1), np.float64).ravel()
    items = np.asarray(interactions.sum(axis=0), np.float64).ravel()
    left = np.where(users > 0, users, 1.0) ** -user_exponent
    right = np.where(items > 0, items, 1.0) ** -item_exponent
    scaled = sp.diags_array(left) @ interactions @ sp.diags_array(right)
    return sp.csr_array(scaled, dtype=np.float32)


def _co_occurrence(halves: sp.csr_array) -> Iterator[tuple[Ints, sp.csr_array]]:
    """Chunks of rows of ``halvesᵀ · halves``, cut by the work that each row costs."""
    by_item = sp.csr_array(halves.T)
    work = np.asarray(by_item.astype(bool).astype(np.int64) @ np.diff(halves.indptr)).ravel()
    active = np.flatnonzero(work)
    chunk_of = np.cumsum(work[active]) // PRODUCTS_PER_CHUNK
    for chunk in np.split(active, np.flatnonzero(np.diff(chunk_of)) + 1):
        if len(chunk):
            yield chunk, sp.csr_array(by_item[chunk] @ halves)
