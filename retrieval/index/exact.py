"""Brute force in NumPy: the oracle that every other index is measured against."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from retrieval.index.base import (
    Allowed,
    IndexFormatError,
    IndexMeta,
    IndexStats,
    Neighbours,
    Rows,
    Vectors,
    as_allowed,
    checked_addition,
    checked_k,
    checked_rows,
    checked_update,
    checked_vectors,
    nothing_found,
    present,
    replacing,
)
from retrieval.index.stats import SearchPath, SearchTally

KIND = "exact"
_CELLS_PER_CHUNK = 1 << 24
_ROWS_FILE, _VECTORS_FILE = "rows.npy", "vectors.npy"


class _Held(NamedTuple):
    """What the index holds at one moment; replaced, never changed."""

    rows: Rows
    vectors: Vectors


class ExactIndex:
    """Compares every query with every vector; ties go to the smaller row.

    See :class:`retrieval.index.base.VectorIndex` for what each method promises.
    """

    def __init__(self, dim: int) -> None:
        self._held = _Held(np.zeros(0, np.int64), np.zeros((0, dim), np.float32))
        self._writing = Lock()
        self._tally = SearchTally()

    @classmethod
    def open(cls, folder: Path) -> ExactIndex:
        """Open a saved index through a memory map; a later ``add`` copies it.

        Raises:
            IndexFormatError: The files are missing or contradict each other.
        """
        meta = IndexMeta.read(folder)
        index = cls(meta.dim)
        try:
            rows = np.load(folder / _ROWS_FILE, mmap_mode="r", allow_pickle=False)
            vectors = np.load(folder / _VECTORS_FILE, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise IndexFormatError(f"{folder}: {error}; build the index again") from error
        got = (rows.shape, vectors.shape)
        if got != ((meta.count,), (meta.count, meta.dim)):
            raise IndexFormatError(
                f"{folder}: got arrays of shapes {got}, expected {meta.count} rows of width "
                f"{meta.dim}; build the index again"
            )
        index._held = _Held(rows, vectors)
        return index

    @property
    def dim(self) -> int:
        """Width D of the vectors."""
        return int(self._held.vectors.shape[1])

    def __len__(self) -> int:
        return len(self._held.rows)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Put vectors ``[n, D]`` in; a row that is there already gets the new vector."""
        rows, vectors = checked_addition(rows, vectors, self.dim)
        with self._writing:
            self._put(rows, vectors)

    def update(self, rows: Rows, vectors: Vectors) -> None:
        """Give rows that are there new vectors ``[n, D]``; a stranger is refused."""
        rows, vectors = checked_addition(rows, vectors, self.dim)
        with self._writing:
            checked_update(rows, present(self._held.rows, rows))
            self._put(rows, vectors)

    def remove(self, rows: Rows) -> int:
        """Take rows ``[n]`` out and return how many were there."""
        leaving = np.unique(checked_rows(rows))
        with self._writing:
            held = self._held
            kept = ~present(leaving, held.rows)
            self._held = _Held(held.rows[kept], held.vectors[kept])
        return int(len(kept) - kept.sum())

    def search(
        self, queries: Vectors, k: int, *, allowed: Rows | Allowed | None = None
    ) -> Neighbours:
        """The exact best ``k`` rows for queries ``[Q, D]``, of the allowed ones if given."""
        queries, k = checked_vectors(queries, self.dim, "queries"), checked_k(k)
        rows, vectors = self._held
        if allowed is None:
            self._tally.add(SearchPath.ALL, len(queries))
            return search_all(rows, vectors, queries, k)
        chosen = as_allowed(allowed).placed(rows).positions
        self._tally.add(SearchPath.EXACT_SUBSET, len(queries))
        return search_all(rows[chosen], vectors[chosen], queries, k)

    def stats(self) -> IndexStats:
        """Its size and how its searches went."""
        each = 4 * self.dim + 8
        return IndexStats(KIND, len(self), self.dim, each, searches=self._tally.counts())

    def save(self, folder: Path) -> None:
        """Write ``rows.npy``, ``vectors.npy`` and ``index.json``."""
        held = self._held
        for name, array in ((_ROWS_FILE, held.rows), (_VECTORS_FILE, held.vectors)):
            with replacing(folder / name) as path, path.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        IndexMeta(KIND, self.dim, len(held.rows)).write(folder)

    def _put(self, rows: Rows, vectors: Vectors) -> None:
        held = self._held
        kept = ~present(np.sort(rows), held.rows)
        all_rows = np.concatenate([held.rows[kept], rows])
        order = np.argsort(all_rows)
        self._held = _Held(all_rows[order], np.concatenate([held.vectors[kept], vectors])[order])


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
