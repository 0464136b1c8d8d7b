"""A node and what is around it, for people: a tree in words, and a picture as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import networkx as nx
import polars as pl
from rich.text import Text
from rich.tree import Tree

from engine.artifacts import Manifest
from engine.errors import DataError, UnknownIdError
from engine.node_names import STATED, NodeNames, names_of
from engine.vocabulary import Vocabulary
from graph import GraphError, KnowledgeGraph

KNOWLEDGE, NAMES_FILE = "knowledge", "names.parquet"
"""The wide graph and its names, in the graph stage of a run."""
SIZE = 900
"""Width and height of the picture, in pixels."""
_MARGIN, _RADIUS, _CHARS = 90, 7, 28
_BRANCHES = 8
"""Neighbours that the tree tells per relation."""
_COLOURS = ("#1b6e8c", "#c8553d", "#588b4a", "#8d5a97", "#b08900", "#4c5b6b", "#c2557f", "#2a9d8f")


@dataclass(frozen=True, slots=True)
class NamedGraph:
    """The graph of a run, and what its nodes are called."""

    kg: KnowledgeGraph
    names: NodeNames
    titles: tuple[str, ...]
    """Of the items, by row."""

    @classmethod
    def open(cls, run: Path) -> NamedGraph:
        """Read the graph of a run; nothing else of it is loaded.

        Raises:
            ManifestError: The folder is no run.
            DataError: A file is missing.
        """
        Manifest.verify(run)
        items = pl.read_parquet(run / "items.parquet")
        stored = run / "graph" / NAMES_FILE
        try:
            kg = KnowledgeGraph.open(run / "graph" / (KNOWLEDGE if stored.is_file() else "kg"))
        except GraphError as error:
            raise DataError(str(error)) from error
        # Runs of before the names were kept: what the items tell is known, the rest is rows.
        names = (
            NodeNames.open(stored)
            if stored.is_file()
            else names_of(items, Vocabulary.open(run / "vocabulary.parquet"))
        )
        return cls(kg, names, tuple(items["title"]))

    def find(self, node: str) -> int:
        """Global row of ``type:name``, or of the bare id of an item or a user.

        Raises:
            UnknownIdError: There is no such node.
        """
        kind, colon, name = node.partition(":")
        kinds = [kind] if colon and kind in self.kg.node_types else []
        for known, text in [*((k, name) for k in kinds), *((k, node) for k in STATED)]:
            ids = self.names.of_type.get(known)
            row = ids.find(text) if ids is not None else None
            if row is not None and known in self.kg.node_types:
                return self.kg.global_row(known, row)
        if kinds and name.isdecimal() and kind not in self.names.of_type:
            return self.kg.global_row(kind, int(name))
        raise UnknownIdError(kinds[0] if kinds else "node", name if kinds else node)

    def label(self, node: int) -> str:
        """What a node is called: an item by its title."""
        kind, row = self.kg.local_row(node)
        if kind == "item":
            return self.titles[row]
        return self.names.name(kind, row) or f"{kind} {row}"

    def labels(self, view: nx.MultiDiGraph[int]) -> dict[int, str]:
        """Labels of all nodes of a view."""
        return {node: self.label(node) for node in view}

    def tree(self, node: int, hops: int) -> Tree:
        """What a node is joined with, relation by relation, strongest first."""
        root = Tree(Text(f"{self.label(node)} ({self.kg.local_row(node)[0]})", style="bold"))
        self._grow(root, node, hops, seen={node})
        return root

    def _grow(self, branch: Tree, node: int, hops: int, seen: set[int]) -> None:
        for k, (_, relation, _) in enumerate(self.kg.edge_types):
            for slot, arrow in ((2 * k, "→"), (2 * k + 1, "←")):
                near = self.kg.adjacent(node, slot)
                if not len(near.node):
                    continue
                twig = branch.add(Text(f"{arrow} {relation} ({len(near.node):,})", style="cyan"))
                told = zip(near.node.tolist(), near.weight.tolist(), strict=True)
                for there, weight in list(told)[:_BRANCHES]:
                    leaf = twig.add(Text(f"{self.label(there)}  {weight:.3g}"))
                    if hops > 1 and there not in seen:
                        self._grow(leaf, there, hops - 1, seen | {there})
                if len(near.node) > _BRANCHES:
                    twig.add(Text(f"and {len(near.node) - _BRANCHES:,} more", style="dim"))


def draw(
    view: nx.MultiDiGraph[int], labels: Mapping[int, str], centre: int, *, seed: int = 0
) -> str:
    """A view as SVG: nodes coloured by type, the centre largest, relations on hover.

    Args:
        view: What :meth:`graph.KnowledgeGraph.neighborhood` gives.
        labels: What the nodes are called.
        centre: The node that it is about.
        seed: Of the layout; the same seed draws the same picture.
    """
    place = _positions(view, centre, seed)
    kinds = list(dict.fromkeys(nx.get_node_attributes(view, "type").values()))
    colour = {kind: _COLOURS[i % len(_COLOURS)] for i, kind in enumerate(kinds)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{SIZE}" height="{SIZE}" fill="#fff"/>',
    ]
    for head, tail, relation in view.edges(keys=True):
        (x1, y1), (x2, y2) = place[head], place[tail]
        parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ccc">'
            f"<title>{escape(relation)}</title></line>"
        )
    for node, kind in view.nodes(data="type"):
        x, y = place[node]
        radius = 2 * _RADIUS if node == centre else _RADIUS
        text = labels[node]
        shown = text if len(text) <= _CHARS else f"{text[: _CHARS - 1]}…"
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour[kind]}">'
            f"<title>{escape(f'{kind}: {text}')}</title></circle>"
            f'<text x="{x + radius + 3:.1f}" y="{y + 4:.1f}" fill="#222">{escape(shown)}</text>'
        )
    for i, kind in enumerate(kinds):
        y = 20 + 18 * i
        parts.append(
            f'<circle cx="16" cy="{y}" r="5" fill="{colour[kind]}"/>'
            f'<text x="28" y="{y + 4}" fill="#555">{escape(str(kind))}</text>'
        )
    return "\n".join((*parts, "</svg>\n"))


def _positions(
    view: nx.MultiDiGraph[int], centre: int, seed: int
) -> dict[int, tuple[float, float]]:
    plain = nx.Graph(view.to_undirected(as_view=True))
    laid = nx.spring_layout(plain, seed=seed, fixed=[centre], pos={centre: (0.0, 0.0)})
    reach = max((max(abs(x), abs(y)) for x, y in laid.values()), default=0.0) or 1.0
    half = SIZE / 2
    scale = (half - _MARGIN) / reach
    return {node: (half + scale * x, half + scale * y) for node, (x, y) in laid.items()}
