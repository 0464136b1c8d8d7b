"""Plain search: ours against the raw FAISS call and against graph indexes at the same recall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hnswlib  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from usearch.index import Index as UsearchIndex

from benchmarks.retrieval_cases.timing import Ask, latencies
from benchmarks.retrieval_cases.vectors import Catalogue
from retrieval.index import FaissIndex
from retrieval.index.structures import FaissObject, faiss, threads

LINKS, BUILD_BREADTH = 16, 100
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to search, at the least effort that reaches the recall."""

    name: str
    effort: int
    """``nprobe`` or the breadth of the graph search."""
    recall: float
    p50_ms: float
    bytes_per_item: float


@dataclass(frozen=True, slots=True)
class SearchFigures:
    """All measured in turns, query by query, one query at a time."""

    ours: Contender
    raw: Contender
    """The same FAISS index and effort, called bare."""
    peers: tuple[Contender, ...]

    @property
    def vs_raw(self) -> float:
        """Our p50 over the raw call's."""
        return self.ours.p50_ms / self.raw.p50_ms

    @property
    def vs_best_peer(self) -> float:
        """Our p50 over the fastest peer's."""
        return self.ours.p50_ms / min(peer.p50_ms for peer in self.peers)


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """A graph index: how it is asked, and how wide."""

    name: str
    index: object
    set_breadth: Callable[[int], None]
    ask: Callable[[NDArray[np.float32]], Rows]
    """Queries ``[Q, D]`` to rows ``[Q, k]``."""
    bytes_per_item: float


def measure_search(
    shop: Catalogue, folder: Path, peers: tuple[Peer, ...] = (), *, recall: float = 0.95
) -> SearchFigures:
    """Compare an index saved in a folder with its raw FAISS object and with peers.

    Args:
        shop: What the index holds, and the questions.
        folder: Where :meth:`retrieval.index.FaissIndex.save` wrote it.
        peers: See :func:`hnswlib_peer` and :func:`usearch_peer`.
        recall: What every peer is tuned to.
    """
    index, raw = FaissIndex.open(folder), raw_index(folder)
    effort = index.nprobe or 1
    params = faiss.SearchParametersIVF(nprobe=effort) if index.nprobe else None
    efforts = [_tuned(peer, shop, recall) for peer in peers]
    asks: list[Ask] = [
        lambda query: index.search(query, shop.k),
        lambda query: raw.search(query, shop.k, params=params),
        *(peer.ask for peer in peers),
    ]
    with threads(1):
        p50 = np.median(latencies(asks, shop.queries), axis=1)
        ours = shop.recall(index.search(shop.queries, shop.k).scores)
        bare = shop.recall(raw.search(shop.queries, shop.k, params=params)[0])
    each = index.stats().bytes_per_item
    return SearchFigures(
        Contender("vitrine", effort, ours, float(p50[0]), each),
        Contender("faiss", effort, bare, float(p50[1]), each),
        tuple(
            Contender(peer.name, breadth, reached, float(ms), peer.bytes_per_item)
            for peer, (breadth, reached), ms in zip(peers, efforts, p50[2:], strict=True)
        ),
    )


def raw_index(folder: Path) -> FaissObject:
    """The FAISS object in a saved folder, mapped as ours is."""
    return faiss.read_index(str(next(folder.glob("index-*.faiss"))), faiss.IO_FLAG_MMAP_IFC)


def hnswlib_peer(shop: Catalogue, saved: Path | None = None) -> Peer:
    """A graph of hnswlib over the same float32 vectors."""
    n, dim = shop.vectors.shape
    graph = hnswlib.Index("ip", dim)
    if saved is not None and saved.is_file():
        graph.load_index(str(saved))
    else:
        graph.init_index(n, M=LINKS, ef_construction=BUILD_BREADTH)
        graph.add_items(shop.vectors)
        if saved is not None:
            graph.save_index(str(saved))
    graph.set_num_threads(1)
    each = 4 * dim + 2 * 4 * LINKS + 4 + 8
    return Peer("hnswlib", graph, graph.set_ef, lambda q: graph.knn_query(q, k=shop.k)[0], each)


def usearch_peer(shop: Catalogue, saved: Path | None = None) -> Peer:
    """A graph of usearch over the same float32 vectors."""
    n, dim = shop.vectors.shape
    graph: Any = UsearchIndex(
        ndim=dim, metric="ip", dtype="f32", connectivity=LINKS, expansion_add=BUILD_BREADTH
    )
    if saved is not None and saved.is_file():
        graph.load(str(saved))
    else:
        graph.add(np.arange(n), shop.vectors)
        if saved is not None:
            graph.save(str(saved))

    def set_breadth(breadth: int) -> None:
        graph.expansion_search = breadth

    def ask(queries: NDArray[np.float32]) -> Rows:
        keys = graph.search(queries, shop.k, threads=1).keys
        return np.atleast_2d(np.asarray(keys, np.int64))

    return Peer("usearch", graph, set_breadth, ask, 4 * dim + 2 * 4 * LINKS + 4 + 8)


def _tuned(peer: Peer, shop: Catalogue, recall: float) -> tuple[int, float]:
    breadth = shop.k
    while True:
        peer.set_breadth(breadth)
        rows = peer.ask(shop.queries)
        scores = np.einsum("qkd,qd->qk", shop.vectors[rows], shop.queries)
        reached = shop.recall(scores)
        if reached >= recall or breadth >= len(shop.vectors):
            return breadth, reached
        breadth = breadth * 5 // 4
