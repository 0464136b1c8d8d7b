"""Tables → knowledge graph."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from graph.co_occurrence import bought_with
from graph.kg import Edges, EdgeType, KnowledgeGraph
from graph.schema import GraphTables, NodeType, Relation, decayed_weight


def build_graph(
    tables: GraphTables,
    *,
    as_of_unix_s: int,
    half_life_days: float = 90.0,
    n_neighbours: int = 20,
) -> KnowledgeGraph:
    """Join events, facts, the category tree and what is bought together into one graph.

    Edges: ``interacted`` (user → item: decayed event weights summed, time of the last event),
    one relation per fact table, ``subcategory_of`` (category → its parent), and ``bought_with``
    (item → item, :func:`graph.co_occurrence.bought_with`).

    Args:
        tables: Events at or after ``as_of_unix_s`` are ignored.
        as_of_unix_s: The moment that the graph describes.
        half_life_days: Age at which an event counts half.
        n_neighbours: ``bought_with`` neighbours kept per item.
    """
    past = tables.until(as_of_unix_s)
    sizes = past.n_nodes()
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()])[:-1].tolist(), strict=True))
    item_start = starts[NodeType.ITEM]
    head, tail, score = bought_with(
        past,
        as_of_unix_s=as_of_unix_s,
        half_life_days=half_life_days,
        n_neighbours=n_neighbours,
    )
    together = Edges(
        EdgeType(NodeType.ITEM, Relation.BOUGHT_WITH, NodeType.ITEM),
        head + item_start,
        tail + item_start,
        score,
    )
    interacted = _interacted(past, as_of_unix_s, half_life_days, item_start)
    facts = tuple(_facts(past, starts))
    return KnowledgeGraph.from_edges(
        sizes, (interacted, *facts, together), as_of_unix_s=as_of_unix_s
    )


def _interacted(
    tables: GraphTables, as_of_unix_s: int, half_life_days: float, item_start: int
) -> Edges:
    weight = decayed_weight(tables, as_of_unix_s=as_of_unix_s, half_life_days=half_life_days)
    pair, edge = np.unique(tables.user * tables.n_items + tables.item, return_inverse=True)
    last = np.zeros(len(pair), np.int64)
    np.maximum.at(last, edge, tables.at_unix_s)
    return Edges(
        EdgeType(NodeType.USER, Relation.INTERACTED, NodeType.ITEM),
        pair // max(tables.n_items, 1),
        pair % max(tables.n_items, 1) + item_start,
        np.bincount(edge, weight, minlength=len(pair)).astype(np.float32),
        last,
    )


def _facts(tables: GraphTables, starts: dict[str, int]) -> Iterator[Edges]:
    for facts in tables.item_facts:
        yield Edges(
            EdgeType(NodeType.ITEM, facts.relation, facts.tail_type),
            facts.head_rows + starts[NodeType.ITEM],
            facts.tail_rows + starts[facts.tail_type],
            facts.weight,
        )
    child = np.flatnonzero(tables.category_parent >= 0)
    if len(child):
        start = starts[NodeType.CATEGORY]
        yield Edges(
            EdgeType(NodeType.CATEGORY, Relation.SUBCATEGORY_OF, NodeType.CATEGORY),
            child + start,
            tables.category_parent[child] + start,
            np.ones(len(child), np.float32),
        )
