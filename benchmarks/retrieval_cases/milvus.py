"""Milvus Lite: what an item costs, from which clusters are sized (``docs/sizing.md``)."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.index.exact import search_all
from retrieval.index.milvus import MilvusIndex, MilvusKind, MilvusPlace

ADDED_AT_ONCE = 10_000
QUERIES = 50
K = 100


@dataclass(frozen=True, slots=True)
class MilvusCost:
    """One collection of unit vectors that lie in clusters, as real ones do."""

    kind: MilvusKind
    n: int
    dim: int
    adds_per_s: float
    disk_bytes_per_item: float
    """Files of the collection after a flush: rows, vectors, and the index over them."""
    memory_bytes_per_item: float
    """Growth of this process, which holds the server too; NaN where it cannot be read."""
    p50_ms: float
    """One query, k = 100."""
    recall: float
    """Of the 100 best, against brute force."""
    filtered_p50_ms: float
    """The same where 1% of the rows are allowed."""
    filtered_recall: float
    visible_s: float
    """From the call that adds one row to a search that answers it."""


def milvus_cost(
    n: int, kind: MilvusKind = MilvusKind.FLAT, *, dim: int = 128, seed: int = 0
) -> MilvusCost:
    """Fill a Lite file with ``n`` vectors of width ``dim`` and ask it."""
    rng = np.random.default_rng(seed)
    vectors = clustered(n, dim, rng)
    queries = clustered(QUERIES, dim, rng, like=vectors)
    few = np.sort(rng.choice(n, max(1, n // 100), replace=False))
    with tempfile.TemporaryDirectory() as folder:
        before = resident_bytes()
        index = MilvusIndex(dim, MilvusPlace(f"{folder}/items.db", "items", kind))
        began = time.perf_counter()
        for start in range(0, n, ADDED_AT_ONCE):
            rows = np.arange(start, min(start + ADDED_AT_ONCE, n))
            index.add(rows, vectors[rows])
        took = time.perf_counter() - began
        index.save(Path(folder) / "saved")
        index.search(queries[:1], K)  # the first search loads what was flushed
        grown = resident_bytes() - before
        p50, recall = _ask(lambda query: index.search(query, K).rows, queries, vectors, None)
        filtered = _ask(
            lambda query: index.search(query, K, allowed=few).rows, queries, vectors, few
        )
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        visible = _visible(index, n, queries[:1])
        index.drop()
    return MilvusCost(kind, n, dim, n / took, size / n, grown / n, p50, recall, *filtered, visible)


def clustered(
    n: int, dim: int, rng: np.random.Generator, *, like: np.ndarray | None = None
) -> np.ndarray:
    """Unit vectors float32 ``[n, dim]`` around one centre per 1,000, or near some of ``like``."""
    if like is None:
        centres = rng.standard_normal((max(1, n // 1000), dim)).astype(np.float32)
    else:
        centres = like * np.float32(dim**0.5)
    chosen = centres[rng.integers(len(centres), size=n)]
    vectors = chosen + rng.standard_normal((n, dim), np.float32) * np.float32(0.7)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def resident_bytes() -> float:
    """Memory of this process and nothing else; NaN where the system does not say."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return float("nan")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return 1024.0 * int(line.split()[1])


def _ask(
    answer: Callable[[np.ndarray], np.ndarray],
    queries: np.ndarray,
    vectors: np.ndarray,
    allowed: np.ndarray | None,
) -> tuple[float, float]:
    """Median milliseconds of one query, and the recall of all of them."""
    rows = np.arange(len(vectors)) if allowed is None else allowed
    best = search_all(rows, vectors if allowed is None else vectors[rows], queries, K)
    seconds, hits = [], 0
    for query, wanted, valid in zip(queries, best.rows, best.valid, strict=True):
        began = time.perf_counter()
        found = answer(query[None])
        seconds.append(time.perf_counter() - began)
        hits += len(set(found[0]) & set(wanted[valid]))
    return 1e3 * float(np.median(seconds)), hits / int(best.valid.sum())


def _visible(index: MilvusIndex, row: int, vector: np.ndarray) -> float:
    began = time.perf_counter()
    index.add(np.array([row]), vector)
    while index.search(vector, 1).rows[0, 0] != row:
        pass
    return time.perf_counter() - began


if __name__ == "__main__":
    import sys

    print(milvus_cost(int(sys.argv[1]), MilvusKind(sys.argv[2])))
