"""The knowledge graph: typed nodes, typed edges, compressed rows in both directions."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import networkx as nx
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from torch_geometric.data import HeteroData  # type: ignore[import-untyped]

from graph.schema import Floats, GraphError, Ints

FORMAT = 1
_ARRAYS = ("indptr", "neighbour", "slot", "weight", "at_unix_s")


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


@dataclass(frozen=True, slots=True)
class Adjacent:
    """Edges at one node, strongest first: neighbours int64 ``[n]``, weights, times."""

    node: Ints
    weight: Floats
    at_unix_s: Ints


@dataclass(frozen=True, slots=True)
class GraphStats:
    """How many nodes of each type, how many edges of each type."""

    n_nodes: tuple[tuple[str, int], ...]
    n_edges: tuple[tuple[EdgeType, int], ...]


@dataclass(frozen=True, slots=True)
class KnowledgeGraph:
    """Typed nodes with global rows, and their edges sorted for reading from either end.

    Node ``r`` of type ``t`` has the global row ``offsets[t] + r``. An edge of type ``k`` is
    kept twice: at its head in *slot* ``2k`` and at its tail in slot ``2k + 1``. The row of a
    node lists its slots in order and, within a slot, the strongest edge first, so the best
    neighbours along a relation are the head of one contiguous slice.

    Shapes, for N nodes and M edges: ``indptr`` int64 ``[N + 1]``; ``neighbour`` int64,
    ``slot`` int16, ``weight`` float32, ``at_unix_s`` int64, all ``[2M]``.
    """

    node_types: tuple[str, ...]
    offsets: tuple[int, ...]
    """Global row of each type's first node, then N: one more than ``node_types``."""
    edge_types: tuple[EdgeType, ...]
    timed: tuple[bool, ...]
    """For each edge type, whether ``at_unix_s`` means anything (it is 0 where it does not)."""
    as_of_unix_s: int
    """The moment that the graph describes: it knows nothing of what happened from then on."""
    indptr: Ints
    neighbour: Ints
    slot: NDArray[np.int16]
    weight: Floats
    at_unix_s: Ints

    @classmethod
    def from_edges(
        cls, n_nodes: Mapping[str, int], edges: tuple[Edges, ...], *, as_of_unix_s: int
    ) -> KnowledgeGraph:
        """Sort edges into compressed rows; ``n_nodes`` gives the order of the node types."""
        offsets = (0, *np.cumsum(list(n_nodes.values())).tolist())
        head, tail, slot, weight, at_unix_s = _both_directions(edges)
        # Two stable sorts are a sort by (head, slot, falling weight) at half lexsort's price.
        order = np.argsort(-weight, kind="stable")
        key = head[order] * (2 * len(edges)) + slot[order]
        order = order[np.argsort(key, kind="stable")]
        counts = np.bincount(head, minlength=offsets[-1])
        return cls(
            node_types=tuple(n_nodes),
            offsets=offsets,
            edge_types=tuple(e.edge_type for e in edges),
            timed=tuple(e.at_unix_s is not None for e in edges),
            as_of_unix_s=as_of_unix_s,
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            neighbour=tail[order],
            slot=slot[order],
            weight=weight[order],
            at_unix_s=at_unix_s[order],
        )

    @property
    def n_nodes(self) -> int:
        """Nodes of all types together."""
        return self.offsets[-1]

    def global_row(self, node_type: str, row: int) -> int:
        """Global row of node ``row`` of a type.

        Raises:
            GraphError: No such type, or no such row in it.
        """
        t = self._type_index(node_type)
        size = self.offsets[t + 1] - self.offsets[t]
        if not 0 <= row < size:
            raise GraphError(f"{node_type} row {row} is not in this graph (0..{size - 1})")
        return self.offsets[t] + row

    def local_row(self, node: int) -> tuple[str, int]:
        """Type of a global row and its row within that type."""
        if not 0 <= node < self.n_nodes:
            raise GraphError(f"node {node} is not in this graph (0..{self.n_nodes - 1})")
        t = int(np.searchsorted(self.offsets, node, side="right")) - 1
        return self.node_types[t], node - self.offsets[t]

    def slots(self, relation: str) -> tuple[int, ...]:
        """Slots of a relation, forward and backward; empty where the graph has none of it."""
        found = [k for k, e in enumerate(self.edge_types) if e.relation == relation]
        return tuple(s for k in found for s in (2 * k, 2 * k + 1))

    def adjacent(self, node: int, slot: int, limit: int | None = None) -> Adjacent:
        """The strongest edges of a node in one slot, at most ``limit``."""
        start, stop = int(self.indptr[node]), int(self.indptr[node + 1])
        first, last = np.searchsorted(self.slot[start:stop], [slot, slot + 1])
        end = int(last) if limit is None else min(int(last), int(first) + limit)
        part = slice(start + int(first), start + end)
        return Adjacent(self.neighbour[part], self.weight[part], self.at_unix_s[part])

    def edges(self, k: int) -> Edges:
        """All edges of type ``edge_types[k]``, ordered by head, strongest first."""
        mine = np.flatnonzero(self.slot == 2 * k)
        head = np.searchsorted(self.indptr, mine, side="right") - 1
        at_unix_s = self.at_unix_s[mine] if self.timed[k] else None
        return Edges(
            self.edge_types[k],
            head.astype(np.int64),
            self.neighbour[mine],
            self.weight[mine],
            at_unix_s,
        )

    def stats(self) -> GraphStats:
        """Counts of nodes and edges by type."""
        sizes = np.diff(self.offsets).tolist()
        per_slot = np.bincount(self.slot, minlength=2 * len(self.edge_types))[::2]
        return GraphStats(
            tuple(zip(self.node_types, sizes, strict=True)),
            tuple(zip(self.edge_types, per_slot.tolist(), strict=True)),
        )

    def neighborhood(self, node: int, hops: int = 1, limit: int = 100) -> nx.MultiDiGraph[int]:
        """The subgraph within ``hops`` of a node: at most ``limit`` nodes, strong edges first.

        Nodes carry ``type`` and ``row``; edges point from head to tail, are keyed by relation
        and carry ``weight`` and, where it means anything, ``at_unix_s``.
        """
        depth = {node: 0}
        queue = deque([node])
        while queue and len(depth) < limit:
            here = queue.popleft()
            if depth[here] == hops:
                continue
            part = slice(int(self.indptr[here]), int(self.indptr[here + 1]))
            for there in self.neighbour[part][np.argsort(-self.weight[part], kind="stable")]:
                if len(depth) == limit:
                    break
                if int(there) not in depth:
                    depth[int(there)] = depth[here] + 1
                    queue.append(int(there))
        return self._subgraph(depth)

    def to_hetero(self) -> HeteroData:
        """The graph as PyG's HeteroData: local rows, ``edge_weight``, ``edge_time`` if timed."""
        data = HeteroData()
        for t, name in enumerate(self.node_types):
            data[name].num_nodes = self.offsets[t + 1] - self.offsets[t]
        for k, edge_type in enumerate(self.edge_types):
            edges = self.edges(k)
            head = edges.head - self.offsets[self._type_index(edge_type.head_type)]
            tail = edges.tail - self.offsets[self._type_index(edge_type.tail_type)]
            store = data[tuple(edge_type)]
            store.edge_index = torch.from_numpy(np.stack([head, tail]))
            store.edge_weight = torch.from_numpy(edges.weight)
            if edges.at_unix_s is not None:
                store.edge_time = torch.from_numpy(edges.at_unix_s)
        return data

    def save(self, folder: Path) -> None:
        """Write ``triples.parquet``, the compressed rows as ``.npy`` and ``graph.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        pq.write_table(self.triples(), folder / "triples.parquet", compression="zstd")
        layout = {
            "format": FORMAT,
            "node_types": self.node_types,
            "offsets": self.offsets,
            "edge_types": self.edge_types,
            "timed": self.timed,
            "as_of_unix_s": self.as_of_unix_s,
        }
        (folder / "graph.json").write_text(json.dumps(layout, indent=2), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> KnowledgeGraph:
        """Map a saved graph into memory; nothing is read until it is asked for.

        Raises:
            GraphError: A file is missing, or of another format.
        """
        try:
            layout = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
            arrays = {
                name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                for name in _ARRAYS
            }
        except (OSError, ValueError) as error:
            raise GraphError(f"no graph can be read from {folder}: {error}") from error
        if layout.get("format") != FORMAT:
            raise GraphError(
                f"{folder} holds graph format {layout.get('format')}, this version reads "
                f"{FORMAT}: train again"
            )
        return cls(
            node_types=tuple(layout["node_types"]),
            offsets=tuple(layout["offsets"]),
            edge_types=tuple(EdgeType(*e) for e in layout["edge_types"]),
            timed=tuple(layout["timed"]),
            as_of_unix_s=layout["as_of_unix_s"],
            **arrays,
        )

    def triples(self) -> pa.Table:
        """Every edge once: head_type, head, relation, tail_type, tail, weight, at_unix_s."""
        return pa.concat_tables([self._triples(k) for k in range(len(self.edge_types))])

    def _triples(self, k: int) -> pa.Table:
        edges = self.edges(k)
        n, (head_type, relation, tail_type) = len(edges.head), edges.edge_type
        at_unix_s = (
            pa.nulls(n, pa.int64()) if edges.at_unix_s is None else pa.array(edges.at_unix_s)
        )
        return pa.table(
            {
                "head_type": _repeated(head_type, n),
                "head": edges.head - self.offsets[self._type_index(head_type)],
                "relation": _repeated(relation, n),
                "tail_type": _repeated(tail_type, n),
                "tail": edges.tail - self.offsets[self._type_index(tail_type)],
                "weight": edges.weight,
                "at_unix_s": at_unix_s,
            }
        )

    def _subgraph(self, nodes: Mapping[int, int]) -> nx.MultiDiGraph[int]:
        view: nx.MultiDiGraph[int] = nx.MultiDiGraph()
        for node in nodes:
            node_type, row = self.local_row(node)
            view.add_node(node, type=node_type, row=row)
        for node in nodes:
            start, stop = int(self.indptr[node]), int(self.indptr[node + 1])
            for e in range(start, stop):
                k, backward = divmod(int(self.slot[e]), 2)
                if backward or int(self.neighbour[e]) not in nodes:
                    continue
                time = {"at_unix_s": int(self.at_unix_s[e])} if self.timed[k] else {}
                view.add_edge(
                    node,
                    int(self.neighbour[e]),
                    key=self.edge_types[k].relation,
                    weight=float(self.weight[e]),
                    **time,
                )
        return view

    def _type_index(self, node_type: str) -> int:
        if node_type not in self.node_types:
            raise GraphError(f"no node type {node_type!r}; this graph has {self.node_types}")
        return self.node_types.index(node_type)


def _both_directions(
    edges: tuple[Edges, ...],
) -> tuple[Ints, Ints, NDArray[np.int16], Floats, Ints]:
    """Every edge from either end: head, tail, slot, weight, time, all ``[2M]``."""
    ends: list[tuple[Ints, Ints, NDArray[np.int16], Floats, Ints]] = [
        (
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros(0, np.int16),
            np.zeros(0, np.float32),
            np.zeros(0, np.int64),
        )
    ]
    for k, e in enumerate(edges):
        n = len(e.head)
        at_unix_s = np.zeros(n, np.int64) if e.at_unix_s is None else e.at_unix_s
        ends.append((e.head, e.tail, np.full(n, 2 * k, np.int16), e.weight, at_unix_s))
        ends.append((e.tail, e.head, np.full(n, 2 * k + 1, np.int16), e.weight, at_unix_s))
    head, tail, slot, weight, at_unix_s = (
        np.concatenate(column) for column in zip(*ends, strict=True)
    )
    return head, tail, slot, weight, at_unix_s


def _repeated(value: str, n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([str(value)]))
