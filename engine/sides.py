"""What each item looks like and what it reads like: the fused vector tells neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.gates import Gates
from engine.content import PARTS, Parts
from engine.errors import ManifestError
from engine.interactions import Floats, Ints

Halves = NDArray[np.float16]

ROWS_AT_ONCE = 16_384
LOOKS_FILE, READS_FILE = "looks.npy", "reads.npy"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of every item, kept on disk and read where it is asked for."""

    base: Halves
    """float16 ``[I, D]``: unit rows, or zero rows for items that do not have this side."""
    live: Mapping[int, Floats] = field(default_factory=dict)
    """Rows that changed since, or came later: float32 ``[D]``."""

    def vector(self, row: int) -> Floats:
        """Of one item, float32 ``[D]``; zero where it has no such side."""
        if row in self.live:
            return self.live[row]
        if row >= len(self.base):
            return np.zeros(self.base.shape[1], dtype=np.float32)
        vector: Floats = self.base[row].astype(np.float32)
        return vector

    def cosines(self, rows: Ints, vectors: Floats) -> Floats:
        """Cosines of some items with some vectors; 0 for items without this side.

        Args:
            rows: int64 ``[N]``, ascending.
            vectors: Unit rows, float32 ``[Q, D]``.

        Returns:
            float32 ``[N, Q]``.
        """
        found = np.zeros((len(rows), len(vectors)), dtype=np.float32)
        known = int(np.searchsorted(rows, len(self.base)))
        for start in range(0, known, ROWS_AT_ONCE):
            part = slice(start, min(start + ROWS_AT_ONCE, known))
            found[part] = self.base[rows[part]].astype(np.float32) @ vectors.T
        for row, vector in self.live.items():
            found[rows == row] = vectors @ vector
        return found

    def with_row(self, row: int, vector: Floats) -> Side:
        """The same with another vector ``[D]`` for a row, or for one more."""
        return Side(self.base, {**self.live, row: vector})


@dataclass(frozen=True, slots=True)
class Sides:
    """What items look like and what they read like."""

    looks: Side
    reads: Side

    @classmethod
    def of(cls, parts: Parts, gates: Gates) -> Sides:
        """Take the parts of items apart: the pictures, and all words as ``gates`` mix them."""
        pictures = PARTS.index("pictures")
        shown = parts.present[:, pictures, None]
        worded = parts.present.copy()
        worded[:, pictures] = False
        looks = np.where(shown, parts.vectors[:, pictures], np.float32(0))
        reads = Parts(parts.vectors, worded, parts.rejects).fused(gates).vectors
        return cls(Side(looks.astype(np.float16)), Side(reads.astype(np.float16)))

    @classmethod
    def open(cls, folder: Path) -> Sides:
        """Open what :meth:`save` wrote, through memory maps.

        Raises:
            ManifestError: A file is missing or damaged.
        """
        try:
            looks, reads = (
                Side(np.load(folder / name, mmap_mode="r", allow_pickle=False))
                for name in (LOOKS_FILE, READS_FILE)
            )
        except (OSError, ValueError) as error:
            raise ManifestError(
                f"{folder}: what items look and read like cannot be read ({error}); train again"
            ) from error
        return cls(looks, reads)

    def save(self, folder: Path) -> None:
        """Write two files into a folder; rows that came later are not in them."""
        for name, side in ((LOOKS_FILE, self.looks), (READS_FILE, self.reads)):
            np.save(folder / name, side.base, allow_pickle=False)

    def with_item(self, row: int, looks: Floats, reads: Floats) -> Sides:
        """The same with an item that changed or came later; zero vectors ``[D]`` where absent."""
        return Sides(self.looks.with_row(row, looks), self.reads.with_row(row, reads))
