"""TIFU-KNN: the user's own rhythm, and that of the users nearest to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from engine.evaluate.baselines.purchases import Purchases, summed
from engine.evaluate.protocol import Requests
from engine.interactions import Floats, Ints

_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class TifuKnn:
    """Temporal item frequency over groups of baskets, mixed with that of near users.

    Hu et al., "Modeling personalized item frequency information for next-basket
    recommendation", SIGIR 2020. A user's baskets are split into ``n_groups`` of equal size,
    the oldest group taking what is left over; a basket fades by ``within_decay`` for each
    later one of its group, a group by ``group_decay`` for each later group.
    """

    n_groups: int = 7
    """m."""
    within_decay: float = 0.9
    """r_b."""
    group_decay: float = 0.7
    """r_g."""
    n_neighbours: int = 30
    """k; Euclidean distance between user vectors."""
    own_share: float = 0.3
    """alpha; the rest is the neighbours' mean."""

    def fit(self, purchases: Purchases) -> OwnAndNear:
        """Make user vectors and the mean vector of each user's neighbours."""
        vectors = self.user_vectors(purchases)
        n_active = int(np.count_nonzero(np.diff(vectors.indptr)))
        k = min(self.n_neighbours, max(n_active - 1, 1))
        near = nearest_users(vectors, k)
        rows = np.repeat(np.arange(len(near), dtype=np.int64), k)
        shape = (len(near), len(near))
        mean = summed(np.full(near.size, 1.0 / k, np.float32), rows, near.ravel(), shape)
        return OwnAndNear(vectors, mean, self.own_share)

    def user_vectors(self, purchases: Purchases) -> sp.csr_array:
        """Decayed item frequency of each user, float32 ``[U, C]``."""
        baskets, first = np.unique(purchases.basket, return_index=True)
        owner = purchases.user[first]
        n_baskets = np.bincount(owner, minlength=purchases.n_users)[owner]
        # Ascending baskets: the last of a user has 0 later ones.
        later = np.searchsorted(owner, owner, side="right") - 1 - np.arange(len(owner))
        size = np.ceil(n_baskets / self.n_groups)
        group = later // size
        n_groups = np.ceil(n_baskets / size)
        in_group = np.where(group == n_groups - 1, n_baskets - group * size, size)
        weight = self.within_decay ** (later % size) / in_group
        weight *= self.group_decay**group / n_groups
        each = weight[np.searchsorted(baskets, purchases.basket)].astype(np.float32)
        shape = (purchases.n_users, purchases.n_columns)
        return summed(each, purchases.user, purchases.column, shape)


def nearest_users(vectors: sp.csr_array, k: int) -> Ints:
    """The ``k`` users with vectors nearest to each user's, int64 ``[U, k]``, block by block.

    Users without a vector are nobody's neighbours.
    """
    norms = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    norms[np.diff(vectors.indptr) == 0] = np.inf
    near = []
    for start in range(0, len(norms), _BLOCK):
        closeness = 2.0 * (vectors[start : start + _BLOCK] @ vectors.T).toarray() - norms
        own = np.arange(len(closeness))
        closeness[own, start + own] = -np.inf
        near.append(np.argpartition(-closeness, k - 1, axis=1)[:, :k])
    return np.concatenate(near)


@dataclass(frozen=True, slots=True)
class OwnAndNear:
    """User vectors and who is near whom."""

    vectors: sp.csr_array
    """float32 ``[U, C]``."""
    near: sp.csr_array
    """Rows sum to 1, float32 ``[U, U]``."""
    own_share: float

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``."""
        own = self.vectors[requests.user] * np.float32(self.own_share)
        near = (self.near[requests.user] @ self.vectors) * np.float32(1.0 - self.own_share)
        return np.asarray((own + near).toarray(), np.float32)
