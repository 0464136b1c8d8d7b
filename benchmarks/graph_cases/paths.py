"""Paths on a graph of ten million edges: how long one takes, and what an edge and a node take.

Degrees are heavy-tailed on both sides (Zipf), and the questions are asked where it hurts most:
users and items are drawn by their degree, not evenly.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from graph import Edges, EdgeType, KnowledgeGraph, NodeType, Relation, find_paths
from graph.schema import Floats, Ints

N_USERS, N_ITEMS, N_CATEGORIES, N_BRANDS, N_ATTRIBUTES = 500_000, 200_000, 2_000, 10_000, 50_000
N_INTERACTED, N_TOGETHER, FACTS_PER_ITEM = 7_600_000, 10, 5
N_QUESTIONS, N_WARM_UP = 2_000, 50
K = 3
DAY_S = 86_400
NOW = 1_750_000_000


@dataclass(frozen=True, slots=True)
class PathFigures:
    """What was measured, on one thread.

    The wall clock counts what a shopper waits, and also what other work on the machine takes
    from this; the processor's clock counts the search alone.
    """

    n_nodes: int
    n_edges: int
    path_ms_p50: float
    path_ms_p99: float
    path_cpu_ms_p50: float
    path_cpu_ms_p99: float
    answered: float
    """Share of the questions to which there was a path."""
    bytes_per_edge: float
    """Compressed rows without the table of nodes."""
    bytes_per_node: float
    build_s: float


def measure_paths(seed: int = 0, scale: float = 1.0) -> PathFigures:
    """Make the graph, ask, and weigh it.

    Args:
        seed: For the graph and the questions.
        scale: Times ten million edges.
    """
    rng = np.random.default_rng(seed)
    started = time.perf_counter()
    kg = heavy_tailed_graph(rng, scale)
    build_s = time.perf_counter() - started
    users, items = _questions(rng, kg, N_WARM_UP + N_QUESTIONS)
    taken_s, answered = [], 0
    for user, item in zip(users.tolist(), items.tolist(), strict=True):
        started, worked = time.perf_counter(), time.thread_time()
        found = find_paths(kg, user, item, K)
        taken_s.append((time.perf_counter() - started, time.thread_time() - worked))
        answered += bool(found)
    (p50, cpu_p50), (p99, cpu_p99) = np.percentile(taken_s[N_WARM_UP:], [50, 99], axis=0) * 1000
    edge_bytes = sum(array.nbytes for array in (kg.neighbour, kg.slot, kg.weight, kg.at_unix_s))
    n_edges = len(kg.neighbour) // 2
    return PathFigures(
        n_nodes=kg.n_nodes,
        n_edges=n_edges,
        path_ms_p50=float(p50),
        path_ms_p99=float(p99),
        path_cpu_ms_p50=float(cpu_p50),
        path_cpu_ms_p99=float(cpu_p99),
        answered=answered / len(users),
        bytes_per_edge=edge_bytes / n_edges,
        bytes_per_node=kg.indptr.nbytes / kg.n_nodes,
        build_s=build_s,
    )


def heavy_tailed_graph(rng: np.random.Generator, scale: float = 1.0) -> KnowledgeGraph:
    """Users, items, categories, brands and attributes; all degrees fall as a power law."""
    names = (NodeType.USER, NodeType.ITEM, NodeType.CATEGORY, NodeType.BRAND, NodeType.ATTRIBUTE)
    counts = (N_USERS, N_ITEMS, N_CATEGORIES, N_BRANDS, N_ATTRIBUTES)
    sizes = {str(name): max(2, round(n * scale)) for name, n in zip(names, counts, strict=True)}
    n_items = sizes[NodeType.ITEM]
    items = np.arange(n_items, dtype=np.int64)
    liked = round(N_INTERACTED * scale)
    user = _zipf(rng, sizes[NodeType.USER], liked, exponent=0.8)
    pair = np.unique(user * n_items + _zipf(rng, n_items, liked, exponent=0.9))
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()])[:-1].tolist(), strict=True))

    def edges(head: str, relation: str, tail: str, heads: Ints, tails: Ints) -> Edges:
        weight: Floats = rng.random(len(heads), dtype=np.float32) + np.float32(0.01)
        at = NOW - rng.integers(1, 365 * DAY_S, len(heads)) if head == NodeType.USER else None
        kind = EdgeType(head, relation, tail)
        return Edges(kind, heads + starts[head], tails + starts[tail], weight, at)

    def fact(relation: str, tail: str, per_item: int) -> Edges:
        heads = np.repeat(items, per_item)
        return edges(NodeType.ITEM, relation, tail, heads, _zipf(rng, sizes[tail], len(heads)))

    together = np.repeat(items, N_TOGETHER)
    other = _zipf(rng, n_items, len(together), exponent=0.9)
    apart = together != other
    return KnowledgeGraph.from_edges(
        sizes,
        (
            edges(
                NodeType.USER, Relation.INTERACTED, NodeType.ITEM, pair // n_items, pair % n_items
            ),
            fact(Relation.IN_CATEGORY, NodeType.CATEGORY, 1),
            fact(Relation.MADE_BY, NodeType.BRAND, 1),
            fact(Relation.HAS_ATTRIBUTE, NodeType.ATTRIBUTE, FACTS_PER_ITEM),
            edges(
                NodeType.ITEM, Relation.BOUGHT_WITH, NodeType.ITEM, together[apart], other[apart]
            ),
        ),
        as_of_unix_s=NOW,
    )


def _questions(rng: np.random.Generator, kg: KnowledgeGraph, n: int) -> tuple[Ints, Ints]:
    """Users and items of random ``interacted`` edges, so that busy ones are asked for most."""
    forward = np.flatnonzero(kg.slot == 0)
    chosen, other = rng.choice(forward, (2, n))
    user = np.searchsorted(kg.indptr, chosen, side="right") - 1
    return user, kg.neighbour[other].astype(np.int64) - kg.start(NodeType.ITEM)


def _zipf(rng: np.random.Generator, n: int, draws: int, exponent: float = 1.0) -> Ints:
    """Rows in ``0..n-1``, drawn with probability ``(row + 1) ** -exponent``, then shuffled."""
    share = np.cumsum(np.arange(1, n + 1, dtype=np.float64) ** -exponent)
    rows = np.searchsorted(share, rng.random(draws) * share[-1]).clip(max=n - 1)
    shuffled: Ints = rng.permutation(n).astype(np.int64)[rows]
    return shuffled
