"""What one vector costs in each kind of code: the measured ground of ``docs/sizing.md``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import faiss as typed_faiss
import numpy as np

from benchmarks.retrieval_cases.milvus import QUERIES, K, clustered
from retrieval.index.exact import search_all

faiss: Any = typed_faiss
CODES = ("Flat", "HNSW32,Flat", "HNSW32,SQ8", "IVF{lists},SQ8", "IVF{lists},RaBitQ")
"""In the words of ``faiss.index_factory``: what Milvus builds from too."""
RESCORED = 10 * K
"""Answers of the codes that are compared again with the whole vectors."""


@dataclass(frozen=True, slots=True)
class CodeCost:
    """One kind of index over unit vectors in clusters; one thread."""

    code: str
    n: int
    dim: int
    bytes_per_item: float
    """Of the index written out: codes, ids, links and centres."""
    build_s: float
    search_ms: float
    """Mean of one query, k = 100."""
    recall: float
    """Of the 100 best, by the codes alone."""
    rescored_recall: float
    """The same when the 1,000 best of the codes are compared again."""


def code_costs(
    n: int, codes: tuple[str, ...] = CODES, *, dim: int = 128, seed: int = 0
) -> list[CodeCost]:
    """Build every kind over the same ``n`` vectors of width ``dim``."""
    rng = np.random.default_rng(seed)
    vectors = clustered(n, dim, rng)
    queries = clustered(QUERIES, dim, rng, like=vectors)
    best = search_all(np.arange(n), vectors, queries, K).rows
    return [_cost(code.format(lists=int(4 * n**0.5)), vectors, queries, best) for code in codes]


def _cost(code: str, vectors: np.ndarray, queries: np.ndarray, best: np.ndarray) -> CodeCost:
    n, dim = vectors.shape
    index = faiss.index_factory(dim, code, faiss.METRIC_INNER_PRODUCT)
    began = time.perf_counter()
    index.train(vectors)
    index.add(vectors)
    built = time.perf_counter() - began
    parameters = _breadth(code, index)
    began = time.perf_counter()
    _, found = index.search(queries, K, params=parameters)
    asked = (time.perf_counter() - began) / len(queries)
    _, wide = index.search(queries, min(RESCORED, n), params=parameters)
    return CodeCost(
        code,
        n,
        dim,
        len(faiss.serialize_index(index)) / n,
        built,
        1e3 * asked,
        _shared(found, best),
        _shared(wide, best),  # whatever of the best is among them, comparing again finds
    )


def _breadth(code: str, index: Any) -> Any:  # noqa: ANN401 - made by SWIG
    if code.startswith("HNSW"):
        return faiss.SearchParametersHNSW(efSearch=2 * K)
    if "RaBitQ" in code:
        return faiss.IVFRaBitQSearchParameters(nprobe=max(1, index.nlist // 20), qb=8)
    if code.startswith("IVF"):
        return faiss.SearchParametersIVF(nprobe=max(1, index.nlist // 20))
    return None


def _shared(found: np.ndarray, best: np.ndarray) -> float:
    hits = [len(set(a) & set(b)) / len(b) for a, b in zip(found, best, strict=True)]
    return float(np.mean(hits))


if __name__ == "__main__":
    import sys

    faiss.omp_set_num_threads(1)
    for cost in code_costs(int(sys.argv[1])):
        print(cost, flush=True)
