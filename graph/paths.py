"""Short typed paths from a user to an item: the evidence for an explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np

from graph.kg import Adjacent, KnowledgeGraph
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
    """Product of the edges' strengths, each in (0, 1], of how recent the start is, and of the
    weight of the relation that joins."""
    at_unix_s: int
    """When the user last touched the first item of the path."""


@dataclass(frozen=True, slots=True)
class _History:
    """A user's items by global row, sorted, with how much each says; all ``[H]``."""

    node: Ints
    strength: Floats
    weight: Floats
    at_unix_s: Ints
    begins: Ints
    """Where the facts of each item lie, by slot of the graph: int64 ``[H, slots]``."""
    ends: Ints


@dataclass(frozen=True, slots=True)
class _Search:
    """What the search is about."""

    kg: KnowledgeGraph
    user: int
    goal: int
    """Global row of the item."""
    history: _History
    weights: Mapping[str, float]
    """How much each relation counts; 1 where it is not named."""


def find_paths(
    kg: KnowledgeGraph,
    user: int,
    item: int,
    k: int = 3,
    *,
    weights: Mapping[str, float] | None = None,
    people: bool = False,
) -> tuple[Path, ...]:
    """The best short paths user → … → item, best first.

    The user touched the item itself; or an item that a relation between items joins with it,
    such as ``bought_with``, in either direction; or an item that shares a node with it, such as
    a category, a brand or an attribute. A node shared by few items says more than one shared by
    many: its strength falls with the logarithm of its number of items. Of several items that
    lead through the same shared node only the strongest makes a path.

    The work is bounded by ``MAX_HISTORY`` and ``MAX_LINKS``, and grows with the logarithm of the
    graph, not with its size: no list of a shared node's items is ever read.

    Args:
        kg: The graph.
        user: Row of the user.
        item: Row of the item.
        k: Paths wanted.
        weights: How much a relation counts, by its name, such as what the network learned; the
            score of a path is multiplied by the weight of the relation that joins its two items.
            1 for relations that are not named; 0 shuts one out.
        people: Also lead through other users who touched both items. They are strangers: such
            a path may be counted or summed up, but not shown with its user.

    Returns:
        At most ``k`` paths; none where nothing short joins the two.

    Raises:
        GraphError: No such user or item, or ``k`` below 1.
    """
    return PathsFrom(kg, user, weights=weights, people=people).to(item, k)


class PathsFrom:
    """:func:`find_paths` from one user to many items: what they share is worked out once."""

    def __init__(
        self,
        kg: KnowledgeGraph,
        user: int,
        *,
        weights: Mapping[str, float] | None = None,
        people: bool = False,
    ) -> None:
        """Nothing is looked up before a path is asked for; arguments as of :func:`find_paths`.

        Raises:
            GraphError: No such user.
        """
        self._kg, self._user, self._weights = kg, user, weights or {}
        self._start = kg.global_row(NodeType.USER, user)
        self._shared = _shared_slots(kg, self._weights, people=people)

    def to(self, item: int, k: int = 3) -> tuple[Path, ...]:
        """The best ``k`` paths to an item, as of :func:`find_paths`.

        Raises:
            GraphError: No such item, or ``k`` below 1.
        """
        if k < 1:
            raise GraphError(f"k is {k}, expected at least 1")
        goal = self._kg.global_row(NodeType.ITEM, item)
        history = self._history
        if not len(history.node):
            return ()
        search = _Search(self._kg, self._user, goal, history, self._weights)
        found = chain(
            _direct(search),
            _through_items(search),
            _through_nodes(search, self._start, self._shared),
        )
        best = sorted(found, key=lambda way: -way.score)[:k]
        return tuple(_path(search, way) for way in best)

    @cached_property
    def _history(self) -> _History:
        return _history(self._kg, self._start, self._shared)


def _history(kg: KnowledgeGraph, user_node: int, shared: Ints) -> _History:
    slots = kg.slots(Relation.INTERACTED)
    n_slots = 2 * len(kg.edge_types)
    if not slots:
        none = np.zeros(0, np.int64)
        said, no_runs = none.astype(np.float32), np.zeros((0, n_slots), np.int64)
        return _History(none, said, said, none, no_runs, no_runs)
    touched = kg.adjacent(user_node, slots[0], MAX_HISTORY)
    order = np.argsort(touched.node)
    weight, at_unix_s = touched.weight[order], touched.at_unix_s[order]
    age_days = np.maximum(kg.as_of_unix_s - at_unix_s, 0) / _SECONDS_PER_DAY
    recency = 0.5 ** (age_days / RECENCY_HALF_LIFE_DAYS)
    strongest = float(weight.max(initial=0.0))
    strength = np.log1p(weight) / np.log1p(max(strongest, 1e-12)) * recency
    node = touched.node[order]
    begins, ends = np.zeros((2, len(node), n_slots), np.int64)
    begins[:, shared], ends[:, shared] = kg.runs(node[:, None], shared[None, :])
    return _History(node, strength.astype(np.float32), weight, at_unix_s, begins, ends)


class _Way(NamedTuple):
    """A path as it is compared with others; only the best are written out."""

    score: float
    at: int
    """Place of its first item in the history."""
    steps: tuple[tuple[int, int, float], ...]
    """Slot, node and weight of each edge after the first."""


def _direct(search: _Search) -> Iterator[_Way]:
    history = search.history
    at = int(np.searchsorted(history.node, search.goal))
    if at < len(history.node) and history.node[at] == search.goal:
        yield _Way(float(history.strength[at]), at, ())


def _through_items(search: _Search) -> Iterator[_Way]:
    """User → item' → item along each relation of items; the stronger of its two directions."""
    kg, history, goal = search.kg, search.history, search.goal
    for k, (head_type, relation, tail_type) in enumerate(kg.edge_types):
        trust = search.weights.get(relation, 1.0)
        if head_type != NodeType.ITEM or tail_type != NodeType.ITEM or trust <= 0:
            continue
        best: dict[int, _Way] = {}
        for slot in (2 * k, 2 * k + 1):
            near = kg.adjacent(goal, slot, MAX_LINKS)
            at, position = _intersect(history.node, near.node)
            for h, j in zip(at.tolist(), position.tolist(), strict=True):
                weight = float(near.weight[j])
                score = float(history.strength[h]) * min(weight, 1.0) * trust
                if score > (best[h].score if h in best else 0.0):
                    # Seen from the answer the edge runs the other way.
                    best[h] = _Way(score, h, ((slot ^ 1, goal, weight),))
        yield from best.values()


def _through_nodes(search: _Search, user_node: int, slots: Ints) -> Iterator[_Way]:
    """User → item' → shared node → item along any fact; the strongest item' of each node."""
    kg, history = search.kg, search.history
    facts = [kg.adjacent(search.goal, slot, MAX_LINKS) for slot in slots.tolist()]
    sizes = np.array([len(near.node) for near in facts], np.int64)
    slots, facts = slots[sizes > 0], [near for near in facts if len(near.node)]
    if not facts:
        return
    nodes = np.concatenate([near.node for near in facts])
    begins, ends = kg.runs(nodes, np.repeat(slots, sizes[sizes > 0]) ^ 1)
    n_sharing = np.split(ends - begins, np.cumsum(sizes[sizes > 0])[:-1])
    for slot, near, n_items in zip(slots.tolist(), facts, n_sharing, strict=True):
        told = (n_items <= MAX_SHARING) & (near.node != user_node)
        trust = search.weights.get(kg.edge_types[slot // 2].relation, 1.0)
        for fact, h, shared in _best_sharer(search, near, slot):
            if not told[fact]:
                continue
            node, weight = int(near.node[fact]), float(near.weight[fact])
            rarity = 1.0 / (1.0 + float(np.log(n_items[fact])))
            strength = float(history.strength[h]) * min(shared, 1.0)
            steps = ((slot, node, shared), (slot ^ 1, search.goal, weight))
            yield _Way(strength * min(weight, 1.0) * rarity * trust, h, steps)


def _shared_slots(kg: KnowledgeGraph, weights: Mapping[str, float], *, people: bool) -> Ints:
    """Slots that lead from an item to a node that items can share."""
    slots = []
    for k, (head_type, relation, tail_type) in enumerate(kg.edge_types):
        away = {(head_type, tail_type): 2 * k, (tail_type, head_type): 2 * k + 1}
        for (here, there), slot in away.items():
            shares = there != NodeType.ITEM and (people or there != NodeType.USER)
            if here == NodeType.ITEM and shares and weights.get(relation, 1.0) > 0:
                slots.append(slot)
    return np.array(slots, np.int64)


def _best_sharer(search: _Search, near: Adjacent, slot: int) -> Iterator[tuple[int, int, float]]:
    """For each fact of the answer that the history shares: its place, item' and weight there.

    Args:
        search: The search.
        near: The answer's facts along one relation.
        slot: Of that relation.
    """
    begins, ends = search.history.begins[:, slot], search.history.ends[:, slot]
    length = np.minimum(ends - begins, MAX_LINKS)
    length[search.history.node == search.goal] = 0
    owner = np.repeat(np.arange(len(length)), length)
    position = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
    position += begins[owner]
    order = np.argsort(near.node)
    ordered = near.node[order]
    nodes = search.kg.neighbour[position]
    at = np.minimum(np.searchsorted(ordered, nodes), len(ordered) - 1)
    match = np.flatnonzero(ordered[at] == nodes)
    fact, owner, weight = order[at[match]], owner[match], search.kg.weight[position[match]]
    strength = search.history.strength[owner] * np.minimum(weight, 1.0)
    best_first = np.argsort(-strength, kind="stable")
    _, first = np.unique(fact[best_first], return_index=True)
    for j in best_first[first].tolist():
        yield int(fact[j]), int(owner[j]), float(weight[j])


def _intersect(ordered: Ints, nodes: Ints) -> tuple[Ints, Ints]:
    """Positions in ``ordered`` (rising) and in ``nodes`` of what both hold."""
    at = np.minimum(np.searchsorted(ordered, nodes), len(ordered) - 1)
    position = np.flatnonzero(ordered[at] == nodes)
    return at[position], position


def _hop(kg: KnowledgeGraph, slot: int, node: int, weight: float) -> Hop:
    k, backward = divmod(slot, 2)
    node_type, row = kg.local_row(node)
    return Hop(kg.edge_types[k].relation, not backward, node_type, row, weight)


def _path(search: _Search, way: _Way) -> Path:
    kg, history = search.kg, search.history
    slot = kg.slots(Relation.INTERACTED)[0]
    first = (slot, int(history.node[way.at]), float(history.weight[way.at]))
    hops = tuple(_hop(kg, *step) for step in (first, *way.steps))
    return Path(search.user, hops, way.score, int(history.at_unix_s[way.at]))
