"""Did it get better? Recall of the new items that users turn to in the last stretch of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from graph.config import GraphConfig
from graph.schema import Floats, GraphTables, Ints


@dataclass(frozen=True, slots=True)
class Holdout:
    """Users of the validation window, what they knew before and what was new to them in it.

    Shapes: ``users`` int64 ``[V]``; ``candidates`` int64 ``[C]``, items touched before the
    window; ``known`` and ``new`` bool ``[V, C]`` sparse.
    """

    users: Ints
    candidates: Ints
    known: sp.csr_array
    new: sp.csr_array

    def __len__(self) -> int:
        return len(self.users)


def holdout(
    pairs: sp.csr_array, window: GraphTables, config: GraphConfig, rng: np.random.Generator
) -> Holdout:
    """Who did something new in the window.

    Args:
        pairs: What users touched before the window, sparse ``[U, I]``.
        window: The events of the window.
        config: Gives the number of users.
        rng: Draws them.
    """
    before = sp.csr_array((pairs > 0).astype(bool))
    candidates = np.flatnonzero(before.sum(axis=0)).astype(np.int64)
    seen = np.ones(len(window), bool)
    after = sp.csr_array((seen, (window.user, window.item)), shape=before.shape)[:, candidates]
    before = before[:, candidates]
    new = sp.csr_array(after > before)
    users = np.flatnonzero(np.diff(new.indptr)).astype(np.int64)
    if len(users) > config.validation_users:
        users = np.sort(rng.choice(users, config.validation_users, replace=False))
    return Holdout(users, candidates, before[users], new[users])


def recall(users: Floats, items: Floats, held: Holdout, k: int) -> float:
    """Recall@k of the held-out users' new items among all they did not know; NaN without users.

    Args:
        users: User vectors float32 ``[U, G]``.
        items: Item vectors float32 ``[I, G]``.
        held: The question.
        k: Length of the list.
    """
    if not len(held):
        return float("nan")
    catalogue = items[held.candidates].T
    parts = [
        _recall_of(users[held.users[part]] @ catalogue, held.known[part], held.new[part], k)
        for part in np.array_split(np.arange(len(held)), len(held) // 256 + 1)
        if len(part)
    ]
    return float(np.concatenate(parts).mean())


def _recall_of(
    scores: Floats, known: sp.csr_array, new: sp.csr_array, k: int
) -> NDArray[np.float64]:
    scores[known.nonzero()] = -np.inf
    top = torch.topk(torch.from_numpy(scores), min(k, scores.shape[1]), dim=1).indices.numpy()
    rows = np.repeat(np.arange(len(scores)), top.shape[1])
    hits = np.asarray(new[rows, top.ravel()]).reshape(top.shape).sum(axis=1)
    found: NDArray[np.float64] = hits / np.diff(new.indptr)
    return found
