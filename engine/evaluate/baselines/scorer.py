"""The contract of a baseline, and how its scores become lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import scipy.sparse as sp

from engine.evaluate.baselines.purchases import Purchases, Weighting
from engine.evaluate.protocol import Bools, Ranked, Requests
from engine.interactions import Floats, Ints

_CHUNK = 256


class Scorer(Protocol):
    """A fitted baseline."""

    def score(self, requests: Requests) -> Floats:
        """Score of each candidate, float32 ``[B, C]``, higher is better, a fresh array."""
        ...


class Baseline(Protocol):
    """The settings of a baseline: a frozen dataclass, so that it can be tuned and compared."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def fit(self, purchases: Purchases) -> Scorer:
        """Learn from what was bought before the cut."""
        ...


@dataclass(frozen=True, slots=True)
class ScoreRanker:
    """Ranks by a scorer: masks what may not be recommended, then takes the exact best.

    Equal scores are ordered by item row, so the same scores always give the same lists.
    """

    name: str
    scorer: Scorer
    candidate_rows: Ints
    """Item row of each column of the scores, int64 ``[C]``, ascending."""
    had: sp.csr_array
    """Non-zero where a user had a candidate before the cut, ``[U, C]``."""

    @classmethod
    def fitted(cls, name: str, baseline: Baseline, purchases: Purchases) -> ScoreRanker:
        """Fit a baseline and wrap it."""
        had = purchases.matrix(Weighting())
        return cls(name, baseline.fit(purchases), purchases.candidate_rows, had)

    def rank(self, requests: Requests, k: int, *, new_only: bool) -> Ranked:
        """See :class:`engine.evaluate.rankers.Ranker`; memory is bounded by chunks of requests."""
        every, new = self._rank(requests, k, new_only=new_only, both=False)
        return new if new_only else every

    def rank_both(self, requests: Requests, k: int) -> tuple[Ranked, Ranked]:
        """All-items and new-items lists of the same requests, scored once."""
        return self._rank(requests, k, new_only=True, both=True)

    def _rank(
        self, requests: Requests, k: int, *, new_only: bool, both: bool
    ) -> tuple[Ranked, Ranked]:
        every, new = [_no_answers(k)], [_no_answers(k)]
        for start in range(0, len(requests), _CHUNK):
            chunk = requests[start : start + _CHUNK]
            scores = self.scorer.score(chunk)
            if both or not new_only:
                every.append(self._best(scores, k))
            if both or new_only:
                had = self.had[chunk.user]
                row, column = had.nonzero()
                scores[row, column] = -np.inf
                new.append(self._best(scores, k))
        return _joined(every), _joined(new)

    def _best(self, scores: Floats, k: int) -> Ranked:
        columns, valid = top_k(scores, k)
        return Ranked(np.where(valid, self.candidate_rows[columns], 0), valid)


def top_k(scores: Floats, k: int) -> tuple[Ints, Bools]:
    """The columns of the ``k`` highest scores of each row, best first; ties to the lower column.

    Args:
        scores: float32 ``[B, C]``; ``-inf`` is never an answer.
        k: Length of the lists.

    Returns:
        Columns int64 ``[B, k]`` and valid bool ``[B, k]`` (False, column 0, where a row ends).

    Raises:
        ValueError: A score is not a number.
    """
    n_rows, n_columns = scores.shape
    columns, valid = np.zeros((n_rows, k), np.int64), np.zeros((n_rows, k), np.bool_)
    if np.isnan(scores).any():
        raise ValueError("scores hold NaN: a baseline must score every candidate, or give -inf")
    kth = min(k, n_columns)
    if kth == 0 or n_rows == 0:
        return columns, valid
    threshold = np.partition(scores, n_columns - kth, axis=1)[:, n_columns - kth]
    row, column = np.nonzero((scores >= threshold[:, None]) & (scores > -np.inf))
    order = np.lexsort((column, -scores[row, column], row))
    row, column = row[order], column[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = rank < k
    columns[row[kept], rank[kept]] = column[kept]
    valid[row[kept], rank[kept]] = True
    return columns, valid


def _no_answers(k: int) -> Ranked:
    return Ranked(np.empty((0, k), np.int64), np.empty((0, k), np.bool_))


def _joined(parts: list[Ranked]) -> Ranked:
    return Ranked(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.valid for part in parts]),
    )
