"""Brute force in NumPy: the oracle that every other index is measured against."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from retrieval.index.base import (
    IndexFormatError,
    IndexMeta,
    Neighbours,
    Rows,
    Vectors,
    checked_addition,
    checked_allowed,
    checked_k,
    checked_rows,
    checked_vectors,
    nothing_found,
    present,
    replacing,
)

KIND = "exact"
_CELLS_PER_CHUNK = 1 << 24
_ROWS_FILE, _VECTORS_FILE = "rows.npy", "vectors.npy"


class ExactIndex:
    """Compares every query with every vector; ties go to the smaller row.

    See :class:`retrieval.index.base.VectorIndex` for what each method promises.
    """

    def __init__(self, dim: int) -> None:
        self._rows: Rows = np.zeros(0, np.int64)
        self._vectors: Vectors = np.zeros((0, dim), np.float32)

    @classmethod
    def open(cls, folder: Path) -> ExactIndex:
        """Open a saved index through a memory map; a later ``add`` copies it.

        Raises:
            IndexFormatError: The files are missing or contradict each other.
        """
        meta = IndexMeta.read(folder)
        index = cls(meta.dim)
        try:
            index._rows = np.load(folder / _ROWS_FILE, mmap_mode="r", allow_pickle=False)
            index._vectors = np.load(folder / _VECTORS_FILE, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise IndexFormatError(f"{folder}: {error}; build the index again") from error
        got = (index._rows.shape, index._vectors.shape)
        if got != ((meta.count,), (meta.count, meta.dim)):
            raise IndexFormatError(
                f"{folder}: got arrays of shapes {got}, expected {meta.count} rows of width "
                f"{meta.dim}; build the index again"
            )
        return index

    @property
    def dim(self) -> int:
        """Width D of the vectors."""
        return int(self._vectors.shape[1])

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Put vectors ``[n, D]`` in; a row that is there already gets the new vector."""
        rows, vectors = checked_addition(rows, vectors, self.dim)
        kept = ~present(np.sort(rows), self._rows)
        all_rows = np.concatenate([self._rows[kept], rows])
        order = np.argsort(all_rows)
        self._rows = all_rows[order]
        self._vectors = np.concatenate([self._vectors[kept], vectors])[order]

    def remove(self, rows: Rows) -> int:
        """Take rows ``[n]`` out and return how many were there."""
        kept = ~present(np.unique(checked_rows(rows)), self._rows)
        self._rows, self._vectors = self._rows[kept], self._vectors[kept]
        return int(len(kept) - kept.sum())

    def search(self, queries: Vectors, k: int, *, allowed: Rows | None = None) -> Neighbours:
        """The exact best ``k`` rows for queries ``[Q, D]``, of the allowed ones if given."""
        queries = checked_vectors(queries, self.dim, "queries")
        rows, vectors = self._rows, self._vectors
        if allowed is not None:
            chosen = present(checked_allowed(allowed), rows)
            rows, vectors = rows[chosen], vectors[chosen]
        return search_all(rows, vectors, queries, checked_k(k))

    def save(self, folder: Path) -> None:
        """Write ``rows.npy``, ``vectors.npy`` and ``index.json``."""
        for name, array in ((_ROWS_FILE, self._rows), (_VECTORS_FILE, self._vectors)):
            with replacing(folder / name) as path, path.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        IndexMeta(KIND, self.dim, len(self)).write(folder)


def search_all(rows: Rows, vectors: Vectors, queries: Vectors, k: int) -> Neighbours:
    """Compare queries ``[Q, D]`` with vectors ``[n, D]`` of ascending rows ``[n]``.

    The scores are made for a few queries at a time, so that memory stays near 64 MB.

    Returns:
        The exact best ``min(k, n)`` for each query, ties by ascending row.
    """
    found = nothing_found(len(queries), k)
    answers = min(k, len(rows))
    if not answers:
        return found
    step = max(1, _CELLS_PER_CHUNK // len(rows))
    for start in range(0, len(queries), step):
        scores = queries[start : start + step] @ vectors.T  # [q, n]
        floor = np.partition(scores, len(rows) - answers, axis=1)[:, len(rows) - answers]
        for at, (line, least) in enumerate(zip(scores, floor, strict=True), start):
            reached = np.flatnonzero(line >= least)  # more than `answers` only if tied
            best = reached[np.argsort(-line[reached], kind="stable")[:answers]]
            found.rows[at, :answers] = rows[best]
            found.scores[at, :answers] = line[best]
    found.valid[:, :answers] = True
    return found
