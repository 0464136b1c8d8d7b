"""One measured figure with its interval, and the ranks and shares that figures are made of.

Intervals are percentile bootstraps (Efron 1979) over queries: 2,000 resamples, seed 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
Bool: TypeAlias = NDArray[np.bool_]
EncodeImages: TypeAlias = Callable[[Sequence[bytes]], Float32]
"""n picture files as bytes to unit rows ``[n, D]``."""
EncodeTexts: TypeAlias = Callable[[Sequence[str]], Float32]
"""n texts to unit rows ``[n, D]``."""

RESAMPLES = 2000
SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """The mean of one score per query, with its 95% interval.

    Attributes:
        case: Its name, such as ``fashion_t2i_r10``.
        value: The mean.
        low: 2.5% bound of the bootstrap.
        high: 97.5% bound.
        queries: How many queries were asked.
        gallery: Among how many answers.
        scores: What is averaged, ``[Q]`` float64: one row per query, or per photo where several
            queries belong to one photo and are no independent draws.
    """

    case: str
    value: float
    low: float
    high: float
    queries: int
    gallery: int
    scores: Float64


def figure(case: str, scores: NDArray[np.generic], gallery: int, queries: int = 0) -> Figure:
    """Average scores ``[Q]`` into a figure; `queries` where a score stands for several."""
    rows = np.asarray(scores, dtype=np.float64)
    low, high = interval(resampled_means(rows))
    return Figure(case, float(rows.mean()), low, high, queries or len(rows), gallery, rows)


def resampled_means(scores: Float64) -> Float64:
    """Means of bootstrap resamples; rows of equal number are resampled alike.

    Shapes:
        - scores ``[Q]`` or ``[Q, n]`` float64
        - returns ``[2000]`` or ``[2000, n]`` float64
    """
    rng = np.random.default_rng(SEED)
    n = len(scores)
    return np.stack([scores[rng.integers(0, n, n)].mean(axis=0) for _ in range(RESAMPLES)])


def interval(values: Float64) -> tuple[float, float]:
    """The middle 95% of resampled values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def difference(ours: Figure, theirs: Figure) -> tuple[float, float, float]:
    """Ours minus theirs on the same queries: estimate, low, high (paired bootstrap)."""
    apart = ours.scores - theirs.scores
    return float(apart.mean()), *interval(resampled_means(apart))


def ratio(ours: Figure, theirs: Figure) -> tuple[float, float, float]:
    """Ours over theirs on the same queries: estimate, low, high (paired bootstrap).

    A resample in which theirs is 0 counts as infinitely better.
    """
    means = resampled_means(np.column_stack([ours.scores, theirs.scores]))
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = interval(np.nan_to_num(means[:, 0] / means[:, 1], nan=1.0, posinf=1e9))
        return float(np.float64(ours.value) / theirs.value), low, high


def first_ranks(scores: Float32, relevant: Bool) -> NDArray[np.int64]:
    """Rank of the best right answer, from 1; among equal scores it stands last.

    Shapes:
        - scores ``[Q, G]`` float, relevant ``[Q, G]`` bool
        - returns ``[Q]`` int64
    """
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)
    ahead: NDArray[np.int64] = ((scores >= best) & ~relevant).sum(axis=1)
    return 1 + ahead


def recall_at(scores: Float32, relevant: Bool, k: int) -> Float64:
    """Share of each query's right answers that stand among its first k, ``[Q]`` float64."""
    found: Float64 = _ranked(scores, relevant)[:, :k].sum(axis=1) / relevant.sum(axis=1)
    return found


def ndcg_at(scores: Float32, relevant: Bool, k: int) -> Float64:
    """NDCG with gain 1 per right answer (Järvelin and Kekäläinen 2002), ``[Q]`` float64."""
    width = min(k, scores.shape[1])
    discounts = 1 / np.log2(np.arange(2, width + 2))
    gained = _ranked(scores, relevant)[:, :width] @ discounts
    ideal = np.cumsum(discounts)[np.minimum(relevant.sum(axis=1), width) - 1]
    normalised: Float64 = gained / ideal
    return normalised


def _ranked(scores: Float32, relevant: Bool) -> Bool:
    """Which ranks hold a right answer; among equal scores the right ones stand last."""
    order = np.lexsort((relevant, -scores), axis=1)
    ranked: Bool = np.take_along_axis(relevant, order, axis=1)
    return ranked
