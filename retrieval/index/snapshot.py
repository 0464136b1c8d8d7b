"""An index at one moment, and the writer that leads from one moment to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.index.allowed import Bits, Rows, is_set
from retrieval.index.base import Vectors
from retrieval.index.fresh import Fresh, FreshBuffer
from retrieval.index.log import Change, ChangeKind
from retrieval.index.lone import LoneSearches
from retrieval.index.segment import Living, Segment


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What a search sees: never changed, only followed by another."""

    base: Segment
    living: Living
    """Which vectors of the base still count."""
    fresh: Fresh
    """What was added since the base was built."""
    lone: LoneSearches | None = None
    """The short way through the base for one query, while all of the base counts."""

    def __len__(self) -> int:
        return self.living.count + self.fresh.count

    @property
    def dead(self) -> int:
        """Vectors that are stored but do not count."""
        return len(self.base) - self.living.count + len(self.fresh.rows) - self.fresh.count

    @property
    def bytes(self) -> float:
        """Memory that answering needs; vectors that are re-scored are not counted."""
        fresh = self.fresh.vectors.nbytes + self.fresh.rows.nbytes + self.fresh.alive.nbytes
        bitmap = 0 if self.living.bits is None else self.living.bits.nbytes
        return self.base.bytes + fresh + bitmap

    @property
    def is_base(self) -> bool:
        """Whether there is nothing but the base."""
        return not self.fresh.count and self.living.count == len(self.base)


class Writer:
    """Applies changes one after another; the caller sees to it that they do not meet."""

    def __init__(self, base: Segment) -> None:
        self._base = base
        self._bits: Bits | None = None
        self._living = len(base)
        self._fresh = FreshBuffer(int(base.index.d))
        self._lone = LoneSearches.fit(base)

    @property
    def unsettled(self) -> int:
        """What the next compaction will settle: fresh rows and dead ones of the base."""
        return len(self._fresh) + len(self._base) - self._living

    def held(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of the rows ``[n]`` the index holds."""
        held = self._fresh.held(rows)
        at = self._in_base(rows)
        held[at >= 0] = True
        return held

    def apply(self, change: Change) -> int:
        """Make a change; returns how many of its rows were held before."""
        at = self._in_base(change.rows)
        dying = at[at >= 0]
        if dying.size:
            self._bits = _cleared(self._bits, dying, len(self._base))
            self._living -= len(dying)
        if change.kind is ChangeKind.TAKE:
            return len(dying) + self._fresh.take(change.rows)
        before = len(self._fresh)
        self._fresh.put(change.rows, change.vectors)
        return len(dying) + len(change.rows) - (len(self._fresh) - before)

    def snapshot(self) -> Snapshot:
        """The index as it is now."""
        living = Living(self._bits, self._living)
        lone = self._lone if self._bits is None else None
        return Snapshot(self._base, living, self._fresh.view(), lone)

    def _in_base(self, rows: Rows) -> Rows:
        """Positions ``[n]`` in the base, -1 where a row is not there or does not count."""
        held = self._base.rows
        if not len(held):
            return np.full(len(rows), -1)
        at = np.minimum(np.searchsorted(held, rows), len(held) - 1)
        found = held[at] == rows
        if self._bits is not None:
            found &= is_set(self._bits, at)
        return np.where(found, at, -1)


def empty_change(dim: int, rows: Rows) -> Change:
    """The change that takes rows ``[n]`` out."""
    vectors: Vectors = np.zeros((0, dim), np.float32)
    return Change(ChangeKind.TAKE, rows, vectors)


def _cleared(bits: Bits | None, positions: Rows, n: int) -> Bits:
    """A copy of a bitmap over ``n`` places without the positions; None stands for all set."""
    fresh = np.full(-(-n // 8), 255, np.uint8) if bits is None else bits.copy()
    np.bitwise_and.at(fresh, positions >> 3, ~(1 << (positions & 7)).astype(np.uint8))
    return fresh
