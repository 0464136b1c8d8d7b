"""Candidates from several channels, merged; each remembers where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Channel:
    """What one source proposes, best first: distinct int64 rows ``[N]``, float32 scores ``[N]``."""

    name: str
    rows: Ints
    scores: Floats


@dataclass(frozen=True, slots=True)
class Candidates:
    """The union of the channels: distinct rows ``[C]``, ascending."""

    rows: Ints
    channels: tuple[Channel, ...]

    def origins(self, row: int) -> tuple[tuple[str, int, float], ...]:
        """Channel, rank in it (from 1) and score there, for one candidate."""
        found = []
        for channel in self.channels:
            for at in np.flatnonzero(channel.rows == row):
                found.append((channel.name, int(at) + 1, float(channel.scores[at])))
        return tuple(found)


def top_of(name: str, scores: Floats, allowed: Bools, n: int) -> Channel:
    """The ``n`` best-scored allowed items whose score is above zero.

    Args:
        name: The channel.
        scores: float32 ``[I]``.
        allowed: bool ``[I]``.
        n: Quota of the channel.
    """
    rows = np.flatnonzero(allowed & (scores > 0))
    return top_rows(name, rows, scores[rows], n)


def top_rows(name: str, rows: Ints, scores: Floats, n: int) -> Channel:
    """The ``n`` best of some rows; ties go to the lower row, so that answers repeat.

    Args:
        name: The channel.
        rows: int64 ``[N]``, distinct.
        scores: float32 ``[N]``.
        n: Quota of the channel.
    """
    if 0 < n < len(rows):
        near = scores >= np.partition(scores, -n)[-n]  # ties at the cut are settled below
        rows, scores = rows[near], scores[near]
    order = np.lexsort((rows, -scores))[:n]
    return Channel(name, rows[order].astype(np.int64), scores[order].astype(np.float32))


def merge(channels: Sequence[Channel]) -> Candidates:
    """All that any channel proposes; each channel has kept to its quota already."""
    rows = [channel.rows for channel in channels]
    union = np.unique(np.concatenate(rows)) if rows else np.zeros(0, dtype=np.int64)
    return Candidates(union.astype(np.int64), tuple(channels))
