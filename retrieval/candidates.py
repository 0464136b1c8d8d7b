"""Candidates from several channels, merged; each remembers all that it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Bits = NDArray[np.uint16]
Ranks = NDArray[np.int32]

MAX_CHANNELS = 16
"""Channels of one request, at most: a candidate remembers them in the bits of a uint16."""

_BITS = np.left_shift(np.uint16(1), np.arange(MAX_CHANNELS, dtype=np.uint16))
_RANKS = np.arange(1, 1_025, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Channel:
    """What one source proposes, best first: distinct int64 rows ``[N]``, float32 scores ``[N]``."""

    name: str
    rows: Ints
    scores: Floats

    def first(self, n: int) -> Channel:
        """The best ``n``."""
        return Channel(self.name, self.rows[:n], self.scores[:n])


@dataclass(frozen=True, slots=True)
class Candidates:
    """The union of the channels: distinct rows ``[C]``, ascending, and where each came from."""

    rows: Ints
    channels: tuple[Channel, ...]
    found_by: Bits
    """uint16 ``[C]``: bit ``i`` is set where ``channels[i]`` proposed the item."""
    best_rank: Ranks
    """int32 ``[C]``: the item's best rank in any channel, from 1."""

    def origins(self, row: int) -> tuple[tuple[str, int, float], ...]:
        """Channel, rank in it (from 1) and score there, for one candidate."""
        found = []
        for channel in self.channels:
            for at in np.flatnonzero(channel.rows == row):
                found.append((channel.name, int(at) + 1, float(channel.scores[at])))
        return tuple(found)

    def keep(self, mask: Bools) -> Candidates:
        """The candidates that a bool mask ``[C]`` selects; the channels stay whole."""
        return Candidates(self.rows[mask], self.channels, self.found_by[mask], self.best_rank[mask])


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
    """All that any channel proposes; each channel has kept to its quota already.

    Raises:
        ValueError: There are more channels than a candidate can remember.
    """
    if len(channels) > MAX_CHANNELS:
        raise ValueError(f"got {len(channels)} channels, expected at most {MAX_CHANNELS}")
    sizes = [len(channel.rows) for channel in channels]
    proposed = np.concatenate([np.zeros(0, np.int64), *(channel.rows for channel in channels)])
    rows, at = np.unique(proposed, return_inverse=True)
    found_by = np.zeros(len(rows), dtype=np.uint16)
    np.bitwise_or.at(found_by, at, np.repeat(_BITS[: len(sizes)], sizes))
    best_rank = np.full(len(rows), np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(best_rank, at, np.concatenate([_RANKS[:0], *map(_ranks, sizes)]))
    return Candidates(rows, tuple(channels), found_by, best_rank)


def _ranks(n: int) -> Ranks:
    """1 to ``n``."""
    return _RANKS[:n] if n <= len(_RANKS) else np.arange(1, n + 1, dtype=np.int32)
