"""What a shop gives to learn from: the pictures and words of its items, and what sells together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from encoders.base import Float32

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]


class TuningError(ValueError):
    """A catalogue that an encoder cannot be tuned on: nothing to learn, or to measure on."""


@dataclass(frozen=True, slots=True)
class PicturePairs:
    """Pictures, each with the item whose words belong to it; an item may have several."""

    item: Ints
    """Row of the item of each picture, int64 ``[P]``."""
    files: Sequence[bytes]
    """The file of each picture, ``[P]``; read when it is asked for, so it may be lazy."""

    def __len__(self) -> int:
        return len(self.item)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Items bought together; a pair has no direction and stands here once."""

    first: Ints
    """int64 ``[N]``"""
    second: Ints
    """int64 ``[N]``"""
    weight: Float32
    """How strongly they belong together, above 0, float32 ``[N]``: how often each is drawn."""

    def __len__(self) -> int:
        return len(self.first)

    def where(self, mask: Bools) -> Pairs:
        """The pairs that a bool mask ``[N]`` selects."""
        return Pairs(self.first[mask], self.second[mask], self.weight[mask])


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that tuning reads.

    Raises:
        ValueError: Arrays disagree in length, or a row is of no item.
    """

    words: Sequence[str]
    """The words of each item, ``[I]``."""
    pictures: PicturePairs
    together: Pairs
    held_out: Bools
    """Items that are never learned from, only measured on, bool ``[I]``."""

    def __post_init__(self) -> None:
        """Check that the arrays fit each other."""
        n = len(self.words)
        if self.held_out.shape != (n,):
            raise ValueError(f"held_out is {self.held_out.shape}, expected ({n},) as the words")
        if len(self.pictures.item) != len(self.pictures.files):
            raise ValueError(
                f"{len(self.pictures.item)} rows of {len(self.pictures.files)} pictures: "
                "expected one row per picture"
            )
        lengths = {len(a) for a in (self.together.first, self.together.second)}
        if lengths != {len(self.together.weight)}:
            raise ValueError("first, second and weight of the pairs differ in length")
        for rows in (self.pictures.item, self.together.first, self.together.second):
            if len(rows) and not 0 <= rows.min() <= rows.max() < n:
                raise ValueError(f"rows reach from {rows.min()} to {rows.max()}; there are {n}")


def digest(catalogue: Catalogue) -> str:
    """SHA-256 over all of a catalogue, the pictures included."""
    sha = hashlib.sha256()
    for text in catalogue.words:
        sha.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    pairs = catalogue.together
    for array in (pairs.first, pairs.second, pairs.weight, catalogue.held_out):
        sha.update(f"{array.dtype} {array.shape};".encode() + array.tobytes())
    for row, file in zip(catalogue.pictures.item, catalogue.pictures.files, strict=True):
        sha.update(f"{row};".encode() + hashlib.sha256(file).digest())
    return sha.hexdigest()


def word_groups(words: Sequence[str]) -> Ints:
    """A number for each item, equal where the words are, int64 ``[I]``."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(text, len(number)) for text in words], dtype=np.int64)
