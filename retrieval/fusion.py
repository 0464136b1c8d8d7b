"""Several ranked lists made one: reciprocal rank fusion, which needs no common scale of scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrieval.candidates import Candidates, Channel, Floats, Ints, top_rows

SMOOTHING = 60.0
"""The constant of Cormack, Clarke and Buettcher (2009): how little the first ranks stand out."""


def reciprocal_ranks(
    channels: Sequence[Channel],
    rows: Ints,
    *,
    weights: Sequence[float] | None = None,
    smoothing: float = SMOOTHING,
) -> Floats:
    r"""Fused scores of some rows, float32 ``[C]``; 0 for a row that no channel holds.

    .. math:: s(i) = \sum_{c \ni i} w_c / (k + rank_c(i))

    Args:
        channels: Ranked lists, best first; their scores are not read.
        rows: int64 ``[C]``, ascending and distinct.
        weights: One a channel; None counts all alike.
        smoothing: k.

    Raises:
        ValueError: There are not as many weights as channels, or ``smoothing`` is below 0.
    """
    shares = [1.0] * len(channels) if weights is None else weights
    if len(shares) != len(channels) or smoothing < 0:
        raise ValueError(
            f"got {len(shares)} weights for {len(channels)} channels and smoothing {smoothing}: "
            "expected one weight a channel and a smoothing from 0 on"
        )
    fused = np.zeros(len(rows), dtype=np.float64)
    for channel, share in zip(channels, shares, strict=True):
        at = np.searchsorted(rows, channel.rows)
        held = at < len(rows)
        held[held] = rows[at[held]] == channel.rows[held]
        rank = np.flatnonzero(held) + 1.0 + smoothing
        fused[at[held]] += share / rank
    return fused.astype(np.float32)


def fuse(
    name: str,
    channels: Sequence[Channel],
    n: int,
    *,
    weights: Sequence[float] | None = None,
    smoothing: float = SMOOTHING,
) -> Channel:
    """The ``n`` best rows of several channels by reciprocal rank fusion, as one channel.

    Args:
        name: Of the fused channel.
        channels: Ranked lists, best first.
        n: Rows kept.
        weights: One a channel; None counts all alike.
        smoothing: As of :func:`reciprocal_ranks`.

    Raises:
        ValueError: As :func:`reciprocal_ranks`.
    """
    proposed = [channel.rows for channel in channels]
    rows = np.unique(np.concatenate([np.zeros(0, np.int64), *proposed]))
    scores = reciprocal_ranks(channels, rows, weights=weights, smoothing=smoothing)
    return top_rows(name, rows, scores, n)


def within(candidates: Candidates, most: int) -> Candidates:
    """The ``most`` candidates on which the channels agree best, by reciprocal rank fusion.

    Each channel keeps to its own quota before; this bounds what they propose together.
    """
    if len(candidates.rows) <= most:
        return candidates
    scores = reciprocal_ranks(candidates.channels, candidates.rows)
    kept = top_rows("fused", candidates.rows, scores, most).rows
    return candidates.keep(np.isin(candidates.rows, kept))
