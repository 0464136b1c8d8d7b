"""Edges of one type, and the sorting of all of them into compressed rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.schema import Floats, Ints

Rows = NDArray[np.integer[Any]]
"""Node rows as they are stored: int32, or int64 from 2³¹ nodes on."""
Seconds = NDArray[np.integer[Any]]
"""Times as they are stored: uint32, or int64 where one lies outside 1970–2106."""


class EdgeType(NamedTuple):
    """What an edge means and what it joins, such as ``("item", "made_by", "brand")``."""

    head_type: str
    relation: str
    tail_type: str


@dataclass(frozen=True, slots=True)
class Edges:
    """Edges of one type as global node rows.

    Shapes: ``head``, ``tail`` int64 ``[M]``, ``weight`` float32 ``[M]``, ``at_unix_s`` int64
    ``[M]`` (the last time the edge was seen), or None for facts that have no time.
    """

    edge_type: EdgeType
    head: Ints
    tail: Ints
    weight: Floats
    at_unix_s: Ints | None = None


class CompressedRows(NamedTuple):
    """Edges by the node that they start from; see :class:`graph.kg.KnowledgeGraph`.

    Shapes, for N nodes and M edges: ``indptr`` int64 ``[N + 1]``, the others ``[2M]``.
    """

    indptr: Ints
    neighbour: Rows
    slot: NDArray[np.int16]
    weight: Floats
    at_unix_s: Seconds


def compress(edges: tuple[Edges, ...], n_nodes: int) -> CompressedRows:
    """Sort edges, each from either end, by (node, slot, falling weight)."""
    head, tail, slot, weight, at_unix_s = _both_directions(edges, n_nodes)
    # Two stable sorts are a sort by (head, slot, falling weight) at half lexsort's price.
    order = np.argsort(-weight, kind="stable")
    key = head[order].astype(np.int64) * (2 * len(edges)) + slot[order]
    order = order[np.argsort(key, kind="stable")]
    counts = np.bincount(head, minlength=n_nodes)
    return CompressedRows(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        tail[order],
        slot[order],
        weight[order],
        at_unix_s[order],
    )


def _both_directions(
    edges: tuple[Edges, ...], n_nodes: int
) -> tuple[Rows, Rows, NDArray[np.int16], Floats, Seconds]:
    """Every edge from either end: head, tail, slot, weight, time, all ``[2M]``."""
    rows = np.int32 if n_nodes <= np.iinfo(np.int32).max else np.int64
    total = 2 * sum(len(e.head) for e in edges)
    head: Rows = np.empty(total, rows)
    tail: Rows = np.empty(total, rows)
    slot, weight = np.empty(total, np.int16), np.empty(total, np.float32)
    at_unix_s: Seconds = np.zeros(total, _seconds(edges))
    first = 0
    for k, e in enumerate(edges):
        for direction, (start, end) in enumerate(((e.head, e.tail), (e.tail, e.head))):
            part = slice(first, first + len(start))
            head[part], tail[part], slot[part] = start, end, 2 * k + direction
            weight[part] = e.weight
            if e.at_unix_s is not None:
                at_unix_s[part] = e.at_unix_s
            first = part.stop
    return head, tail, slot, weight, at_unix_s


def _seconds(edges: tuple[Edges, ...]) -> type[np.uint32] | type[np.int64]:
    times = [e.at_unix_s for e in edges if e.at_unix_s is not None and len(e.at_unix_s)]
    fits = all(t.min() >= 0 and t.max() <= np.iinfo(np.uint32).max for t in times)
    return np.uint32 if fits else np.int64
