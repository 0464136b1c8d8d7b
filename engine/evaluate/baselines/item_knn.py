"""Items that share their buyers with what the user had."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from engine.evaluate.baselines.purchases import Per, Purchases, Weighting, summed
from engine.evaluate.protocol import Requests
from engine.interactions import Floats, Ints

_BLOCK = 512
_WIDTH = 200
_TINY = 1e-9
_FADING_COUNT = Weighting("basket", 120.0)


@dataclass(frozen=True, slots=True)
class ItemKnn:
    """Cosine between the buyers of items, shrunk, summed over the user's items.

    Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001;
    the shrinkage is that of Bell and Koren, "Scalable collaborative filtering", ICDM 2007.
    """

    n_neighbours: int = 50
    """So many items of the history, the most similar ones, speak for each scored item."""
    shrink: float = 10.0
    """Added to the product of the norms: neighbours that few users support count less."""
    per: Per = "ever"
    """What the cosine compares."""
    own_weighting: Weighting = _FADING_COUNT
    """How much each item that the user had speaks for its neighbours."""
    own_similarity: float = 10.0
    """How much an item that the user had speaks for itself; 0: not at all."""

    def fit(self, purchases: Purchases) -> NeighbourSums:
        """Find the neighbours of every candidate."""
        n = min(self.n_neighbours, purchases.n_columns)
        width = min(max(n, _WIDTH), purchases.n_columns)
        near = purchases.once(
            (ItemKnn, self.per, self.shrink, width),
            lambda: nearest(purchases.matrix(Weighting(self.per)), self.shrink, width),
        )
        own = np.arange(purchases.n_columns, dtype=np.int64)
        similarity = summed(
            np.append(near.cosine[:, :n].ravel(), np.full(len(own), self.own_similarity)),
            np.append(near.column[:, :n].ravel(), own),
            np.append(np.repeat(own, n), own),
            (len(own), len(own)),
        )
        return NeighbourSums(purchases.matrix(self.own_weighting), similarity)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The most similar other items of each item, most similar first."""

    cosine: Floats
    """float32 ``[C, width]``."""
    column: Ints
    """int64 ``[C, width]``."""


def nearest(bought: sp.csr_array, shrink: float, width: int) -> Nearest:
    """The ``width`` nearest columns of each column of ``bought`` ``[U, C]``, block by block."""
    norms = np.sqrt(np.asarray(bought.multiply(bought).sum(axis=0))).astype(np.float32)
    by_item = sp.csr_array(bought.T)
    cosines, columns = [], []
    for start in range(0, len(norms), _BLOCK):
        cosine = np.asarray((by_item[start : start + _BLOCK] @ bought).toarray(), np.float32)
        rows = np.arange(len(cosine))
        cosine /= norms[start + rows, None] * norms + np.float32(max(shrink, _TINY))
        cosine[rows, start + rows] = 0.0
        best, column = torch.topk(torch.from_numpy(cosine), width, dim=1)
        cosines.append(best.numpy())
        columns.append(column.numpy())
    return Nearest(np.concatenate(cosines), np.concatenate(columns))


@dataclass(frozen=True, slots=True)
class NeighbourSums:
    """Users' items, and for each of them the items that it speaks for."""

    own: sp.csr_array
    """float32 ``[U, C]``."""
    similarity: sp.csr_array
    """float32 ``[C, C]``: row had, column to score."""

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``."""
        return np.asarray((self.own[requests.user] @ self.similarity).toarray(), np.float32)
