"""Build an index: from arrays in memory, or from a stream that never fits there."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from pathlib import Path

import numpy as np

from retrieval.index.base import Rows, Vectors, checked_addition, checked_vectors
from retrieval.index.compaction import place_for
from retrieval.index.faiss_index import FaissIndex
from retrieval.index.plan import (
    CODED,
    FLAT_BELOW,
    GOAL_RECALL,
    IndexPlan,
    Kind,
    lists_for,
    plan_index,
)
from retrieval.index.segment import Segment
from retrieval.index.segment_files import SegmentFiles, generation_in, publish, write_segment
from retrieval.index.structures import (
    TRAINING_PER_LIST,
    add_at,
    frozen,
    place_map,
    train,
    untrained,
)
from retrieval.index.tuning import SAMPLE, tune

_CHUNK = 65_536
_LEAST_TRAINING = 32_768


def build_index(
    rows: Rows,
    vectors: Vectors,
    *,
    queries: Vectors | None = None,
    flat_below: int = FLAT_BELOW,
    plan: IndexPlan | None = None,
    seed: int = 0,
) -> FaissIndex:
    """Index vectors: every one compared below ``flat_below``, inverted lists from there on.

    Args:
        rows: int64 ``[n]``, distinct.
        vectors: Unit rows, float32 ``[n, D]``.
        queries: Unit rows like those that will be asked, float32 ``[Q, D]``; None takes some
            of ``vectors``. Pass user vectors if users will be asked: they lie elsewhere.
        flat_below: Number of vectors from which lists are used.
        plan: What to build instead, such as :func:`retrieval.index.plan.plan_index` chooses.
        seed: Of the training and the sample.

    Raises:
        ValueError: The arrays are not as above.
    """
    dim = np.shape(vectors)[-1] if np.ndim(vectors) else 0
    rows, vectors = checked_addition(rows, vectors, dim)
    if len(rows) < max(flat_below, 1) and plan is None:
        plan = IndexPlan(Kind.FLAT, recall=1.0)
    plan = plan or IndexPlan(Kind.IVF_FLAT, lists_for(len(rows)), recall=GOAL_RECALL)
    if queries is not None:
        queries = checked_vectors(queries, dim, "queries")
    if (np.diff(rows) < 0).any():
        order = np.argsort(rows)
        rows, vectors = rows[order], vectors[order]
    return FaissIndex.of(_segment(plan, rows, vectors, queries, seed))


def build_stream(
    chunks: Iterable[tuple[Rows, Vectors]],
    folder: Path,
    *,
    memory_bytes: float = inf,
    recall: float = GOAL_RECALL,
    queries: Vectors | None = None,
    seed: int = 0,
) -> FaissIndex:
    """Index vectors that come in chunks, into a folder, in bounded memory.

    The vectors are laid down in the folder as they come; a plan is made once they are counted,
    trained on a sample, and filled chunk by chunk.

    Args:
        chunks: Rows ``[n]`` and unit vectors ``[n, D]``; every row once over all chunks.
        folder: Where the index is left, as :meth:`FaissIndex.save` would.
        memory_bytes: What the index may take; see :func:`retrieval.index.plan.plan_index`.
        recall: Share of the true neighbours that a search must find.
        queries: Unit rows like those that will be asked, float32 ``[Q, D]``.
        seed: Of the training and the sample.

    Raises:
        ValueError: A chunk is not as above, a row came twice, there is no chunk, or nothing fits
            the memory.
    """
    files = SegmentFiles(folder, generation_in(folder) + 1)
    folder.mkdir(parents=True, exist_ok=True)
    spool = folder / ".vectors.spool"
    try:
        rows, dim = _spool(chunks, spool)
        plan = plan_index(len(rows), dim, memory_bytes, recall)
        vectors = _in_order(spool, rows, dim, files.vectors)
        segment = _segment(plan, np.sort(rows), vectors, queries, seed)
        write_segment(segment, files)
        publish(segment, files)
    finally:
        spool.unlink(missing_ok=True)
    if plan.kind not in CODED:
        files.vectors.unlink(missing_ok=True)
    return FaissIndex.open(folder)


def _spool(chunks: Iterable[tuple[Rows, Vectors]], path: Path) -> tuple[Rows, int]:
    """Write vectors as they come; returns their rows ``[n]`` and the width."""
    seen: list[Rows] = []
    dim = 0
    with path.open("wb") as file:
        for rows, vectors in chunks:
            dim = dim or np.shape(vectors)[-1]
            rows, vectors = checked_addition(rows, vectors, dim)
            seen.append(rows)
            file.write(vectors.data)
    if not seen:
        raise ValueError("build_stream: got no chunk, expected at least one (it may be empty)")
    every = np.concatenate(seen)
    if len(np.unique(every)) != len(every):
        raise ValueError("build_stream: got a row in two chunks, expected each row once")
    return every, dim


def _in_order(spool: Path, rows: Rows, dim: int, path: Path) -> Vectors:
    """The spooled vectors by ascending row, in a ``.npy`` file."""
    out = place_for(path, len(rows), dim)
    if not len(rows):
        return out
    came = np.memmap(spool, np.float32, "r", shape=(len(rows), dim))
    order = np.argsort(rows)
    for start in range(0, len(rows), _CHUNK):
        out[start : start + _CHUNK] = came[order[start : start + _CHUNK]]
    return out


def _segment(
    plan: IndexPlan, rows: Rows, vectors: Vectors, queries: Vectors | None, seed: int
) -> Segment:
    """Train on a sample, fill chunk by chunk, and tune.

    Args:
        plan: What to build.
        rows: int64 ``[n]``, ascending.
        vectors: float32 ``[n, D]``; may be a memory map.
        queries: What to tune with; None takes some of the vectors.
        seed: Of the training and the samples.
    """
    rng = np.random.default_rng(seed)
    index = untrained(plan, vectors.shape[1], seed)
    template = None
    if plan.lists:
        most = max(plan.lists * TRAINING_PER_LIST, _LEAST_TRAINING)
        train(index, _some(vectors, most, rng))
        template = frozen(index)
    for start in range(0, len(rows), _CHUNK):
        part = np.ascontiguousarray(vectors[start : start + _CHUNK])
        add_at(index, part, np.arange(start, start + len(part)))
    place_map(index, plan.kind)
    asked = _some(vectors if queries is None else queries, SAMPLE, rng)
    efforts = tune(index, plan, vectors, asked, held=queries is None)
    beside = vectors if plan.kind in CODED else None
    return Segment(plan, rows, index, efforts, beside, template)


def _some(vectors: Vectors, most: int, rng: np.random.Generator) -> Vectors:
    if len(vectors) <= most:
        return np.ascontiguousarray(vectors)
    return np.ascontiguousarray(vectors[np.sort(rng.choice(len(vectors), most, replace=False))])
