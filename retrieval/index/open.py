"""Open a saved index, whichever class wrote it."""

from __future__ import annotations

from pathlib import Path

from retrieval.index import exact, faiss_index
from retrieval.index.base import IndexFormatError, IndexMeta, VectorIndex

_MILVUS, _TORCH = "milvus", "torch"


def open_index(folder: Path) -> VectorIndex:
    """Open the folder that ``save`` wrote, through a memory map.

    Raises:
        IndexFormatError: The folder does not hold a whole index that this version reads.
    """
    kind = IndexMeta.read(folder).kind
    if kind == exact.KIND:
        return exact.ExactIndex.open(folder)
    if kind == faiss_index.KIND:
        return faiss_index.FaissIndex.open(folder)
    if kind == _TORCH:
        from retrieval.index.torch_gpu import TorchIndex  # seconds of import, for this kind only

        return TorchIndex.open(folder)
    if kind == _MILVUS:
        from retrieval.index.milvus import MilvusIndex  # of the extra 'scale'

        return MilvusIndex.open(folder)
    raise IndexFormatError(
        f"{folder}: got an index of kind {kind!r}, expected one of "
        f"{exact.KIND!r}, {faiss_index.KIND!r}, {_TORCH!r} and {_MILVUS!r}"
    )
