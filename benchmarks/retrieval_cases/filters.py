"""Filtered search: ours against asking raw FAISS for more and dropping what the filter bars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval_cases.search import raw_index
from benchmarks.retrieval_cases.timing import latencies
from benchmarks.retrieval_cases.vectors import Catalogue
from retrieval.index import Allowed, FaissIndex
from retrieval.index.structures import FaissObject, faiss, threads


@dataclass(frozen=True, slots=True)
class FilterFigures:
    """One filter, one query at a time."""

    share: float
    """Of the vectors that the filter leaves."""
    recall: float
    p50_ms: float
    post_recall: float
    """Of post-filtering, at the least effort that reaches our recall, if any does."""
    post_p50_ms: float
    post_asked: int
    """Answers that it asks FAISS for, to keep ``k``."""

    @property
    def vs_postfilter(self) -> float:
        """Our p50 over that of post-filtering."""
        return self.p50_ms / self.post_p50_ms


def measure_filter(
    shop: Catalogue, folder: Path, *, share: float = 0.01, n_queries: int = 100, seed: int = 0
) -> FilterFigures:
    """Compare at one selectivity.

    Args:
        shop: What the index holds, and the questions.
        folder: Where the index was saved.
        share: Of the vectors, chosen at random.
        n_queries: Of the questions, to be asked.
        seed: Of the choice.
    """
    rng = np.random.default_rng(seed)
    n, queries = len(shop.vectors), shop.queries[:n_queries]
    mask = rng.random(n) < share
    rows = np.flatnonzero(mask)
    k = min(shop.k, len(rows))
    inner = faiss.METRIC_INNER_PRODUCT
    true, _ = faiss.knn(queries, np.ascontiguousarray(shop.vectors[rows]), k, metric=inner)
    floor = true[:, -1:] - 1e-6
    index, allowed = FaissIndex.open(folder), Allowed(rows)
    ours = float((index.search(queries, k, allowed=allowed).scores >= floor).mean())
    post = _PostFilter(raw_index(folder), mask, k)
    reached = post.tune(queries, floor, ours)
    with threads(1):
        p50 = np.median(
            latencies([lambda q: index.search(q, k, allowed=allowed), post], queries), axis=1
        )
    return FilterFigures(share, ours, float(p50[0]), reached, float(p50[1]), post.asked)


class _PostFilter:
    """Asks for more, and for more lists, until what is left reaches the recall."""

    def __init__(self, index: FaissObject, mask: NDArray[np.bool_], k: int) -> None:
        self._index, self._mask, self._k = index, mask, k
        self.asked = min(len(mask), int(k / max(mask.mean(), 1 / len(mask))))
        self._probes = 1

    def __call__(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        params = faiss.SearchParametersIVF(nprobe=self._probes)
        scores, labels = self._index.search(queries, self.asked, params=params)
        kept = (labels >= 0) & self._mask[labels]
        best = np.full((len(queries), self._k), -np.inf, np.float32)
        for line, mask, into in zip(scores, kept, best, strict=True):
            left = line[mask][: self._k]
            into[: len(left)] = left
        return best

    def tune(
        self, queries: NDArray[np.float32], floor: NDArray[np.float32], recall: float
    ) -> float:
        """Raise the effort, answers by 1.1 and lists by 2 in turn, until the recall is reached."""
        lists = int(self._index.nlist) if hasattr(self._index, "nlist") else 1
        self._probes = min(lists, 16)
        while True:
            reached = float((self(queries) >= floor).mean())
            full = self._probes >= lists and self.asked >= len(self._mask)
            if reached >= min(recall, 0.95) or full:
                return reached
            self._probes = min(lists, 2 * self._probes)
            self.asked = min(len(self._mask), self.asked * 11 // 10 + 1)
