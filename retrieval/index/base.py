"""What an index of vectors promises, and the checks that every index shares."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrieval.index.allowed import Allowed, Rows, checked_allowed, checked_rows
from retrieval.index.files import replacing
from retrieval.index.stats import IndexStats

__all__ = [
    "Allowed",
    "IndexFormatError",
    "IndexMeta",
    "IndexStats",
    "Neighbours",
    "Rows",
    "VectorIndex",
    "Vectors",
    "as_allowed",
    "checked_addition",
    "checked_allowed",
    "checked_k",
    "checked_rows",
    "checked_update",
    "checked_vectors",
    "is_lone_query",
    "nothing_found",
    "present",
    "replacing",
]

Vectors = NDArray[np.float32]

UNIT_TOLERANCE = 1e-3
META_FILE = "index.json"
_FLOAT32 = np.dtype(np.float32)
FORMAT = 2


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

    Rows are any int64 from 0 on, each at most once. A change is visible to every search that
    begins after it. Any method may be called from any thread at any time: a search answers from
    the index as it was when the search began.
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

    def update(self, rows: Rows, vectors: Vectors) -> None:
        """Give rows that are there new vectors: ``add`` that refuses strangers.

        Args:
            rows: int64 ``[n]``, distinct.
            vectors: Unit rows, float32 ``[n, D]``.

        Raises:
            ValueError: The arrays are not as above, or a row is not there (the message names
                it); nothing is changed then.
        """

    def remove(self, rows: Rows) -> int:
        """Take rows out (int64 ``[n]``); rows that are not there are passed over.

        Returns:
            How many were taken out.
        """

    def search(
        self, queries: Vectors, k: int, *, allowed: Rows | Allowed | None = None
    ) -> Neighbours:
        """Find the rows with the highest inner products, equal scores by ascending row.

        With ``allowed`` every query gets ``min(k, present)`` answers, whatever the share of the
        rows; they are the best ones where the index is exact or the rows are few, and as many of
        the best ones as the index's recall says otherwise.

        Args:
            queries: Unit rows, float32 ``[Q, D]``.
            k: Answers per query, the K of :class:`Neighbours`; may exceed ``len(self)``.
            allowed: Only these rows may be answered: int64 ``[A]``, ascending, distinct; or a
                filter to be used again, which saves checking and placing its rows.

        Raises:
            ValueError: The arguments are not as above.
        """

    def stats(self) -> IndexStats:
        """What the index is, what it costs, and how its searches were answered."""

    def save(self, folder: Path) -> None:
        """Write the index into a folder, for :func:`retrieval.index.open.open_index`."""


class IndexFormatError(ValueError):
    """A folder does not hold a whole index that this version reads."""


@dataclass(frozen=True, slots=True)
class IndexMeta:
    """What ``index.json`` says of the files beside it."""

    kind: str
    """``exact``, ``faiss`` or another: which class opens the folder."""
    dim: int
    count: int
    """Vectors in the files; what a log of changes adds is not counted."""
    nprobe: int | None = None
    """Inverted lists visited per search; None means that every vector is compared."""
    recall: float | None = None
    """Recall on the sample that chose ``nprobe``."""
    generation: int = 0
    """Which of the files beside it hold: they are named by it."""
    structure: str | None = None
    """FAISS: the :class:`retrieval.index.plan.Kind`."""
    code: int = 0
    """FAISS: the code of the :class:`retrieval.index.plan.IndexPlan`."""
    efforts: tuple[tuple[int, int, int], ...] = ()
    """FAISS: the :class:`retrieval.index.tuning.Efforts` of its searches."""
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


def nothing_found(n_queries: int, k: int) -> Neighbours:
    """Neighbours ``[Q, K]`` without a valid slot."""
    shape = (n_queries, k)
    return Neighbours(
        np.zeros(shape, np.int64), np.full(shape, -np.inf, np.float32), np.zeros(shape, np.bool_)
    )


def checked_vectors(vectors: ArrayLike, dim: int, name: str = "vectors") -> Vectors:
    """Unit vectors as contiguous float32 ``[n, dim]``.

    Raises:
        ValueError: Another shape or type, or a row that is not of length 1; nothing is
            normalised here, because a wrong length betrays a mistake upstream.
    """
    if is_lone_query(vectors, dim):
        return np.asarray(vectors)
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


def is_lone_query(queries: ArrayLike, dim: int) -> bool:
    """Whether this is one unit row, contiguous float32 ``[1, dim]``: nothing left to check.

    False says only that :func:`checked_vectors` has to look.
    """
    if not (
        isinstance(queries, np.ndarray)
        and queries.shape == (1, dim)
        and queries.dtype == _FLOAT32
        and queries.flags.c_contiguous
    ):
        return False
    row = queries[0]
    squared: float = row.dot(row)
    return abs(squared - 1) <= UNIT_TOLERANCE


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


def checked_update(rows: Rows, held: NDArray[np.bool_]) -> None:
    """Refuse an ``update`` of rows ``[n]`` unless all of them are held, bool ``[n]``.

    Raises:
        ValueError: Some are not.
    """
    strangers = rows[~held]
    if strangers.size:
        named = ", ".join(map(str, strangers[:5].tolist())) + (
            ", ..." if len(strangers) > 5 else ""
        )
        raise ValueError(
            f"update: got {len(strangers)} rows that the index does not hold ({named}), expected "
            "rows that were added; use add for new ones"
        )


def as_allowed(allowed: Allowed | ArrayLike) -> Allowed:
    """Rows of a filter as an :class:`Allowed`, which they may be already.

    Raises:
        ValueError: They are not ascending and distinct.
    """
    return allowed if isinstance(allowed, Allowed) else Allowed(np.asarray(allowed))


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
