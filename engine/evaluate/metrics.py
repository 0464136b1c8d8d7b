"""How good a ranking is, request by request: float64 ``[B]`` each, between 0 and 1.

Relevance is binary. Every function takes ``rows`` int64 ``[B, K]`` (best first, distinct),
``valid`` bool ``[B, K]`` (False where a list has ended) and, per request, its target rows.
A request without targets scores 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.evaluate.protocol import Bools, flat_targets
from engine.interactions import Ints

PerRequest = NDArray[np.float64]


def hits(rows: Ints, valid: Bools, targets: Sequence[Ints]) -> Bools:
    """Which answers are targets of their own request, bool ``[B, K]``."""
    if rows.shape != valid.shape or len(rows) != len(targets):
        raise ValueError(
            f"rows {rows.shape}, valid {valid.shape} and {len(targets)} target lists do not "
            "match: expected [B, K], [B, K] and B"
        )
    owner, item = flat_targets(targets)
    width = int(max(rows.max(initial=0), item.max(initial=0))) + 1
    request = np.arange(len(rows), dtype=np.int64)[:, None]
    return np.isin(request * width + rows, owner * width + item) & valid


def recall_at_k(rows: Ints, valid: Bools, targets: Sequence[Ints], k: int) -> PerRequest:
    """Share of the targets among the first ``k`` answers."""
    found = hits(rows, valid, targets)[:, : _checked(k)].sum(axis=1)
    return _divided(found, _counts(targets))


def ndcg_at_k(rows: Ints, valid: Bools, targets: Sequence[Ints], k: int) -> PerRequest:
    """Discounted gain over that of the ideal list, which has ``min(k, targets)`` hits.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002.
    """
    found = hits(rows, valid, targets)[:, : _checked(k)]
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    gain = np.where(found, discount[: found.shape[1]], 0.0).sum(axis=1)
    return _divided(gain, ideal[np.minimum(_counts(targets), k)])


def hit_at_k(rows: Ints, valid: Bools, targets: Sequence[Ints], k: int) -> PerRequest:
    """1 where any of the first ``k`` answers is a target."""
    return np.asarray(hits(rows, valid, targets)[:, : _checked(k)].any(axis=1), np.float64)


def reciprocal_rank(rows: Ints, valid: Bools, targets: Sequence[Ints]) -> PerRequest:
    """One over the rank of the first target, 0 where none is found; its mean is MRR."""
    found = hits(rows, valid, targets)
    if found.shape[1] == 0:
        return np.zeros(len(found))
    return _divided(found.any(axis=1), found.argmax(axis=1) + 1)


def average_precision(rows: Ints, valid: Bools, targets: Sequence[Ints]) -> PerRequest:
    """Precision at each target's rank, summed, over the number of targets; its mean is MAP."""
    found = hits(rows, valid, targets)
    precision = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    return _divided((precision * found).sum(axis=1), _counts(targets))


def _counts(targets: Sequence[Ints]) -> Ints:
    return np.array([len(items) for items in targets], np.int64)


def _checked(k: int) -> int:
    if k < 1:
        raise ValueError(f"k is {k}: expected at least 1")
    return k


def _divided(numerator: ArrayLike, denominator: ArrayLike) -> PerRequest:
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    quotient: PerRequest = np.zeros_like(top)
    np.divide(top, bottom, out=quotient, where=bottom > 0)
    return quotient
