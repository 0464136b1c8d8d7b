"""What was added since the base was built: few vectors, all compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.index.allowed import Allowed
from retrieval.index.base import Neighbours, Rows, Vectors
from retrieval.index.exact import search_all

_LEAST_ROOM = 256


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """Added vectors at one moment; the arrays are never changed where this sees them."""

    rows: Rows
    """int64 ``[n]``, in the order of arrival; a row may stand there again, once alive."""
    vectors: Vectors
    """float32 ``[n, D]``."""
    alive: NDArray[np.bool_]
    """bool ``[n]``: False where the row was taken out or got a newer vector."""
    count: int
    """How many are alive."""

    def search(self, queries: Vectors, k: int, allowed: Allowed | None) -> Neighbours:
        """The best ``k`` of the alive (and allowed) rows for queries ``[Q, D]``."""
        if allowed is None and self.count == len(self.rows):
            return search_all(self.rows, self.vectors, queries, k)
        if allowed is None:
            return search_all(self.rows[self.alive], self.vectors[self.alive], queries, k)
        kept = np.flatnonzero(self.alive & allowed.has(self.rows))
        kept = kept[np.argsort(self.rows[kept])]
        return search_all(self.rows[kept], self.vectors[kept], queries, k)

    def living(self) -> tuple[Rows, Vectors]:
        """Alive rows ``[count]`` ascending, and their vectors."""
        rows, vectors = self.rows[self.alive], self.vectors[self.alive]
        order = np.argsort(rows)
        return rows[order], vectors[order]


class FreshBuffer:
    """The writer's side of :class:`Fresh`: appends behind what readers see."""

    def __init__(self, dim: int) -> None:
        self._rows = np.zeros(0, np.int64)
        self._vectors = np.zeros((0, dim), np.float32)
        self._alive = np.zeros(0, np.bool_)
        self._n = 0
        self._slots: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def held(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of the rows ``[n]`` are alive here."""
        return np.fromiter((row in self._slots for row in rows.tolist()), np.bool_, len(rows))

    def put(self, rows: Rows, vectors: Vectors) -> None:
        """Append distinct rows ``[n]`` with vectors ``[n, D]``; older ones of them die."""
        self.take(rows)
        self._make_room(len(rows))
        upto = self._n + len(rows)
        self._rows[self._n : upto], self._vectors[self._n : upto] = rows, vectors
        self._alive[self._n : upto] = True
        self._slots.update(zip(rows.tolist(), range(self._n, upto), strict=True))
        self._n = upto

    def take(self, rows: Rows) -> int:
        """Let rows die; returns how many were alive."""
        slots = [slot for row in rows.tolist() if (slot := self._slots.pop(row, None)) is not None]
        if slots:
            self._alive = self._alive.copy()  # readers keep the mask that they have
            self._alive[slots] = False
        return len(slots)

    def view(self) -> Fresh:
        """What a search may see from now on."""
        upto = self._n
        return Fresh(self._rows[:upto], self._vectors[:upto], self._alive[:upto], len(self._slots))

    def _make_room(self, n: int) -> None:
        """Grow twofold when full, leaving the dead behind."""
        if self._n + n <= len(self._rows):
            return
        kept = np.flatnonzero(self._alive[: self._n])
        room = max(2 * (len(kept) + n), _LEAST_ROOM)
        rows, vectors = (
            np.zeros(room, np.int64),
            np.zeros((room, self._vectors.shape[1]), np.float32),
        )
        rows[: len(kept)], vectors[: len(kept)] = self._rows[kept], self._vectors[kept]
        self._rows, self._vectors = rows, vectors
        self._alive = np.arange(room) < len(kept)
        self._n = len(kept)
        self._slots = dict(zip(rows[: self._n].tolist(), range(self._n), strict=True))
