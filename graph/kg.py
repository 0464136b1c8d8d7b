"""The knowledge graph: typed nodes, typed edges, compressed rows in both directions."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from graph import export
from graph.edges import CompressedRows, Edges, EdgeType, Rows, Seconds, compress
from graph.schema import Floats, GraphError, Ints

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData  # type: ignore[import-untyped]

FORMAT = 1
FEW = 32
"""Lists up to so many are bisected one by one, more of them all at once."""


@dataclass(frozen=True, slots=True)
class Adjacent:
    """Edges at one node, strongest first: neighbours int64 ``[n]``, weights, times."""

    node: Ints
    weight: Floats
    at_unix_s: Ints


@dataclass(frozen=True, slots=True)
class GraphStats:
    """How many nodes of each type, how many edges of each type, and what they take."""

    n_nodes: tuple[tuple[str, int], ...]
    n_edges: tuple[tuple[EdgeType, int], ...]
    n_bytes: int
    """Of the compressed rows, as they are mapped into memory."""


@dataclass(frozen=True, slots=True)
class KnowledgeGraph:
    """Typed nodes with global rows, and their edges sorted for reading from either end.

    Node ``r`` of type ``t`` has the global row ``offsets[t] + r``. An edge of type ``k`` is
    kept twice: at its head in *slot* ``2k`` and at its tail in slot ``2k + 1``. The row of a
    node lists its slots in order and, within a slot, the strongest edge first, so the best
    neighbours along a relation are the head of one contiguous slice.

    Shapes, for N nodes and M edges: ``indptr`` int64 ``[N + 1]``; ``neighbour`` int32 (int64
    from 2³¹ nodes on), ``slot`` int16, ``weight`` float32, ``at_unix_s`` uint32 (int64 where a
    time lies outside 1970–2106), all ``[2M]``: 28 bytes an edge and 8 a node.
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
    neighbour: Rows
    slot: NDArray[np.int16]
    weight: Floats
    at_unix_s: Seconds

    @classmethod
    def from_edges(
        cls, n_nodes: Mapping[str, int], edges: tuple[Edges, ...], *, as_of_unix_s: int
    ) -> KnowledgeGraph:
        """Sort edges into compressed rows; ``n_nodes`` gives the order of the node types."""
        offsets = (0, *np.cumsum(list(n_nodes.values())).tolist())
        return cls(
            node_types=tuple(n_nodes),
            offsets=offsets,
            edge_types=tuple(e.edge_type for e in edges),
            timed=tuple(e.at_unix_s is not None for e in edges),
            as_of_unix_s=as_of_unix_s,
            **compress(edges, offsets[-1])._asdict(),
        )

    @property
    def n_nodes(self) -> int:
        """Nodes of all types together."""
        return self.offsets[-1]

    def start(self, node_type: str) -> int:
        """Global row of the first node of a type.

        Raises:
            GraphError: No such type.
        """
        return self.offsets[self._type_index(node_type)]

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
        return Adjacent(
            self.neighbour[part].astype(np.int64),
            self.weight[part],
            self.at_unix_s[part].astype(np.int64),
        )

    def runs(self, nodes: Ints, slots: Ints) -> tuple[Ints, Ints]:
        """Where the edges of many nodes in their slots lie: first positions, and ends.

        Shapes: ``nodes`` and ``slots`` int64, broadcast together; results int64 of their shape.
        """
        nodes, slots = np.broadcast_arrays(nodes, slots)
        low, high = self.indptr[nodes], self.indptr[nodes + 1]
        if nodes.size <= FEW:
            found = [
                int(begin) + np.searchsorted(self.slot[begin:end], [slot, slot + 1])
                for begin, end, slot in zip(low.flat, high.flat, slots.flat, strict=True)
            ]
            begins, ends = np.array(found, np.int64).reshape(-1, 2).T
            return begins.reshape(nodes.shape), ends.reshape(nodes.shape)
        return self._bisect(low, high, slots), self._bisect(low, high, slots + 1)

    def edges(self, k: int) -> Edges:
        """All edges of type ``edge_types[k]``, ordered by head, strongest first."""
        mine = np.flatnonzero(self.slot == 2 * k)
        head = np.searchsorted(self.indptr, mine, side="right") - 1
        at_unix_s = self.at_unix_s[mine].astype(np.int64) if self.timed[k] else None
        return Edges(
            self.edge_types[k],
            head.astype(np.int64),
            self.neighbour[mine].astype(np.int64),
            self.weight[mine],
            at_unix_s,
        )

    def only(self, relations: Collection[str]) -> KnowledgeGraph:
        """The same nodes with the edges of some relations; none that is not there is missed."""
        kept = [k for k, e in enumerate(self.edge_types) if e.relation in relations]
        sizes = dict(zip(self.node_types, np.diff(self.offsets).tolist(), strict=True))
        edges = tuple(self.edges(k) for k in kept)
        return KnowledgeGraph.from_edges(sizes, edges, as_of_unix_s=self.as_of_unix_s)

    def stats(self) -> GraphStats:
        """Counts of nodes and edges by type."""
        sizes = np.diff(self.offsets).tolist()
        per_slot = np.bincount(self.slot, minlength=2 * len(self.edge_types))[::2]
        return GraphStats(
            tuple(zip(self.node_types, sizes, strict=True)),
            tuple(zip(self.edge_types, per_slot.tolist(), strict=True)),
            sum(getattr(self, name).nbytes for name in CompressedRows._fields),
        )

    def neighborhood(self, node: int, hops: int = 1, limit: int = 100) -> nx.MultiDiGraph[int]:
        """The subgraph within ``hops`` of a node: at most ``limit`` nodes.

        The strongest edges of every relation go first.
        Nodes carry ``type`` and ``row``; edges point from head to tail, are keyed by relation
        and carry ``weight`` and, where it means anything, ``at_unix_s``.
        """
        self.local_row(node)
        return export.neighborhood(self, node, hops, limit)

    def to_hetero(self) -> HeteroData:
        """The graph as PyG's HeteroData: local rows, ``edge_weight``, ``edge_time`` if timed."""
        return export.hetero(self)

    def to_graphml(self, path: Path, names: Mapping[int, str] | None = None) -> None:
        """Write the whole graph as GraphML, for Gephi, yEd or Cytoscape.

        Args:
            path: The file.
            names: Label of each global row; others are named by type and row.
        """
        nodes = np.arange(self.n_nodes, dtype=np.int64)
        export.write_graphml(export.subgraph(self, nodes), path, names)

    def triples(self) -> pa.Table:
        """Every edge once: head_type, head, relation, tail_type, tail, weight, at_unix_s."""
        return export.triples(self)

    def save(self, folder: Path) -> None:
        """Write ``triples.parquet``, the compressed rows as ``.npy`` and ``graph.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in CompressedRows._fields:
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
                # As plain arrays: a slice of a memmap costs ten times that of an array.
                name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False).view(
                    np.ndarray
                )
                for name in CompressedRows._fields
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

    def _bisect(self, low: Ints, high: Ints, slots: Ints) -> Ints:
        """The first position in ``[low, high)`` whose slot is not below; all of one shape."""
        first, end = low.ravel().copy(), high.ravel().copy()
        wanted = slots.ravel()
        active = np.flatnonzero(first < end)
        while len(active):
            middle = (first[active] + end[active]) // 2
            below = self.slot[middle] < wanted[active]
            first[active] = np.where(below, middle + 1, first[active])
            end[active] = np.where(below, end[active], middle)
            active = active[first[active] < end[active]]
        return first.reshape(low.shape)

    def _type_index(self, node_type: str) -> int:
        if node_type not in self.node_types:
            raise GraphError(f"no node type {node_type!r}; this graph has {self.node_types}")
        return self.node_types.index(node_type)
