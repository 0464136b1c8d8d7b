"""Tables → knowledge graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.co_occurrence import bought_with
from graph.derived import facet_strength, viewed_then_bought, visually_alike
from graph.edges import Edges, EdgeType
from graph.kg import KnowledgeGraph
from graph.schema import (
    Floats,
    GraphError,
    GraphTables,
    Ints,
    NodeType,
    Relation,
    decayed_weight,
)


@dataclass(frozen=True, slots=True)
class Looks:
    """Picture vectors float32 ``[I, D]`` and which items have a picture, bool ``[I]``."""

    vectors: Floats
    known: NDArray[np.bool_]


def build_graph(
    tables: GraphTables,
    *,
    as_of_unix_s: int,
    half_life_days: float = 90.0,
    n_neighbours: int = 20,
    derive: Collection[Relation] = (Relation.BOUGHT_WITH,),
    looks: Looks | None = None,
) -> KnowledgeGraph:
    """Join events, facts, the category tree and what is derived from them into one graph.

    Edges: ``interacted`` (user → item: decayed event weights summed, time of the last event),
    one relation per table of facts or links and per facet, ``subcategory_of`` (category → its
    parent), and the derived relations asked for: ``bought_with``
    (:func:`graph.co_occurrence.bought_with`), ``viewed_then_bought`` and ``looks_like``
    (:mod:`graph.derived`).

    Args:
        tables: Events at or after ``as_of_unix_s`` are ignored.
        as_of_unix_s: The moment that the graph describes.
        half_life_days: Age at which an event counts half.
        n_neighbours: Neighbours kept per item and derived relation.
        derive: Relations to derive; one that the tables say nothing about has no edges. What
            the network is fitted on changes with it, so that it is asked for by name.
        looks: Pictures, for ``looks_like``.

    Raises:
        GraphError: ``derive`` names a relation that cannot be derived, or ``looks_like``
            without pictures.
    """
    _check_derived(derive, looks)
    past = tables.until(as_of_unix_s)
    interacted = _interacted(past, as_of_unix_s, half_life_days)
    between = []
    for relation in (r for r in DERIVED if r in derive):
        pairs = _derived(past, relation, as_of_unix_s, half_life_days, n_neighbours, looks)
        between.append(item_edges(past, relation, *pairs))
    return assemble(past, interacted, between, as_of_unix_s, half_life_days)


DERIVED = (Relation.BOUGHT_WITH, Relation.VIEWED_THEN_BOUGHT, Relation.LOOKS_LIKE)
"""What :func:`build_graph` can derive between items."""


def assemble(
    past: GraphTables,
    interacted: Edges,
    between: Sequence[Edges],
    as_of_unix_s: int,
    half_life_days: float,
) -> KnowledgeGraph:
    """The graph of what was counted and what the tables state."""
    edges = (
        interacted,
        *_facts(past),
        *_links(past),
        *_facets(past, as_of_unix_s, half_life_days),
        *between,
    )
    return KnowledgeGraph.from_edges(past.n_nodes(), edges, as_of_unix_s=as_of_unix_s)


def item_edges(tables: GraphTables, relation: str, head: Ints, tail: Ints, weight: Floats) -> Edges:
    """Edges between items, from their rows."""
    start = _starts(tables)[NodeType.ITEM]
    kind = EdgeType(NodeType.ITEM, relation, NodeType.ITEM)
    return Edges(kind, head + start, tail + start, weight)


def _derived(
    past: GraphTables,
    relation: Relation,
    as_of_unix_s: int,
    half_life_days: float,
    n_neighbours: int,
    looks: Looks | None,
) -> tuple[Ints, Ints, Floats]:
    if relation == Relation.LOOKS_LIKE and looks is not None:
        return visually_alike(looks.vectors, looks.known, n_neighbours=n_neighbours)
    count = bought_with if relation == Relation.BOUGHT_WITH else viewed_then_bought
    return count(
        past,
        as_of_unix_s=as_of_unix_s,
        half_life_days=half_life_days,
        n_neighbours=n_neighbours,
    )


def _check_derived(derive: Collection[Relation], looks: Looks | None) -> None:
    strange = sorted(set(derive) - set(DERIVED))
    if strange:
        raise GraphError(
            f"cannot derive {str(strange[0])!r}; expected some of {', '.join(DERIVED)}"
        )
    if Relation.LOOKS_LIKE in derive and looks is None:
        raise GraphError("looks_like is to be derived, but no pictures are given: pass looks")


def _starts(tables: GraphTables) -> dict[str, int]:
    sizes = tables.n_nodes()
    return dict(zip(sizes, np.cumsum([0, *sizes.values()])[:-1].tolist(), strict=True))


def _interacted(tables: GraphTables, as_of_unix_s: int, half_life_days: float) -> Edges:
    weight = decayed_weight(tables, as_of_unix_s=as_of_unix_s, half_life_days=half_life_days)
    return interacted_edges(tables, tables.user, tables.item, weight, tables.at_unix_s)


def interacted_edges(
    tables: GraphTables, user: Ints, item: Ints, weight: Floats, at_unix_s: Ints
) -> Edges:
    """One edge per pair of user and item: weights summed, the last time; all given ``[n]``."""
    pair, edge = np.unique(user * tables.n_items + item, return_inverse=True)
    last = np.zeros(len(pair), np.int64)
    np.maximum.at(last, edge, at_unix_s)
    return Edges(
        EdgeType(NodeType.USER, Relation.INTERACTED, NodeType.ITEM),
        pair // max(tables.n_items, 1),
        pair % max(tables.n_items, 1) + _starts(tables)[NodeType.ITEM],
        np.bincount(edge, weight, minlength=len(pair)).astype(np.float32),
        last,
    )


def _facts(tables: GraphTables) -> Iterator[Edges]:
    starts = _starts(tables)
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


def _links(tables: GraphTables) -> Iterator[Edges]:
    starts = _starts(tables)
    for link in tables.links:
        yield Edges(
            EdgeType(link.head_type, link.relation, link.tail_type),
            link.head_rows + starts[link.head_type],
            link.tail_rows + starts[link.tail_type],
            link.weight,
        )


def _facets(tables: GraphTables, as_of_unix_s: int, half_life_days: float) -> Iterator[Edges]:
    starts = _starts(tables)
    for facet in tables.facets:
        heads, tails, strength = facet_strength(
            tables, facet, as_of_unix_s=as_of_unix_s, half_life_days=half_life_days
        )
        yield Edges(
            EdgeType(facet.head_type, facet.relation, facet.tail_type),
            heads + starts[facet.head_type],
            tails + starts[facet.tail_type],
            strength,
        )
