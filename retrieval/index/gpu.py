"""A copy of a base on the first GPU, made again when the base changes."""

from __future__ import annotations

from retrieval.index.plan import Kind
from retrieval.index.segment import SPARE, Segment
from retrieval.index.structures import FaissObject, faiss, with_whole_centres

_KINDS = (Kind.FLAT, Kind.IVF_FLAT, Kind.IVF_PQ, Kind.IVF_SQ8)
_MOST = 2048
"""Answers that FAISS gives at most on a GPU."""


class GpuCopy:
    """Where unfiltered searches go: a GPU passes over nothing, so filters stay behind."""

    def __init__(self, base: Segment) -> None:
        """See whether the base can go to a GPU.

        Raises:
            RuntimeError: This FAISS sees no GPU, or has no GPU form of this kind.
        """
        if not faiss.get_num_gpus():
            raise RuntimeError(
                "to_gpu: FAISS sees no GPU; it takes an NVIDIA GPU and "
                "pip install 'vitrine-rec[gpu]', or TorchIndex of retrieval.index.torch_gpu"
            )
        if base.plan.kind not in _KINDS:
            raise RuntimeError(
                f"to_gpu: got an index of kind {base.plan.kind}, expected one of "
                f"{', '.join(_KINDS)}; build one of these, or stay on the processor"
            )
        self._copied: tuple[Segment, FaissObject] | None = None

    def of(self, base: Segment, k: int) -> FaissObject:
        """What to ask for ``k`` answers: the copy, or the base itself where that must do."""
        depth = base.efforts.of(k, 1.0).depth
        if depth + SPARE > _MOST:
            return base.index
        copied = self._copied
        if copied is None or copied[0] is not base:
            resources = faiss.StandardGpuResources()
            there = faiss.index_cpu_to_gpu(resources, 0, with_whole_centres(base.index))
            copied = self._copied = (base, there)
        return copied[1]
