"""What filters and factors say about a user's candidates, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from graph.filters import ItemGraph, Kernel, item_graph, normalised
from graph.implicit_factors import Factors, FactorSizes, implicit_factors
from graph.ridge import ridge_graph
from graph.schema import Floats, Ints
from graph.spectral import Spectrum, spectral_state

KERNELS = (
    Kernel(0.5, 0.4),
    Kernel(0.7, 0.3),
    Kernel(0.6, 0.3, 1.6),
    Kernel(0.5, 0.5, 2.5),
    Kernel(0.5, 0.4, 0.6),
    Kernel(0.9, 0.1),
)
"""Readings of the item graph; the first, with the factors, chooses the candidates."""
BAND_EDGES = (0.0, 0.03, 0.125, 0.375, 0.6875, 1.0)
"""Shares of the spectrum at which its bands end: taste from broad to narrow."""
RIDGE_SOURCE, RIDGE_TARGET = 0.25, -0.5
"""Exponents of the regression's weights, as in :class:`Kernel` on weights of cosines."""
VOTE_TARGET = 0.25
"""Exponent by which popular items are discounted in the votes of alike users."""


@dataclass(frozen=True, slots=True)
class FilterSizes:
    """How much of each filter is kept."""

    n_neighbours: int = 600
    """Neighbours per item in the item graph."""
    ridge_neighbours: int = 100
    """Neighbours that an item is regressed on."""
    ridge_strength: float = 0.1
    """Penalty of the regression, against cosines."""
    rank: int = 256
    """Factors of the low-pass filter."""
    factors: tuple[FactorSizes, ...] = (FactorSizes(), FactorSizes(width=512, penalty=10.0))
    """Of the weighted least squares: few and many factors err differently."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of one set of interactions.

    Shapes: ``known`` float32 ``[U, I]`` sparse; each of ``hops`` float32 ``[I, I]`` sparse, with
    one pattern for all but the last, the regression; ``alike`` and ``votes`` float32 ``[U, I]``
    sparse; ``spectrum`` of rank D; each of ``factors`` of its own width; ``log_degree`` float32
    ``[I]``.
    """

    known: sp.csr_array
    hops: tuple[sp.csr_array, ...]
    alike: sp.csr_array
    votes: sp.csr_array
    spectrum: Spectrum
    factors: tuple[Factors, ...]
    log_degree: Floats


@dataclass(frozen=True, slots=True)
class Evidence:
    """Scores of candidates, one column per filter.

    Shapes: ``items`` int64 ``[B, C]``; ``valid`` bool ``[B, C]``, false where a user has fewer
    candidates; ``levels`` float32 ``[B, C, L]``, non-negative scores; ``signed`` float32
    ``[B, C, S]``, scores of either sign; ``log_degree`` float32 ``[B, C]``; ``activity`` float32
    ``[B]``, log of the user's events.
    """

    items: Ints
    valid: NDArray[np.bool_]
    levels: Floats
    signed: Floats
    log_degree: Floats
    activity: Floats


def build_filters(interactions: sp.csr_array, sizes: FilterSizes, *, seed: int) -> Filters:
    """Every filter from the interactions alone, ``[U, I]``; ``seed`` starts SVD and factors."""
    graph = item_graph(interactions, sizes.n_neighbours)
    hops = [graph.weights(kernel) for kernel in KERNELS]
    return Filters(
        known=sp.csr_array(interactions.astype(np.float32)),
        hops=(*hops, ridge_weights(graph, sizes)),
        alike=normalised(interactions, 0.5, 0.5),
        votes=normalised(interactions, 0.0, VOTE_TARGET),
        spectrum=spectral_state(interactions, sizes.rank, seed=seed),
        factors=tuple(implicit_factors(interactions, size, seed=seed) for size in sizes.factors),
        log_degree=np.log(graph.degree.clip(1)).astype(np.float32),
    )


def gather_evidence(filters: Filters, users: Ints, n_candidates: int) -> Evidence:
    """The best new items of the first filter and the factors, and what all say about them.

    Args:
        filters: Of the interactions that are known.
        users: Rows int64 ``[B]``; some hundreds at a time, as an array ``[B, I]`` is filled.
        n_candidates: C, at most.
    """
    history = filters.known[users]
    first = (history @ filters.hops[0]).toarray()
    first[history.nonzero()] = 0.0
    fitted = [found.users[users] @ found.items.T for found in filters.factors]
    together = sum((_levelled(scores, first) for scores in fitted), _levelled(first, first))
    best = torch.topk(torch.from_numpy(together), min(n_candidates, first.shape[1]), dim=1)
    items = best.indices.numpy()
    *linear, ridge = (_at((history @ hop).toarray(), items) for hop in filters.hops[1:])
    levels = [_at(first, items), *linear, _at(_votes(filters, users).toarray(), items)]
    factors = [_at(scores, items)[:, :, None] for scores in fitted]
    signed = [ridge[:, :, None], _bands(filters.spectrum, users, items), *factors]
    return Evidence(
        items=items,
        valid=best.values.numpy() > 0,
        levels=np.stack(levels, axis=2),
        signed=np.concatenate(signed, axis=2),
        log_degree=filters.log_degree[items],
        activity=np.log1p(np.diff(history.indptr)).astype(np.float32),
    )


def ridge_weights(graph: ItemGraph, sizes: FilterSizes) -> sp.csr_array:
    """The regression of items on their neighbours, ``[I, I]``, popular answers raised."""
    ridge = ridge_graph(graph, sizes.ridge_neighbours, sizes.ridge_strength)
    degree = graph.degree.clip(1)
    source, target = degree**-RIDGE_SOURCE, degree**-RIDGE_TARGET
    scaled = sp.diags_array(source) @ ridge @ sp.diags_array(target)
    return sp.csr_array(scaled.astype(np.float32))


def _votes(filters: Filters, users: Ints) -> sp.csr_array:
    """What alike users touched, weighted by how alike they are (user-based filtering)."""
    alike = sp.csr_array(filters.alike[users] @ filters.alike.T)
    rows = np.repeat(users, np.diff(alike.indptr))
    alike.data[rows == alike.indices] = 0.0
    return sp.csr_array(alike @ filters.votes)


def _levelled(scores: Floats, first: Floats) -> Floats:
    """Scores ``[B, I]`` as shares of the user's best, none where the first filter has none."""
    found = np.where(first > 0, scores, 0.0).clip(0)
    found /= found.max(axis=1, keepdims=True).clip(1e-9)
    return found


def _at(scores: Floats, items: Ints) -> Floats:
    """Scores ``[B, I]`` at the candidates ``[B, C]``."""
    found: Floats = np.take_along_axis(scores, items, axis=1)
    return found


def _bands(spectrum: Spectrum, users: Ints, items: Ints) -> Floats:
    """What each band of the spectrum says, and the whole of it sharpened: ``[B, C, bands + 1]``."""
    rank = len(spectrum.strength)
    mine = spectrum.users[users] * spectrum.strength
    edges = [round(edge * rank) for edge in BAND_EDGES]
    parts = np.zeros((rank, len(edges)), np.float32)
    for band, (start, stop) in enumerate(pairwise(edges)):
        parts[start:stop, band] = 1.0
    parts[:, -1] = spectrum.strength**2
    by_factor = torch.from_numpy(mine)[:, None] * torch.from_numpy(spectrum.items)[items]
    bands: Floats = (by_factor @ torch.from_numpy(parts)).numpy()
    return bands
