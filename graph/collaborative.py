"""Recommend from interactions alone: filters and factors, blended by what validation shows."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from graph.blend import Blend, fit_blend
from graph.evidence import Evidence, Filters, FilterSizes, build_filters, gather_evidence
from graph.schema import Floats, GraphError, Ints

USERS_PER_CHUNK = 256


@dataclass(frozen=True, slots=True)
class CollaborativeConfig:
    """How a collaborative model is fitted."""

    sizes: FilterSizes = field(default_factory=FilterSizes)
    """How much of each filter is kept."""
    n_candidates: int = 200
    """Items per user that the blend orders."""
    hidden_share: float = 0.2
    """Share of each user's interactions hidden from the filters while the blend is fitted."""
    blend_users: int = 20_000
    """Users whose hidden interactions teach the blend."""
    n_blends: int = 3
    """Networks whose scores are averaged; they differ in their seeds."""


@dataclass(frozen=True, slots=True)
class Collaborative:
    """Filters of all interactions, and the blends that join them."""

    filters: Filters
    blends: tuple[Blend, ...]
    n_candidates: int

    def top(self, users: Ints, k: int) -> tuple[Ints, Floats]:
        """Best new items of each user.

        Args:
            users: Rows int64 ``[B]``, any number.
            k: Answers per user, at most ``n_candidates``.

        Returns:
            Items int64 ``[B, K]`` and scores float32 ``[B, K]``, best first; a score of ``-inf``
            stands where a user has fewer candidates, and its item means nothing.

        Raises:
            GraphError: ``k`` is more than the number of candidates.
        """
        limit = min(self.n_candidates, self.filters.known.shape[1])
        if not 1 <= k <= limit:
            raise GraphError(f"k is {k}, expected 1 to {limit}: raise n_candidates for more")
        parts = [self._top(users[part], k) for part in _chunks(len(users))]
        items, scores = zip(*parts, strict=True)
        return np.concatenate(items), np.concatenate(scores)

    def _top(self, users: Ints, k: int) -> tuple[Ints, Floats]:
        evidence = gather_evidence(self.filters, users, self.n_candidates)
        scores = np.mean([blend.scores(evidence) for blend in self.blends], axis=0)
        best = torch.topk(torch.from_numpy(scores), k, dim=1)
        items = np.take_along_axis(evidence.items, best.indices.numpy(), axis=1)
        return items, best.values.numpy()


def fit_collaborative(
    interactions: sp.csr_array, config: CollaborativeConfig, *, seed: int
) -> Collaborative:
    """Fit the blend on hidden interactions, then build the filters from all of them.

    Args:
        interactions: Non-negative weights, ``[U, I]``.
        config: Settings.
        seed: Same seed, same answers.

    Raises:
        GraphError: There is nothing to hide, or what is hidden cannot be found.
    """
    rng = np.random.default_rng(seed)
    seen, hidden = hide(interactions, config.hidden_share, rng)
    filters = build_filters(seen, config.sizes, seed=seed)
    users = np.flatnonzero(np.diff(hidden.indptr)).astype(np.int64)
    if not len(users):
        raise GraphError("no interaction could be hidden: users have one each")
    users = np.sort(rng.permutation(users)[: config.blend_users])
    evidence = _gather(filters, users, config.n_candidates)
    relevant = _contains(hidden, users, evidence.items)
    blends = tuple(
        fit_blend(evidence, relevant, seed=seed + number) for number in range(config.n_blends)
    )
    return Collaborative(
        build_filters(interactions, config.sizes, seed=seed), blends, config.n_candidates
    )


def hide(
    interactions: sp.csr_array, share: float, rng: np.random.Generator
) -> tuple[sp.csr_array, sp.csr_array]:
    """Hide a share of each user's interactions, never the last one.

    Args:
        interactions: ``[U, I]``.
        share: Expected share; the fraction of an interaction that is left over is drawn.
        rng: Draws.

    Returns:
        What is left and what is hidden, both ``[U, I]``, without stored zeros.
    """
    pairs = sp.csr_array(interactions).tocoo()
    degree = np.bincount(pairs.row, minlength=interactions.shape[0])
    wanted = np.floor(share * degree + rng.random(len(degree))).astype(np.int64)
    wanted = np.minimum(wanted, (degree - 1).clip(0))
    order = np.lexsort((rng.random(len(pairs.row)), pairs.row))
    start = np.cumsum(degree) - degree
    row = pairs.row[order]
    hidden = np.arange(len(row)) - start[row] < wanted[row]
    left, right = order[~hidden], order[hidden]
    return _subset(pairs, left), _subset(pairs, right)


def _subset(pairs: sp.coo_array, kept: Ints) -> sp.csr_array:
    entries = (pairs.data[kept], (pairs.row[kept], pairs.col[kept]))
    return sp.csr_array(entries, shape=pairs.shape)


def _gather(filters: Filters, users: Ints, n_candidates: int) -> Evidence:
    parts = [gather_evidence(filters, users[part], n_candidates) for part in _chunks(len(users))]
    columns = {
        column.name: np.concatenate([getattr(part, column.name) for part in parts])
        for column in fields(Evidence)
    }
    return replace(parts[0], **columns)


def _contains(pairs: sp.csr_array, users: Ints, items: Ints) -> NDArray[np.bool_]:
    """Whether each user ``[B]`` has each of their candidates ``[B, C]``."""
    found = [
        np.take_along_axis(pairs[users[part]].toarray() > 0, items[part], axis=1)
        for part in _chunks(len(users))
    ]
    return np.concatenate(found)


def _chunks(n: int) -> list[Ints]:
    return np.array_split(np.arange(n), max(1, -(-n // USERS_PER_CHUNK)))
