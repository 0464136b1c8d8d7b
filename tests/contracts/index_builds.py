"""The indexes that the contract is proved on: a new implementation is one more line here."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from milvus_builds import MILVUS_LITE, milvus_lite

from retrieval.index import ExactIndex, FaissIndex, VectorIndex, build_index, open_index
from retrieval.index.base import Rows, Vectors
from retrieval.index.torch_gpu import TorchIndex

Build: TypeAlias = Callable[[Rows, Vectors], VectorIndex]
"""Makes an index of rows ``[n]`` and unit vectors ``[n, 8]``."""


def exact(rows: Rows, vectors: Vectors) -> VectorIndex:
    index = ExactIndex(vectors.shape[1])
    index.add(rows, vectors)
    return index


def faiss_flat(rows: Rows, vectors: Vectors) -> VectorIndex:
    return build_index(rows, vectors)


def faiss_lists(rows: Rows, vectors: Vectors) -> VectorIndex:
    return build_index(rows, vectors, flat_below=0)


def faiss_changing(rows: Rows, vectors: Vectors) -> VectorIndex:
    """Half in the base, some of it replaced later; the rest fresh; and strangers that left."""
    half, last = len(rows) // 2, int(rows.max(initial=0))
    index = build_index(rows[:half], np.roll(vectors[:half], 1, axis=1), flat_below=0)
    strangers = np.arange(last + 1, last + 1 + half)
    index.add(strangers, vectors[:half])
    index.update(rows[:half], vectors[:half])
    index.add(rows[half:], vectors[half:])
    index.remove(strangers)
    return index


def faiss_compacted(rows: Rows, vectors: Vectors) -> VectorIndex:
    index = faiss_changing(rows, vectors)
    assert isinstance(index, FaissIndex)
    index.compact()
    return index


def faiss_live(rows: Rows, vectors: Vectors) -> VectorIndex:
    folder = Path(tempfile.mkdtemp())
    FaissIndex(vectors.shape[1]).save(folder)
    index = FaissIndex.open(folder, live=True)
    index.add(rows, vectors)
    shutil.rmtree(folder)  # the files stay open
    return index


def torch_shards(rows: Rows, vectors: Vectors) -> VectorIndex:
    index = TorchIndex(vectors.shape[1], ["cpu", "cpu"])
    index.add(rows, vectors)
    return index


def reopened(build: Build) -> Build:
    def through_files(rows: Rows, vectors: Vectors) -> VectorIndex:
        with tempfile.TemporaryDirectory() as folder:
            build(rows, vectors).save(Path(folder))
            return open_index(Path(folder))  # its memory map outlives the file's name

    return through_files


BUILDS = [
    pytest.param(exact, id="exact"),
    pytest.param(faiss_flat, id="faiss-flat"),
    pytest.param(faiss_lists, id="faiss-lists"),
    pytest.param(faiss_changing, id="faiss-changing"),
    pytest.param(faiss_compacted, id="faiss-compacted"),
    pytest.param(faiss_live, id="faiss-live"),
    pytest.param(torch_shards, id="torch-shards"),
    MILVUS_LITE,
    pytest.param(reopened(exact), id="exact-reopened"),
    pytest.param(reopened(faiss_flat), id="faiss-flat-reopened"),
    pytest.param(reopened(faiss_lists), id="faiss-lists-reopened"),
    pytest.param(reopened(faiss_changing), id="faiss-changing-reopened"),
    pytest.param(reopened(torch_shards), id="torch-shards-reopened"),
]
SHARED = {milvus_lite}
"""Whoever has one of these open sees what the others change."""
