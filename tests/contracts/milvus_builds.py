"""Milvus Lite for the contract: one file for all the collections of a test run."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from importlib.util import find_spec
from itertools import count

import pytest

from retrieval.index import VectorIndex
from retrieval.index.base import Rows, Vectors

_NAMES = (f"contract_{number}" for number in count())


@cache
def _file() -> str:
    folder = tempfile.mkdtemp(prefix="milvus-contract-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return f"{folder}/contract.db"


def milvus_lite(rows: Rows, vectors: Vectors) -> VectorIndex:
    from retrieval.index.milvus import MilvusIndex, MilvusPlace

    index = MilvusIndex(vectors.shape[1], MilvusPlace(_file(), next(_NAMES)))
    index.add(rows, vectors)
    return index


MILVUS_LITE = pytest.param(
    milvus_lite,
    id="milvus-lite",
    marks=pytest.mark.skipif(
        find_spec("milvus_lite") is None, reason="pip install 'vitrine-rec[scale]'"
    ),
)
