"""Candidates from several channels, merged; each remembers all that it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.kernels import kernel
from retrieval.strongest import strongest, strongest_open
from retrieval.totals import distinct

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Bits = NDArray[np.uint16]
Ranks = NDArray[np.int32]

MAX_CHANNELS = 16
"""Channels of one request, at most: a candidate remembers them in the bits of a uint16."""


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
    return Channel(name, *strongest(_ints(rows), _floats(scores), n))


def top_open(name: str, rows: Ints, scores: Floats, is_open: Bools, n: int) -> Channel:
    """:func:`top_rows` of the rows that a mask, bool ``[I]``, leaves."""
    return Channel(name, *strongest_open(_ints(rows), _floats(scores), is_open, n))


def merge(channels: Sequence[Channel]) -> Candidates:
    """All that any channel proposes; each channel has kept to its quota already.

    Raises:
        ValueError: There are more channels than a candidate can remember.
    """
    if len(channels) > MAX_CHANNELS:
        raise ValueError(f"got {len(channels)} channels, expected at most {MAX_CHANNELS}")
    sizes = np.array([len(channel.rows) for channel in channels], np.int64)
    proposed = np.concatenate([np.zeros(0, np.int64), *(channel.rows for channel in channels)])
    rows = distinct(proposed)
    return Candidates(rows, tuple(channels), *_merged(rows, proposed, sizes))


@kernel
def _merged(rows: Ints, proposed: Ints, sizes: Ints) -> tuple[Bits, Ranks]:
    """The bits of each row's channels and its best rank.

    Args:
        rows: ``[C]``, ascending and distinct.
        proposed: The same rows, channel after channel.
        sizes: How many rows each channel has.
    """
    place = np.empty(rows[-1] + 1 if len(rows) else 0, np.int32)
    for at in range(len(rows)):
        place[rows[at]] = at
    found_by, best_rank = np.zeros(len(rows), np.uint16), np.zeros(len(rows), np.int32)
    first = 0
    for channel in range(len(sizes)):
        for rank in range(1, sizes[channel] + 1):
            at = place[proposed[first + rank - 1]]
            found_by[at] |= np.uint16(1 << channel)
            if best_rank[at] == 0 or rank < best_rank[at]:
                best_rank[at] = rank
        first += sizes[channel]
    return found_by, best_rank


def _ints(rows: Ints) -> Ints:
    return np.ascontiguousarray(rows, np.int64)


def _floats(scores: Floats) -> Floats:
    return np.ascontiguousarray(scores, np.float32)
