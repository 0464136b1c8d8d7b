"""Full ranking of all items: the question, and Recall@20 and NDCG@20 per user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.evaluate.bootstrap import Interval, difference_interval, ratio_interval
from graph import GraphTables

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]
Float64: TypeAlias = NDArray[np.float64]
Score: TypeAlias = Callable[[Ints], Floats]
"""User rows ``[B]`` to scores of all items, float32 ``[B, I]``, higher is better."""

K = 20
USERS_PER_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Question:
    """What users will touch next, asked of what is known before.

    Shapes: ``users`` int64 ``[B]``; ``known`` and ``chosen`` sparse ``[U, I]``; nothing is in
    both.
    """

    past: GraphTables
    users: Ints
    known: sp.csr_array
    chosen: sp.csr_array

    def some(self, n: int, seed: int = 0) -> Question:
        """The same question to at most ``n`` users, drawn by the seed."""
        drawn = np.random.default_rng(seed).permutation(len(self.users))[:n]
        return Question(self.past, np.sort(self.users[drawn]), self.known, self.chosen)


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """What a method's full rankings are worth, per user: float64 ``[B]``."""

    method: str
    recall: Float64
    ndcg: Float64


def question(tables: GraphTables, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Question:
    """Ask users with a past for the items new to them among the events that a mask selects."""
    known, later = _touched(tables, before), _touched(tables, after)
    chosen = sp.csr_array(later - later.multiply(known))
    chosen.eliminate_zeros()
    users = np.flatnonzero((np.diff(known.indptr) > 0) & (np.diff(chosen.indptr) > 0))
    return Question(tables.where(before), users.astype(np.int64), known, chosen)


def rank(method: str, score: Score, asked: Question, k: int = K) -> Ranking:
    """Rank all items that each user does not know yet, and count what they then chose."""
    parts = np.array_split(asked.users, len(asked.users) // USERS_PER_CHUNK + 1)
    found = [_measured(score(users), users, asked, k) for users in parts if len(users)]
    recall, ndcg = (np.concatenate(column) for column in zip(*found, strict=True))
    return Ranking(method, recall, ndcg)


def mean_of(method: str, runs: list[Ranking]) -> Ranking:
    """The same users' figures averaged over seeds."""
    recall = np.mean([run.recall for run in runs], axis=0)
    return Ranking(method, recall, np.mean([run.ndcg for run in runs], axis=0))


def gain(ours: Ranking, theirs: Ranking) -> Interval:
    """Recall of ours less theirs, paired over users."""
    return difference_interval(ours.recall, theirs.recall)


def ratio(ours: Ranking, theirs: Ranking) -> Interval:
    """Recall of ours over theirs, paired over users."""
    return ratio_interval(ours.recall, theirs.recall)


def _measured(scores: Floats, users: Ints, asked: Question, k: int) -> tuple[Float64, Float64]:
    scores = np.array(scores, np.float32)
    scores[asked.known[users].nonzero()] = -np.inf
    top = np.argpartition(-scores, k, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    chosen = asked.chosen[users]
    rows = np.repeat(np.arange(len(users)), k)
    hits = np.asarray(chosen[rows, top.ravel()]).reshape(top.shape) > 0
    wanted = np.diff(chosen.indptr)
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(wanted, k) - 1]
    return hits.sum(axis=1) / wanted, (hits @ discount) / ideal


def _touched(tables: GraphTables, mask: NDArray[np.bool_]) -> sp.csr_array:
    pairs = (tables.user[mask], tables.item[mask])
    shape = (tables.n_users, tables.n_items)
    touched = sp.csr_array((np.ones(len(pairs[0]), np.float32), pairs), shape=shape)
    touched.data[:] = 1
    return touched
