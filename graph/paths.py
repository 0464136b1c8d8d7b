"""Short typed paths from a user to an item: the evidence for an explanation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from graph.kg import KnowledgeGraph
from graph.schema import Floats, GraphError, Ints, NodeType, Relation

MAX_HISTORY = 256
"""Strongest items of the user that a path may begin with."""
MAX_LINKS = 64
"""Strongest edges of the answer, per relation, that a path may end with."""
MAX_SHARING = 20_000
"""A node shared by more items than this explains nothing and is passed over."""
RECENCY_HALF_LIFE_DAYS = 90.0
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Hop:
    """One edge of a path, read in walking order."""

    relation: str
    forward: bool
    """False where the path walks from the tail of the edge to its head."""
    node_type: str
    """Type of the node that the hop arrives at."""
    row: int
    """Its row within the type."""
    weight: float


@dataclass(frozen=True, slots=True)
class Path:
    """A walk from a user to an item; higher scores are better evidence."""

    user: int
    hops: tuple[Hop, ...]
    score: float
    """Product of the edges' strengths, each in (0, 1], and of how recent the start is."""
    at_unix_s: int
    """When the user last touched the first item of the path."""


@dataclass(frozen=True, slots=True)
class _History:
    """A user's items by global row, sorted, with how much each says; all ``[H]``."""

    node: Ints
    strength: Floats
    weight: Floats
    at_unix_s: Ints


def find_paths(kg: KnowledgeGraph, user: int, item: int, k: int = 3) -> tuple[Path, ...]:
    """The best short paths user → … → item, best first.

    Three kinds: the user touched the item itself; the user touched an item that is
    ``bought_with`` it, in either direction; the user touched an item that shares a node with it,
    such as a category, a brand or an attribute. A node shared by few items says more than one
    shared by many: its strength falls with the logarithm of its number of items. Of several
    items that lead through the same shared node only the strongest makes a path.

    The work is bounded by ``MAX_HISTORY`` and ``MAX_LINKS``, not by the size of the graph.

    Args:
        kg: The graph.
        user: Row of the user.
        item: Row of the item.
        k: Paths wanted.

    Returns:
        At most ``k`` paths; none where nothing short joins the two.

    Raises:
        GraphError: No such user or item, or ``k`` below 1.
    """
    if k < 1:
        raise GraphError(f"k is {k}, expected at least 1")
    start, goal = kg.global_row(NodeType.USER, user), kg.global_row(NodeType.ITEM, item)
    history = _history(kg, start)
    if not len(history.node):
        return ()
    found = [
        *_direct(kg, user, goal, history),
        *_through_items(kg, user, goal, history),
        *_through_nodes(kg, user, goal, history),
    ]
    return tuple(sorted(found, key=lambda path: -path.score)[:k])


def _history(kg: KnowledgeGraph, user_node: int) -> _History:
    slots = kg.slots(Relation.INTERACTED)
    if not slots:
        empty = np.zeros(0, np.int64)
        return _History(empty, empty.astype(np.float32), empty.astype(np.float32), empty)
    touched = kg.adjacent(user_node, slots[0], MAX_HISTORY)
    order = np.argsort(touched.node)
    weight, at_unix_s = touched.weight[order], touched.at_unix_s[order]
    age_days = np.maximum(kg.as_of_unix_s - at_unix_s, 0) / _SECONDS_PER_DAY
    recency = 0.5 ** (age_days / RECENCY_HALF_LIFE_DAYS)
    strongest = float(weight.max(initial=0.0))
    strength = np.log1p(weight) / np.log1p(max(strongest, 1e-12)) * recency
    return _History(touched.node[order], strength.astype(np.float32), weight, at_unix_s)


def _direct(kg: KnowledgeGraph, user: int, goal: int, history: _History) -> Iterator[Path]:
    at = int(np.searchsorted(history.node, goal))
    if at < len(history.node) and history.node[at] == goal:
        yield _path(kg, user, history, at, (), float(history.strength[at]))


def _through_items(kg: KnowledgeGraph, user: int, goal: int, history: _History) -> Iterator[Path]:
    """User → item' → item along ``bought_with``; the stronger of the two directions."""
    best: dict[int, tuple[float, Hop]] = {}
    for slot in kg.slots(Relation.BOUGHT_WITH):
        near = kg.adjacent(goal, slot, MAX_LINKS)
        at, position = _intersect(history.node, near.node)
        for h, j in zip(at.tolist(), position.tolist(), strict=True):
            weight = float(near.weight[j])
            score = float(history.strength[h]) * min(weight, 1.0)
            if score > best.get(h, (0.0, None))[0]:
                # Seen from the answer the edge runs the other way.
                best[h] = (score, _hop(kg, slot ^ 1, goal, weight))
    for h, (score, hop) in best.items():
        yield _path(kg, user, history, h, (hop,), score)


def _through_nodes(kg: KnowledgeGraph, user: int, goal: int, history: _History) -> Iterator[Path]:
    """User → item' → shared node → item along any fact; the strongest item' of each node."""
    for k, (head_type, relation, tail_type) in enumerate(kg.edge_types):
        is_fact = head_type == NodeType.ITEM and tail_type not in (NodeType.USER, NodeType.ITEM)
        if not is_fact or relation == Relation.BOUGHT_WITH:
            continue
        facts = kg.adjacent(goal, 2 * k, MAX_LINKS)
        for node, weight in zip(facts.node.tolist(), facts.weight.tolist(), strict=True):
            sharing = kg.adjacent(node, 2 * k + 1, MAX_SHARING + 1)
            if len(sharing.node) > MAX_SHARING:
                continue
            at, position = _intersect(history.node, sharing.node)
            other = history.node[at] != goal
            if not other.any():
                continue
            at, shared = at[other], sharing.weight[position[other]]
            strength = history.strength[at] * np.minimum(shared, 1.0)
            first = int(strength.argmax())
            rarity = 1.0 / (1.0 + float(np.log(len(sharing.node))))
            score = float(strength[first]) * min(weight, 1.0) * rarity
            hops = (
                _hop(kg, 2 * k, node, float(shared[first])),
                _hop(kg, 2 * k + 1, goal, weight),
            )
            yield _path(kg, user, history, int(at[first]), hops, score)


def _intersect(ordered: Ints, nodes: Ints) -> tuple[Ints, Ints]:
    """Positions in ``ordered`` (rising) and in ``nodes`` of what both hold."""
    at = np.minimum(np.searchsorted(ordered, nodes), len(ordered) - 1)
    position = np.flatnonzero(ordered[at] == nodes)
    return at[position], position


def _hop(kg: KnowledgeGraph, slot: int, node: int, weight: float) -> Hop:
    k, backward = divmod(slot, 2)
    node_type, row = kg.local_row(node)
    return Hop(kg.edge_types[k].relation, not backward, node_type, row, weight)


def _path(
    kg: KnowledgeGraph, user: int, history: _History, at: int, rest: tuple[Hop, ...], score: float
) -> Path:
    slot = kg.slots(Relation.INTERACTED)[0]
    first = _hop(kg, slot, int(history.node[at]), float(history.weight[at]))
    return Path(user, (first, *rest), score, int(history.at_unix_s[at]))
