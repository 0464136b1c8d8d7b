"""What an index of vectors promises, and the checks that every index shares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

UNIT_TOLERANCE = 1e-3
META_FILE = "index.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The rows nearest to each query, best first.

    Where ``valid`` is False there was nothing left to answer: ``rows`` and ``scores`` mean
    nothing there (the score is -inf, so that a row of scores always descends).
    """

    rows: Rows
    """int64 ``[Q, K]``."""
    scores: Vectors
    """Inner product with the query, float32 ``[Q, K]``, descending."""
    valid: NDArray[np.bool_]
    """bool ``[Q, K]``; True slots come first."""


class VectorIndex(Protocol):
    """Unit vectors by row, searched by inner product: the cosine, as both sides are unit.

    Rows are any int64 from 0 on, each at most once. A change is visible to the next search.
    Searches may run in parallel with each other, but not with ``add`` or ``remove``.
    """

    @property
    def dim(self) -> int:
        """Width D of the vectors."""

    def __len__(self) -> int:
        """Number of rows held."""

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Put vectors in; a row that is there already gets the new vector.

        Args:
            rows: int64 ``[n]``, distinct.
            vectors: Unit rows, float32 ``[n, D]``.

        Raises:
            ValueError: The arrays are not as above.
        """

    def remove(self, rows: Rows) -> int:
        """Take rows out (int64 ``[n]``); rows that are not there are passed over.

        Returns:
            How many were taken out.
        """

    def search(self, queries: Vectors, k: int, *, allowed: Rows | None = None) -> Neighbours:
        """Find the rows with the highest inner products, equal scores by ascending row.

        With ``allowed`` the answer is exact: the best ``min(k, present)`` of the allowed rows
        that the index holds, whatever their share.

        Args:
            queries: Unit rows, float32 ``[Q, D]``.
            k: Answers per query, the K of :class:`Neighbours`; may exceed ``len(self)``.
            allowed: Only these rows may be answered: int64 ``[A]``, ascending, distinct.

        Raises:
            ValueError: The arguments are not as above.
        """

    def save(self, folder: Path) -> None:
        """Write the index into a folder, for :func:`retrieval.index.open.open_index`."""


class IndexFormatError(ValueError):
    """A folder does not hold a whole index that this version reads."""


@dataclass(frozen=True, slots=True)
class IndexMeta:
    """What ``index.json`` says of the files beside it."""

    kind: str
    """``exact`` or ``faiss``: which class opens the folder."""
    dim: int
    count: int
    nprobe: int | None = None
    """Inverted lists visited per search; None means that every vector is compared."""
    recall: float | None = None
    """Recall on the sample that chose ``nprobe``."""
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write ``index.json``."""
        with replacing(folder / META_FILE) as path:
            path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> IndexMeta:
        """Read ``index.json``.

        Raises:
            IndexFormatError: It is missing, unreadable, or of another format.
        """
        path = folder / META_FILE
        try:
            meta = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise IndexFormatError(
                f"{path}: got no readable index description ({error}), expected what "
                "VectorIndex.save writes; build the index again"
            ) from error
        if meta.format != FORMAT:
            raise IndexFormatError(
                f"{path}: got format {meta.format}, expected {FORMAT}; build the index again"
            )
        return meta


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to that takes the place of ``path`` at the end.

    An index that was opened from ``path`` keeps reading the old bytes through its memory map;
    writing in place would change them under its feet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    yield draft
    draft.replace(path)


def nothing_found(n_queries: int, k: int) -> Neighbours:
    """Neighbours ``[Q, K]`` without a valid slot."""
    shape = (n_queries, k)
    return Neighbours(
        np.zeros(shape, np.int64), np.full(shape, -np.inf, np.float32), np.zeros(shape, np.bool_)
    )


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


def checked_vectors(vectors: ArrayLike, dim: int, name: str = "vectors") -> Vectors:
    """Unit vectors as contiguous float32 ``[n, dim]``.

    Raises:
        ValueError: Another shape or type, or a row that is not of length 1; nothing is
            normalised here, because a wrong length betrays a mistake upstream.
    """
    array = np.asarray(vectors)
    if array.ndim != 2 or array.shape[1] != dim or array.dtype.kind != "f":
        raise ValueError(
            f"{name}: got {array.dtype} of shape {array.shape}, expected float32 of "
            f"shape [n, {dim}]"
        )
    array = np.ascontiguousarray(array, np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", array, array))
    off = np.flatnonzero(~(np.abs(lengths - 1) <= UNIT_TOLERANCE))
    if off.size:
        raise ValueError(
            f"{name}: got {off.size} of {len(array)} rows that are not of length 1 (row "
            f"{off[0]} has {lengths[off[0]]:.4g}); divide each row by its length first"
        )
    return array


def checked_addition(rows: ArrayLike, vectors: ArrayLike, dim: int) -> tuple[Rows, Vectors]:
    """Both arguments of ``add``: int64 ``[n]`` distinct, float32 ``[n, dim]`` unit rows.

    Raises:
        ValueError: They are not, or not equally many.
    """
    row_array, vector_array = checked_rows(rows), checked_vectors(vectors, dim)
    if len(row_array) != len(vector_array):
        raise ValueError(
            f"add: got {len(row_array)} rows and {len(vector_array)} vectors, expected equally many"
        )
    if len(np.unique(row_array)) != len(row_array):
        raise ValueError("add: got a row twice in one call, expected each row once")
    return row_array, vector_array


def checked_k(k: int) -> int:
    """A number of answers from 1 on.

    Raises:
        ValueError: It is less.
    """
    if k < 1:
        raise ValueError(f"k: got {k}, expected at least 1")
    return k


def present(held: Rows, asked: Rows) -> NDArray[np.bool_]:
    """Which asked rows ``[A]`` are among the held ones ``[n]`` (ascending): bool ``[A]``."""
    if not held.size:
        return np.zeros(len(asked), np.bool_)
    at = np.minimum(np.searchsorted(held, asked), len(held) - 1)
    return np.equal(held[at], asked)
