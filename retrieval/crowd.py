"""What people with the same taste take (user-kNN), as of a moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.kernels import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

MAX_PEOPLE = 20_000
"""The most active users stand for all: more neighbours to choose from change little."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """People and what they take.

    Shapes: ``row`` int64 ``[P]``, the user of each, ascending; ``taste`` float32 ``[P, G]``, unit
    rows; ``profile`` ``[P, I]``, each person's decayed visits with the item over all their visits.
    """

    row: Ints
    taste: Floats
    profile: sparse.csr_matrix

    def scores(self, taste: Floats, own_row: int | None, *, n: int = 40) -> Floats:
        """Mean profile of the ``n`` people nearest in taste, float32 ``[I]``.

        The neighbour part of TIFU-KNN (Hu et al. 2020, arXiv:2006.00556), with neighbours
        found in the space of the graph.

        Args:
            taste: The user's vector, float32 ``[G]``.
            own_row: The user, who is no neighbour of their own; None if the run has no such user.
            n: Neighbours.
        """
        n_items = self.profile.shape[1]
        likeness = self.taste @ taste
        n = min(n, len(likeness) - self._leave_out(own_row, likeness))
        if n <= 0:
            return np.zeros(n_items, dtype=np.float32)
        nearest = np.argpartition(-likeness, n - 1)[:n]
        profile = self.profile
        return _mean(profile.indptr, profile.indices, profile.data, nearest, n_items)

    def _leave_out(self, own_row: int | None, likeness: Floats) -> int:
        """Put a user behind all others; gives how many people that leaves out."""
        if own_row is None:
            return 0
        at = int(np.searchsorted(self.row, own_row))
        if at == len(self.row) or self.row[at] != own_row:
            return 0
        likeness[at] = -np.inf
        return 1


@kernel
def _mean(
    ends: NDArray[np.int32],
    item: NDArray[np.int32],
    share: Floats,
    people: Ints,
    n_items: int,
) -> Floats:
    """Mean of some rows of a sparse table ``[P, I]``, dense: float32 ``[I]``.

    Args:
        ends: int32 ``[P + 1]``: where each row begins in what follows, and the end.
        item: int32 ``[N]``.
        share: float32 ``[N]``.
        people: int64 ``[n]``, the rows; at least one.
        n_items: I.
    """
    total = np.zeros(n_items, np.float64)
    for person in people:
        for at in range(ends[person], ends[person + 1]):
            total[item[at]] += share[at]
    mean = np.empty(n_items, np.float32)
    for row in range(n_items):
        mean[row] = np.float32(total[row]) / np.float32(len(people))
    return mean


def no_crowd(n_items: int, width: int) -> Crowd:
    """The crowd of a shop that nobody has visited."""
    none = np.zeros(0, dtype=np.int64)
    empty = sparse.csr_matrix((none.astype(np.float32), (none, none)), shape=(0, n_items))
    return Crowd(np.zeros(0, np.int64), np.zeros((0, width), np.float32), empty)


def gather_crowd(
    user: Ints,
    item: Ints,
    weight: Floats,
    visits: Floats,
    taste: Floats,
    *,
    n_items: int,
) -> Crowd:
    """A crowd from decayed events.

    Args:
        user: int64 ``[E]``.
        item: int64 ``[E]``.
        weight: float32 ``[E]``, decayed.
        visits: float32 ``[U]``, decayed visits of each user; 0 for those without any.
        taste: float32 ``[U, G]`` unit rows.
        n_items: I.
    """
    people = np.argsort(-visits, kind="stable")[:MAX_PEOPLE]
    people = np.sort(people[visits[people] > 0])
    place = np.full(len(visits), -1, dtype=np.int64)
    place[people] = np.arange(len(people))
    inside = place[user] >= 0
    share = weight[inside] / (visits[user[inside]] + 0.5)
    profile = sparse.csr_matrix(
        (share.astype(np.float32), (place[user[inside]], item[inside])),
        shape=(len(people), n_items),
    )
    return Crowd(people.astype(np.int64), taste[people], profile)
