"""Nearest rows by inner product: one protocol, an exact oracle, and FAISS."""

from retrieval.index.allowed import Allowed
from retrieval.index.base import IndexFormatError, Neighbours, VectorIndex
from retrieval.index.build import build_index, build_stream
from retrieval.index.exact import ExactIndex
from retrieval.index.faiss_index import FaissIndex
from retrieval.index.log import LogFailedError
from retrieval.index.open import open_index
from retrieval.index.plan import IndexPlan, Kind, plan_index
from retrieval.index.stats import IndexStats, SearchCounts

__all__ = [
    "Allowed",
    "ExactIndex",
    "FaissIndex",
    "IndexFormatError",
    "IndexPlan",
    "IndexStats",
    "Kind",
    "LogFailedError",
    "Neighbours",
    "SearchCounts",
    "VectorIndex",
    "build_index",
    "build_stream",
    "open_index",
    "plan_index",
]
