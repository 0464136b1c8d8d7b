"""The graph for other tools: networkx, PyG, GraphML, and a table of triples."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import torch

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData  # type: ignore[import-untyped]

    from graph.kg import KnowledgeGraph

_NAME = pa.dictionary(pa.int32(), pa.string())
_TRIPLES = pa.schema(
    {
        "head_type": _NAME,
        "head": pa.int64(),
        "relation": _NAME,
        "tail_type": _NAME,
        "tail": pa.int64(),
        "weight": pa.float32(),
        "at_unix_s": pa.int64(),
    }
)


def neighborhood(kg: KnowledgeGraph, node: int, hops: int, limit: int) -> nx.MultiDiGraph[int]:
    """The subgraph within ``hops`` of a node: at most ``limit`` nodes, each slot's best first."""
    depth = {node: 0}
    queue = deque([node])
    while queue and len(depth) < limit:
        here = queue.popleft()
        if depth[here] == hops:
            continue
        part = slice(int(kg.indptr[here]), int(kg.indptr[here + 1]))
        # Weights of two relations do not compare: the best of each slot first, then the second.
        rank = np.arange(part.stop - part.start) - np.searchsorted(kg.slot[part], kg.slot[part])
        for there in kg.neighbour[part][np.argsort(rank, kind="stable")].tolist():
            if len(depth) == limit:
                break
            if there not in depth:
                depth[there] = depth[here] + 1
                queue.append(there)
    return subgraph(kg, np.array(sorted(depth), np.int64))


def subgraph(kg: KnowledgeGraph, nodes: np.ndarray) -> nx.MultiDiGraph[int]:
    """The edges among some nodes, int64 ``[n]`` rising.

    Nodes carry ``type`` and ``row``; edges point from head to tail, are keyed by relation and
    carry ``weight`` and, where it means anything, ``at_unix_s``.
    """
    view: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    for node in nodes.tolist():
        node_type, row = kg.local_row(node)
        view.add_node(node, type=str(node_type), row=row)
    for node in nodes.tolist():
        start, stop = int(kg.indptr[node]), int(kg.indptr[node + 1])
        there = kg.neighbour[start:stop]
        at = np.minimum(np.searchsorted(nodes, there), len(nodes) - 1)
        inside = (nodes[at] == there) & (kg.slot[start:stop] % 2 == 0)
        for e in (start + np.flatnonzero(inside)).tolist():
            k = int(kg.slot[e]) // 2
            time = {"at_unix_s": int(kg.at_unix_s[e])} if kg.timed[k] else {}
            view.add_edge(
                node,
                int(kg.neighbour[e]),
                key=str(kg.edge_types[k].relation),
                weight=float(kg.weight[e]),
                **time,
            )
    return view


def write_graphml(
    view: nx.MultiDiGraph[int], path: Path, names: Mapping[int, str] | None = None
) -> None:
    """Write a graph for Gephi, yEd or Cytoscape; ``names`` become the nodes' labels.

    Every edge carries its relation as an attribute too, because few tools show GraphML's keys.
    """
    labelled: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    for node, facts in view.nodes(data=True):
        label = (names or {}).get(node, f"{facts['type']} {facts['row']}")
        labelled.add_node(node, label=label, **facts)
    for head, tail, relation, facts in view.edges(keys=True, data=True):
        labelled.add_edge(head, tail, key=relation, relation=relation, **facts)
    nx.write_graphml(labelled, path)


def hetero(kg: KnowledgeGraph) -> HeteroData:
    """The graph as PyG's HeteroData: local rows, ``edge_weight``, ``edge_time`` if timed."""
    from torch_geometric.data import HeteroData  # PyG: only who asks waits for it

    data = HeteroData()
    for t, name in enumerate(kg.node_types):
        data[name].num_nodes = kg.offsets[t + 1] - kg.offsets[t]
    for k, edge_type in enumerate(kg.edge_types):
        edges = kg.edges(k)
        head = edges.head - kg.start(edge_type.head_type)
        tail = edges.tail - kg.start(edge_type.tail_type)
        store = data[tuple(edge_type)]
        store.edge_index = torch.from_numpy(np.stack([head, tail]))
        store.edge_weight = torch.from_numpy(edges.weight)
        if edges.at_unix_s is not None:
            store.edge_time = torch.from_numpy(edges.at_unix_s)
    return data


def triples(kg: KnowledgeGraph) -> pa.Table:
    """Every edge once: head_type, head, relation, tail_type, tail, weight, at_unix_s."""
    tables = [triples_of(kg, k) for k in range(len(kg.edge_types))]
    return pa.concat_tables(tables) if tables else _TRIPLES.empty_table()


def triples_of(kg: KnowledgeGraph, k: int) -> pa.Table:
    """The edges of type ``edge_types[k]`` as a table of local rows."""
    edges = kg.edges(k)
    n, (head_type, relation, tail_type) = len(edges.head), edges.edge_type
    at_unix_s = pa.nulls(n, pa.int64()) if edges.at_unix_s is None else pa.array(edges.at_unix_s)
    return pa.table(
        {
            "head_type": _repeated(head_type, n),
            "head": edges.head - kg.start(head_type),
            "relation": _repeated(relation, n),
            "tail_type": _repeated(tail_type, n),
            "tail": edges.tail - kg.start(tail_type),
            "weight": edges.weight,
            "at_unix_s": at_unix_s,
        }
    )


def _repeated(value: str, n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([str(value)]))
