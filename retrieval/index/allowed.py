"""A filter that can be asked with many times: the rows it leaves, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.int64]
Bits = NDArray[np.uint8]
"""Packed booleans, the least significant bit first: what FAISS reads as a bitmap."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The rows of a filter that one list of rows holds."""

    positions: Rows
    """int64 ``[A]``: where they stand in that list, ascending."""
    bits: Bits
    """uint8 ``[ceil(n / 8)]``: the same as a bitmap over the list."""


@dataclass(frozen=True, eq=False)
class Allowed:
    """Rows that a search may answer, checked once and used again at no cost.

    An index works out where the rows lie among its own when it first sees the filter, and
    keeps that here: make one object per filter and pass it to every search.
    """

    rows: Rows
    """int64 ``[A]``, ascending and distinct."""
    _last: list[tuple[Rows, Placed]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", checked_allowed(self.rows))

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def bits(self) -> Bits:
        """Bitmap over row numbers, uint8 ``[last row // 8 + 1]``; large where rows are."""
        return packed(self.rows, int(self.rows[-1]) + 1 if len(self.rows) else 0)

    def placed(self, held: Rows) -> Placed:
        """Where the rows stand among held ones; remembered for the list seen last.

        Args:
            held: int64 ``[n]``, ascending and distinct, never changed afterwards.
        """
        for known, placed in self._last:
            if known is held:
                return placed
        at = np.searchsorted(held, self.rows)
        inside = at < len(held)
        inside[inside] = held[at[inside]] == self.rows[inside]
        placed = Placed(at[inside], packed(at[inside], len(held)))
        self._last[:] = [(held, placed)]
        return placed

    def has(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of the rows ``[n]``, in any order, the filter leaves: bool ``[n]``."""
        if not len(self.rows):
            return np.zeros(len(rows), np.bool_)
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.equal(self.rows[at], rows)


def packed(positions: Rows, n: int) -> Bits:
    """Bitmap of ``n`` places with the positions set: uint8 ``[ceil(n / 8)]``."""
    mask = np.zeros(n, np.bool_)
    mask[positions] = True
    return np.packbits(mask, bitorder="little")


def is_set(bits: Bits, positions: Rows) -> NDArray[np.bool_]:
    """Which positions ``[n]`` a bitmap has: bool ``[n]``."""
    of_eight = (positions & 7).astype(np.uint8)
    found: NDArray[np.bool_] = np.equal((bits[positions >> 3] >> of_eight) & 1, 1)
    return found


def checked_rows(rows: ArrayLike) -> Rows:
    """Rows as int64 ``[n]``.

    Raises:
        ValueError: They are not a list of whole numbers from 0 on.
    """
    array = np.asarray(rows)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(
            f"rows: got {array.dtype} of shape {array.shape}, expected int64 of shape [n]"
        )
    array = array.astype(np.int64, copy=False)
    if array.size and array.min() < 0:
        raise ValueError(f"rows: got {array.min()}, expected rows from 0 on")
    return array


def checked_allowed(allowed: ArrayLike) -> Rows:
    """Rows of a filter as int64 ``[A]``.

    Raises:
        ValueError: They are not ascending and distinct; ``np.unique`` makes them so.
    """
    rows = checked_rows(allowed)
    if (np.diff(rows) <= 0).any():
        raise ValueError(
            "allowed: got rows out of order or repeated, expected them ascending and distinct; "
            "pass np.unique(allowed)"
        )
    return rows
