"""A base and what changed since become one base: built aside, while the old one answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from retrieval.index.allowed import Rows, is_set
from retrieval.index.base import Vectors
from retrieval.index.plan import CODED, Kind
from retrieval.index.segment import Segment
from retrieval.index.snapshot import Snapshot
from retrieval.index.structures import (
    FaissObject,
    add_at,
    copy_lists,
    place_map,
    thawed,
    untrained,
)

_CHUNK = 65_536


def settled(now: Snapshot, beside: Path | None = None) -> Segment:
    """One segment that holds what a snapshot holds.

    Lists keep their cells: codes are copied and only fresh vectors are encoded. A flat base is
    written anew, and a graph is built anew.

    Args:
        now: Only read.
        beside: Where vectors that are re-scored are written; None keeps them in memory.
    """
    base = now.base
    if now.is_base:
        return base
    kept = np.arange(len(base))
    if now.living.bits is not None:
        kept = kept[is_set(now.living.bits, kept)]
    fresh_rows, fresh_vectors = now.fresh.living()
    kept_rows = np.asarray(base.rows[kept])
    rows = np.concatenate([kept_rows, fresh_rows])
    rows.sort(kind="stable")
    kept_to, fresh_to = np.searchsorted(rows, kept_rows), np.searchsorted(rows, fresh_rows)
    dim = now.fresh.vectors.shape[1]

    def write(out: Vectors) -> Vectors:
        for start in range(0, len(kept), _CHUNK):
            part = slice(start, start + _CHUNK)
            out[kept_to[part]] = base.vectors_at(kept[part])
        out[fresh_to] = fresh_vectors
        return out

    if base.plan.kind in (Kind.FLAT, Kind.HNSW):
        index = untrained(base.plan, dim, 0)
        index.add(write(np.empty((len(rows), dim), np.float32)))
        return replace(base, rows=rows, index=index)
    moved = np.full(len(base), -1)
    moved[kept] = kept_to
    index = _refilled(base, moved, fresh_vectors, fresh_to)
    if base.plan.kind not in CODED:
        return replace(base, rows=rows, index=index)
    return replace(base, rows=rows, index=index, beside=write(place_for(beside, len(rows), dim)))


def place_for(path: Path | None, n: int, dim: int) -> Vectors:
    """Room for vectors ``[n, D]``: in a ``.npy`` file, or in memory without a path."""
    if path is None or not n:
        return np.empty((n, dim), np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    room: Vectors = np.lib.format.open_memmap(path, "w+", np.float32, (n, dim))
    return room


def _refilled(base: Segment, moved: Rows, vectors: Vectors, positions: Rows) -> FaissObject:
    if base.template is None:
        raise TypeError(f"settled: got lists of kind {base.plan.kind} without their template")
    index = thawed(base.template)
    copy_lists(base.index, index, moved)
    if len(vectors):
        add_at(index, vectors, positions)
    place_map(index, base.plan.kind)
    return index
