"""Ridge regression of every item on its neighbours: co-occurrence without what it counts twice."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from graph.co_occurrence import strongest
from graph.filters import ItemGraph
from graph.schema import Floats, GraphError, Ints

ITEMS_PER_BATCH = 256
"""Systems solved at once; 10 MB at 100 neighbours each."""


def ridge_graph(graph: ItemGraph, n_neighbours: int, strength: float) -> sp.csr_array:
    r"""Weights with which the neighbours of an item foretell it.

    .. math:: w_j = (G_{N N} + \lambda I)^{-1} G_{N j}, \qquad N = N(j)

    where ``G`` is the cosine graph. On all items it is the regression of EASE (Steck 2019),
    whose inverse is dense and cubic in the items; on the strongest neighbours alone, as SLIM
    (Ning and Karypis 2011) chooses them, it costs one small solve per item. Neighbours that say
    the same share the weight that each of them would have got from co-occurrence.

    Args:
        graph: Cosines; a pair that the graph has pruned counts as 0.
        n_neighbours: Neighbours that an item is explained by.
        strength: ``λ``.

    Returns:
        float32 ``[I, I]`` sparse: rows are items of a history, columns answers. Weights may be
        negative.

    Raises:
        GraphError: The strength is not positive.
    """
    if strength <= 0:
        raise GraphError(f"ridge strength is {strength}, expected more than 0")
    n_items = len(graph.degree)
    nearest = _nearest(graph.cosine, n_neighbours)
    entries = [(np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for start in range(0, n_items, ITEMS_PER_BATCH):
        part = nearest[start : start + ITEMS_PER_BATCH]
        weights = _solve(graph, start, part, strength)
        counts = [len(neighbours) for neighbours in part]
        filled = np.arange(weights.shape[1]) < np.array(counts)[:, None]
        targets = np.repeat(np.arange(start, start + len(part)), counts)
        entries.append((weights[filled], np.concatenate(part), targets))
    values, rows, columns = (np.concatenate(column) for column in zip(*entries, strict=True))
    return sp.csr_array((values, (rows, columns)), shape=(n_items, n_items))


def _nearest(cosine: sp.csr_array, limit: int) -> list[Ints]:
    """Each item's strongest neighbours, best first."""
    kept = strongest(cosine.indptr, cosine.data, limit)
    rows = np.repeat(np.arange(cosine.shape[0]), np.diff(cosine.indptr))[kept]
    bounds = np.searchsorted(rows, np.arange(cosine.shape[0] + 1))
    columns = cosine.indices[kept].astype(np.int64)
    return [columns[start:stop] for start, stop in pairwise(bounds)]


def _solve(graph: ItemGraph, start: int, nearest: list[Ints], strength: float) -> Floats:
    """Weights float32 ``[B, N]`` of items ``start`` onwards; zero beyond their neighbours."""
    width = max(1, *(len(neighbours) for neighbours in nearest))
    system = torch.zeros(len(nearest), width, width)
    answer = torch.zeros(len(nearest), width, 1)
    place = np.full(len(graph.degree), -1)
    for k, neighbours in enumerate(nearest):
        count = len(neighbours)
        system[k, :count, :count] = _block(graph, neighbours, place)
        answer[k, :count, 0] = _column(graph.cosine, start + k, neighbours)
    system.diagonal(dim1=1, dim2=2).add_(strength)
    weights: Floats = _positive_solve(system, answer)[:, :, 0].numpy()
    return weights


def _block(graph: ItemGraph, neighbours: Ints, place: Ints) -> Tensor:
    """The graph among the neighbours, ``[N, N]``; ``place`` is scratch, -1 everywhere."""
    cosine, count = graph.cosine, len(neighbours)
    place[neighbours] = np.arange(count)
    starts = cosine.indptr[neighbours].astype(np.int64)
    lengths = cosine.indptr[neighbours + 1] - starts
    row = np.repeat(np.arange(count), lengths)
    entry = np.arange(len(row)) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    column = place[cosine.indices[entry]]
    inside = np.flatnonzero(column >= 0)
    place[neighbours] = -1
    block = np.zeros((count, count), np.float32)
    block[row[inside], column[inside]] = cosine.data[entry[inside]]
    # Pruning keeps a pair in one direction or in both: it is the same pair.
    block = np.maximum(block, block.T)
    np.fill_diagonal(block, graph.diagonal[neighbours])
    return torch.from_numpy(block)


def _column(cosine: sp.csr_array, item: int, neighbours: Ints) -> Tensor:
    """Cosines of an item with its neighbours, which are of its own row."""
    start, stop = cosine.indptr[item], cosine.indptr[item + 1]
    order = np.argsort(cosine.indices[start:stop])
    found = np.searchsorted(cosine.indices[start:stop][order], neighbours)
    return torch.from_numpy(cosine.data[start:stop][order][found])


def _positive_solve(system: Tensor, answer: Tensor) -> Tensor:
    """Solve by Cholesky; a system that pruning made indefinite is first made dominant."""
    factor, failed = torch.linalg.cholesky_ex(system)
    if failed.any():
        wanting = system[failed > 0]
        total, own = wanting.abs().sum(dim=2), wanting.diagonal(dim1=1, dim2=2)
        own.add_((1.1 * total - 2 * own).clamp_min(0))
        factor[failed > 0] = torch.linalg.cholesky(wanting)
    return torch.cholesky_solve(answer, factor)
