"""Nearest rows by inner product: one protocol, an exact oracle, and FAISS."""

from retrieval.index.base import IndexFormatError, Neighbours, VectorIndex
from retrieval.index.exact import ExactIndex
from retrieval.index.faiss_index import FaissIndex, build_index
from retrieval.index.open import open_index

__all__ = [
    "ExactIndex",
    "FaissIndex",
    "IndexFormatError",
    "Neighbours",
    "VectorIndex",
    "build_index",
    "open_index",
]
