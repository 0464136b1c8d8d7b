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
        """Channel, rank in it (from 1) and score there, for one candidate; nothing for others."""
        place = int(np.searchsorted(self.rows, row))
        if place == len(self.rows) or self.rows[place] != row:
            return ()
        bits = int(self.found_by[place])
        found = []
        for i, channel in enumerate(self.channels):
            if bits >> i & 1:
                at = int((channel.rows == row).argmax())
                found.append((channel.name, at + 1, float(channel.scores[at])))
        return tuple(found)

    def keep(self, which: Bools | Ints) -> Candidates:
        """The candidates that a bool mask ``[C]``, or ascending positions in it, select.

        The channels stay whole.
        """
        return Candidates(
            self.rows[which], self.channels, self.found_by[which], self.best_rank[which]
        )


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
    order = np.argsort(proposed)
    by_row = proposed[order]
    begins = np.flatnonzero(np.diff(by_row, prepend=-1))  # rows are not negative
    if not len(begins):
        return Candidates(by_row, tuple(channels), _BITS[:0], _RANKS[:0])
    bits = np.repeat(_BITS[: len(sizes)], sizes)[order]
    ranks = np.concatenate([*map(_ranks, sizes)])[order]
    return Candidates(
        by_row[begins],
        tuple(channels),
        np.bitwise_or.reduceat(bits, begins),
        np.minimum.reduceat(ranks, begins),
    )


def _ranks(n: int) -> Ranks:
    """1 to ``n``."""
    return _RANKS[:n] if n <= len(_RANKS) else np.arange(1, n + 1, dtype=np.int32)
