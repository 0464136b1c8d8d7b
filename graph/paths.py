"""Short typed paths from a user to an item: the evidence for an explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple

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


@dataclass(frozen=True, slots=True)
class _Sharers:
    """Which items of a history have which facts: by fact, then the strongest first; all ``[F]``."""

    fact: Ints
    """Slot and node as one number: ``slot * n_nodes + node``."""
    at: Ints
    """Place of the item in the history."""
    weight: Floats


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
    shared: Ints
    """Slots that lead from an item to a node that items can share."""
    sharers: _Sharers
    n_sharing: dict[int, int]
    """Items that share a fact, as they were counted so far; searches from one user keep it."""


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
        self._start, self._people = kg.global_row(NodeType.USER, user), people
        self._n_sharing: dict[int, int] = {}

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
        shared, sharers = self._shared
        search = _Search(
            self._kg, self._user, goal, history, self._weights, shared, sharers, self._n_sharing
        )
        found = chain(_direct(search), _through_items(search), _through_nodes(search, self._start))
        best = sorted(found, key=lambda way: -way.score)[:k]
        return tuple(_path(search, way) for way in best)

    @cached_property
    def _history(self) -> _History:
        return _history(self._kg, self._start)

    @cached_property
    def _shared(self) -> tuple[Ints, _Sharers]:
        shared = _shared_slots(self._kg, self._weights, people=self._people)
        return shared, _sharers(self._kg, self._history, shared)


def _history(kg: KnowledgeGraph, user_node: int) -> _History:
    slots = kg.slots(Relation.INTERACTED)
    if not slots:
        none = np.zeros(0, np.int64)
        return _History(none, none.astype(np.float32), none.astype(np.float32), none)
    touched = kg.adjacent(user_node, slots[0], MAX_HISTORY)
    order = np.argsort(touched.node)
    weight, at_unix_s = touched.weight[order], touched.at_unix_s[order]
    age_days = np.maximum(kg.as_of_unix_s - at_unix_s, 0) / _SECONDS_PER_DAY
    recency = 0.5 ** (age_days / RECENCY_HALF_LIFE_DAYS)
    strongest = float(weight.max(initial=0.0))
    strength = np.log1p(weight) / np.log1p(max(strongest, 1e-12)) * recency
    return _History(touched.node[order], strength.astype(np.float32), weight, at_unix_s)


def _sharers(kg: KnowledgeGraph, history: _History, shared: Ints) -> _Sharers:
    begins, ends = kg.runs(history.node[:, None], shared[None, :])  # (H, slots)
    cell, position = _edges_in(begins, ends)
    at, slot = cell // max(len(shared), 1), shared[cell % max(len(shared), 1)]
    weight = kg.weight[position]
    strength = history.strength[at] * np.minimum(weight, 1.0)
    fact = slot * kg.n_nodes + kg.neighbour[position]
    order = np.lexsort((-strength, fact))
    return _Sharers(fact[order], at[order], weight[order])


def _edges_in(begins: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Where the strongest edges of some runs lie, and the run of each; runs in any shape."""
    length = np.minimum(ends - begins, MAX_LINKS).ravel()
    run = np.repeat(np.arange(len(length)), length)
    within = np.arange(len(run)) - np.repeat(np.cumsum(length) - length, length)
    return run, begins.ravel()[run] + within


def _runs_of(kg: KnowledgeGraph, node: int, slots: Ints) -> tuple[Ints, Ints]:
    """Where the edges of one node in some slots lie: first positions, and ends."""
    start, stop = kg.indptr[node : node + 2].tolist()
    row = kg.slot[start:stop]
    return start + np.searchsorted(row, slots), start + np.searchsorted(row, slots + 1)


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


def _through_nodes(search: _Search, user_node: int) -> Iterator[_Way]:
    """User → item' → shared node → item along any fact; the strongest item' of each node."""
    kg, history, goal, shared = search.kg, search.history, search.goal, search.shared
    cell, position = _edges_in(*_runs_of(kg, goal, shared))
    slots, nodes = shared[cell], kg.neighbour[position].astype(np.int64)
    facts = slots * kg.n_nodes + nodes
    found, first = np.unique(facts, return_index=True)
    sharer = dict(_best_sharer(search, found))
    for j in np.sort(first).tolist():
        if (best := sharer.get(int(facts[j]))) is None or nodes[j] == user_node:
            continue
        slot, node, (h, told) = int(slots[j]), int(nodes[j]), best
        n_items = _n_sharing(search, int(facts[j]))
        if n_items > MAX_SHARING:
            continue
        trust = search.weights.get(kg.edge_types[slot // 2].relation, 1.0)
        rarity = 1.0 / (1.0 + float(np.log(n_items)))
        strength = float(history.strength[h]) * min(told, 1.0)
        weight = float(kg.weight[position[j]])
        steps = ((slot, node, told), (slot ^ 1, goal, weight))
        yield _Way(strength * min(weight, 1.0) * rarity * trust, h, steps)


def _n_sharing(search: _Search, fact: int) -> int:
    """How many items share a fact."""
    known = search.n_sharing.get(fact)
    if known is None:
        slot, node = divmod(fact, search.kg.n_nodes)
        begin, end = _runs_of(search.kg, node, np.array([slot ^ 1]))
        known = search.n_sharing[fact] = int(end[0] - begin[0])
    return known


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


def _best_sharer(search: _Search, facts: Ints) -> Iterator[tuple[int, tuple[int, float]]]:
    """For each of some facts that the history shares: the strongest item', and its weight there."""
    sharers, history = search.sharers, search.history
    begins, ends = (np.searchsorted(sharers.fact, facts, side=side) for side in ("left", "right"))
    for j in np.flatnonzero(ends > begins).tolist():
        for i in range(int(begins[j]), int(ends[j])):
            h = int(sharers.at[i])
            if history.node[h] != search.goal:
                yield int(facts[j]), (h, float(sharers.weight[i]))
                break


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
