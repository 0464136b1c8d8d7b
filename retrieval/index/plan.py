"""Which structure suits a catalogue: chosen from its size, the memory and the recall asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf, isqrt

FLAT_BELOW = 50_000
GOAL_RECALL = 0.96
POINTS_PER_LIST = 40
"""k-means wants so many points for each centre."""
LINKS = 32
_ID_BYTES = 8
_PLACE_BYTES = 8
_RABITQ_BITS = (4, 2, 1)
_FINEST_PQ = 8
_HNSW_RECALL = 0.99


class Kind(StrEnum):
    """How vectors are laid out for searching."""

    FLAT = "flat"
    """Every vector is compared: exact."""
    IVF_FLAT = "ivf-flat"
    """Inverted lists of whole vectors."""
    IVF_SQ8 = "ivf-sq8"
    """Inverted lists of one byte per dimension, re-scored."""
    IVF_RABITQ = "ivf-rabitq"
    """Inverted lists of one to four bits per dimension, re-scored (Gao and Long 2024)."""
    IVF_PQ = "ivf-pq"
    """Inverted lists of product-quantised codes, re-scored (Jégou et al. 2011)."""
    HNSW = "hnsw"
    """A graph of neighbours (Malkov and Yashunin 2018)."""


CODED = frozenset({Kind.IVF_SQ8, Kind.IVF_RABITQ, Kind.IVF_PQ})
"""Kinds whose codes only approximate; the vectors beside them give the scores."""


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """What to build, and why."""

    kind: Kind
    lists: int = 0
    """Cells of the k-means; 0 without inverted lists."""
    code: int = 0
    """RaBitQ: bits per dimension. PQ: bytes per vector. HNSW: links per node. Else 0."""
    recall: float = GOAL_RECALL
    """What the breadth of a search is tuned to."""
    bytes_per_item: float = 0.0
    """Memory per vector with its id; vectors that are re-scored from disk are not counted."""
    why: str = ""


def lists_for(n: int) -> int:
    """Cells of a k-means over ``n`` vectors: ``4 sqrt(n)``, with enough points for each."""
    return max(1, min(4 * isqrt(n), n // POINTS_PER_LIST))


def plan_index(
    n: int, dim: int, memory_bytes: float = inf, recall: float = GOAL_RECALL
) -> IndexPlan:
    """Choose a structure.

    Args:
        n: Vectors.
        dim: Their width D.
        memory_bytes: What the index may take; re-scoring reads the vectors from disk.
        recall: Share of the true neighbours that a search must find, above 0, at most 1.

    Raises:
        ValueError: The arguments are not as above, or nothing fits the memory.
    """
    if n < 0 or dim < 1 or memory_bytes <= 0 or not 0 < recall <= 1:
        raise ValueError(
            f"plan_index: got n={n}, dim={dim}, memory_bytes={memory_bytes}, recall={recall}; "
            "expected n >= 0, dim >= 1, memory_bytes > 0 and 0 < recall <= 1"
        )
    room = memory_bytes / max(n, 1)
    fitting = [plan for plan in _plans(n, dim, recall) if plan.bytes_per_item <= room]
    if not fitting:
        least = min(plan.bytes_per_item for plan in _plans(n, dim, recall)) * n
        raise ValueError(
            f"plan_index: got {memory_bytes:.3g} bytes for {n} vectors of {dim}, expected at "
            f"least {least:.3g}; spread the vectors over machines (Milvus) or give it more"
        )
    return fitting[0]


def _plans(n: int, dim: int, recall: float) -> list[IndexPlan]:
    """Plans in order of preference: the first that fits is taken."""
    whole, cells = 4 * dim, lists_for(n)
    of_centres = cells * whole / 2 / max(n, 1)
    each = _ID_BYTES + _PLACE_BYTES + of_centres
    plans = []
    flat = IndexPlan(
        Kind.FLAT,
        recall=1.0,
        bytes_per_item=whole + _ID_BYTES,
        why=f"flat: {n} vectors are compared within milliseconds, and the answers are exact",
    )
    if n < FLAT_BELOW or recall == 1:
        return [flat]
    if recall >= _HNSW_RECALL:
        links = 8 * LINKS * 1.1
        plans.append(_coded(Kind.HNSW, 0, LINKS, recall, whole + links + _ID_BYTES))
    plans += [
        _coded(Kind.IVF_FLAT, cells, 0, recall, whole + each),
        _coded(Kind.IVF_SQ8, cells, 0, recall, dim + each),
    ]
    plans += [
        _coded(Kind.IVF_RABITQ, cells, bits, recall, rabitq_bytes(dim, bits) + each)
        for bits in _RABITQ_BITS
    ]
    if dim % _FINEST_PQ == 0:
        size = dim // _FINEST_PQ
        plans.append(_coded(Kind.IVF_PQ, cells, size, recall, size + each))
    return plans


def rabitq_bytes(dim: int, bits: int) -> int:
    """Bytes of a RaBitQ code with its factors."""
    return -(-dim // 8) + 8 if bits == 1 else -(-dim * bits // 8) + 20


def _coded(kind: Kind, lists: int, code: int, recall: float, each: float) -> IndexPlan:
    reasons = {
        Kind.HNSW: f"a graph of {code} links reaches a recall of {recall:g} with the fewest "
        "comparisons, and its memory is there",
        Kind.IVF_FLAT: f"whole vectors in {lists} lists fit the memory, so nothing is re-scored",
        Kind.IVF_SQ8: "whole vectors do not fit the memory; one byte per dimension does, and the "
        "best are re-scored from disk",
        Kind.IVF_RABITQ: f"one byte per dimension does not fit the memory; {code} bits do, and "
        "the best are re-scored from disk",
        Kind.IVF_PQ: f"only {code} bytes per vector fit the memory; the best are re-scored from "
        "disk, many of them",
    }
    why = f"{kind}: {each:.0f} bytes per vector; {reasons[kind]}"
    return IndexPlan(kind, lists, code, recall, each, why)
