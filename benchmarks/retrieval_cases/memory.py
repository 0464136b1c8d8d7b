"""Bytes per item against recall and speed: codes in memory, vectors re-scored from disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.retrieval_cases.timing import latencies
from benchmarks.retrieval_cases.vectors import Catalogue
from retrieval.index import FaissIndex, IndexPlan, build_index
from retrieval.index.structures import threads


@dataclass(frozen=True, slots=True)
class MemoryFigures:
    """One structure."""

    kind: str
    code: int
    """RaBitQ: bits per dimension. PQ: bytes per vector."""
    bytes_per_item: float
    """With ids of 8 bytes; the file of vectors is not counted."""
    recall: float
    p50_ms: float

    @property
    def bytes_without_ids(self) -> float:
        """What the goal counts: ids come on top."""
        return self.bytes_per_item - 8


def measure_memory(
    shop: Catalogue, plans: Sequence[IndexPlan], work: Path
) -> tuple[MemoryFigures, ...]:
    """Build, save and reopen each plan over the same vectors, and search.

    Args:
        shop: Vectors and questions.
        plans: What to build.
        work: Where the indexes may lie, a folder each; one that is there is not built again.
    """
    return tuple(_one(shop, plan, work / f"{plan.kind}-{plan.code}") for plan in plans)


def _one(shop: Catalogue, plan: IndexPlan, folder: Path) -> MemoryFigures:
    if not folder.exists():
        build_index(np.arange(len(shop.vectors)), shop.vectors, plan=plan).save(folder)
    index = FaissIndex.open(folder)
    recall = shop.recall(index.search(shop.queries, shop.k).scores)
    with threads(1):
        p50 = np.median(latencies([lambda query: index.search(query, shop.k)], shop.queries))
    each = index.stats().bytes_per_item
    return MemoryFigures(plan.kind, plan.code, each, recall, float(p50))
