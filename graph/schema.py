"""What the graph is made from: kinds of nodes, names of relations, and the tables as arrays.

The caller fills a :class:`GraphTables`; everything in this package reads one. Rows are int64
positions (items ``0..I-1``, users ``0..U-1``), times are int64 unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class GraphError(ValueError):
    """Tables that no graph can be built from, or a graph folder that cannot be read."""


class NodeType(StrEnum):
    """What a node stands for."""

    USER = "user"
    ITEM = "item"
    CATEGORY = "category"
    BRAND = "brand"
    ATTRIBUTE = "attribute"
    PLACE = "place"
    PRICE_BAND = "price_band"
    OFFER = "offer"
    SEASON = "season"
    DAY_PART = "day_part"
    ENTITY = "entity"
    """Whatever a shop's own triples name that is none of the others."""


class Relation(StrEnum):
    """The relations that Vitrine itself knows; a shop may add others, named by free strings."""

    INTERACTED = "interacted"
    IN_CATEGORY = "in_category"
    SUBCATEGORY_OF = "subcategory_of"
    MADE_BY = "made_by"
    HAS_ATTRIBUTE = "has_attribute"
    BOUGHT_WITH = "bought_with"
    VIEWED_THEN_BOUGHT = "viewed_then_bought"
    LOOKS_LIKE = "looks_like"
    IN_PRICE_BAND = "in_price_band"
    ON_OFFER = "on_offer"
    SELLS_IN_SEASON = "sells_in_season"
    SELLS_IN_DAY_PART = "sells_in_day_part"
    SELLS_AT = "sells_at"
    SHOPS_AT = "shops_at"


RESERVED = frozenset(
    {
        Relation.INTERACTED,
        Relation.SUBCATEGORY_OF,
        Relation.BOUGHT_WITH,
        Relation.VIEWED_THEN_BOUGHT,
        Relation.LOOKS_LIKE,
    }
)
"""Relations that the build derives; a fact table may not use their names."""


@dataclass(frozen=True, slots=True)
class FactTable:
    """Facts of one relation: item ``head_rows[j]`` relates to node ``tail_rows[j]``.

    Shapes: ``head_rows``, ``tail_rows`` int64 ``[n]``; ``weight`` float32 ``[n]``, positive.
    """

    relation: str
    """Such as ``"made_by"``; one table per pair of relation and tail type."""
    tail_type: str
    """A :class:`NodeType` or a type of the shop's own."""
    head_rows: Ints
    tail_rows: Ints
    n_tails: int
    weight: Floats

    def __post_init__(self) -> None:
        where = f"facts {self.relation!r}"
        if not self.relation or self.relation in RESERVED:
            raise GraphError(
                f"{where}: this name is derived by the build or empty; choose another name"
            )
        _check_lengths(
            where, {"head_rows": self.head_rows, "tail_rows": self.tail_rows, "weight": self.weight}
        )
        _check_rows(f"{where}.tail_rows", self.tail_rows, self.n_tails)
        _check_weights(f"{where}.weight", self.weight)
        if self.tail_type == NodeType.ITEM and np.any(self.head_rows == self.tail_rows):
            at = int(np.flatnonzero(self.head_rows == self.tail_rows)[0])
            raise GraphError(
                f"{where}: fact {at} relates item {self.head_rows[at]} to itself; drop it"
            )


@dataclass(frozen=True, slots=True)
class LinkTable:
    """Facts of one relation between nodes of any two types, such as brand → country.

    Shapes: ``head_rows``, ``tail_rows`` int64 ``[n]``; ``weight`` float32 ``[n]``, positive.
    """

    head_type: str
    relation: str
    tail_type: str
    head_rows: Ints
    tail_rows: Ints
    n_heads: int
    n_tails: int
    weight: Floats

    def __post_init__(self) -> None:
        where = f"links {self.head_type} {self.relation!r} {self.tail_type}"
        if not self.relation or self.relation in RESERVED:
            raise GraphError(
                f"{where}: this name is derived by the build or empty; choose another name"
            )
        _check_lengths(
            where, {"head_rows": self.head_rows, "tail_rows": self.tail_rows, "weight": self.weight}
        )
        _check_rows(f"{where}.head_rows", self.head_rows, self.n_heads)
        _check_rows(f"{where}.tail_rows", self.tail_rows, self.n_tails)
        _check_weights(f"{where}.weight", self.weight)
        if self.head_type == self.tail_type and np.any(self.head_rows == self.tail_rows):
            at = int(np.flatnonzero(self.head_rows == self.tail_rows)[0])
            raise GraphError(
                f"{where}: link {at} joins {self.head_type} {self.head_rows[at]} to itself; drop it"
            )


@dataclass(frozen=True, slots=True)
class Facet:
    """What each event says of the scene it happened in: its place, season or part of the day.

    The build joins the user or the item of the events with the facets that they fall in.
    """

    head_type: str
    """``"item"`` or ``"user"``: whom the edges start from."""
    relation: str
    tail_type: str
    rows: Ints
    """Row of each event's facet, int64 ``[E]``."""
    known: NDArray[np.bool_]
    """Events whose facet is known, bool ``[E]``."""
    n_tails: int


@dataclass(frozen=True, slots=True)
class GraphTables:
    """Everything the graph is built from. All arrays are checked on construction.

    Shapes: ``user``, ``item``, ``at_unix_s``, ``session`` int64 ``[E]``; ``weight`` float32
    ``[E]``, positive; ``category_parent`` int64 ``[n_categories]``.

    Raises:
        GraphError: A row out of range, unequal lengths, a weight that is not positive, a
            fact about an item itself, or a cycle in the category tree.
    """

    n_users: int
    n_items: int
    user: Ints
    item: Ints
    at_unix_s: Ints
    weight: Floats
    """How much an event of this kind says: a purchase more than a view."""
    session: Ints
    """Basket or visit; unique over all users."""
    item_facts: tuple[FactTable, ...]
    category_parent: Ints
    """Row of the next more general category; -1 for a root."""
    links: tuple[LinkTable, ...] = ()
    """Facts whose heads are no items, and whatever the network is not to be fitted on."""
    facets: tuple[Facet, ...] = ()
    bought: NDArray[np.bool_] | None = None
    """Events that are purchases, bool ``[E]``; None where nothing tells them from views."""

    def __post_init__(self) -> None:
        _check_lengths(
            "interactions",
            {
                "user": self.user,
                "item": self.item,
                "at_unix_s": self.at_unix_s,
                "weight": self.weight,
                "session": self.session,
            },
        )
        _check_rows("user", self.user, self.n_users)
        _check_rows("item", self.item, self.n_items)
        _check_weights("weight", self.weight)
        _check_facts(self)
        _check_links(self)
        _check_facets(self)
        _check_tree(self.category_parent)

    def __len__(self) -> int:
        return len(self.user)

    def until(self, as_of_unix_s: int) -> GraphTables:
        """The same tables with the events at or after ``as_of_unix_s`` dropped."""
        return self.where(self.at_unix_s < as_of_unix_s)

    def where(self, mask: NDArray[np.bool_]) -> GraphTables:
        """The same tables with only the events that a bool mask ``[E]`` selects."""
        return replace(
            self,
            user=self.user[mask],
            item=self.item[mask],
            at_unix_s=self.at_unix_s[mask],
            weight=self.weight[mask],
            session=self.session[mask],
            facets=tuple(
                replace(facet, rows=facet.rows[mask], known=facet.known[mask])
                for facet in self.facets
            ),
            bought=None if self.bought is None else self.bought[mask],
        )

    def n_nodes(self) -> Mapping[str, int]:
        """Nodes of each type, in the order of their global rows: users, items, then the rest."""
        counts = {str(NodeType.USER): self.n_users, str(NodeType.ITEM): self.n_items}
        if len(self.category_parent):
            counts[str(NodeType.CATEGORY)] = len(self.category_parent)
        for facts in self.item_facts:
            counts.setdefault(str(facts.tail_type), facts.n_tails)
        for link in self.links:
            counts.setdefault(str(link.head_type), link.n_heads)
            counts.setdefault(str(link.tail_type), link.n_tails)
        for facet in self.facets:
            counts.setdefault(str(facet.tail_type), facet.n_tails)
        return counts


def decayed_weight(tables: GraphTables, *, as_of_unix_s: int, half_life_days: float) -> Floats:
    """Event weights halved once per ``half_life_days`` of age, float32 ``[E]``."""
    age_days = (as_of_unix_s - tables.at_unix_s) / 86_400
    return (tables.weight * 0.5 ** (age_days / half_life_days)).astype(np.float32)


def _check_lengths(where: str, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    for name, array in arrays.items():
        if array.ndim != 1:
            raise GraphError(f"{where}: {name} has shape {array.shape}, expected one axis")
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise GraphError(f"{where}: arrays of one length expected, got {lengths}")


def _check_rows(where: str, rows: Ints, size: int) -> None:
    if rows.dtype != np.int64:
        raise GraphError(f"{where} is {rows.dtype}, expected int64 rows")
    outside = (rows < 0) | (rows >= size)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        raise GraphError(f"{where}[{at}] is {rows[at]}, expected a row in 0..{size - 1}")


def _check_weights(where: str, weight: Floats) -> None:
    bad = ~(np.isfinite(weight) & (weight > 0))
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise GraphError(f"{where}[{at}] is {weight[at]}, expected a positive finite number")


def _check_facts(tables: GraphTables) -> None:
    sizes: dict[str, int] = {
        str(NodeType.USER): tables.n_users,
        str(NodeType.ITEM): tables.n_items,
        str(NodeType.CATEGORY): len(tables.category_parent),
    }
    seen: set[tuple[str, str]] = set()
    for facts in tables.item_facts:
        key = (str(facts.relation), str(facts.tail_type))
        if key in seen:
            raise GraphError(f"facts {key[0]!r} → {key[1]!r} come twice; join the two tables")
        seen.add(key)
        _check_rows(f"facts {key[0]!r}.head_rows", facts.head_rows, tables.n_items)
        known = sizes.setdefault(key[1], facts.n_tails)
        if known != facts.n_tails:
            raise GraphError(
                f"facts {key[0]!r}: n_tails is {facts.n_tails}, but there are {known} "
                f"nodes of type {key[1]!r}"
            )


def _check_links(tables: GraphTables) -> None:
    sizes = tables.n_nodes()
    seen = {(str(NodeType.ITEM), str(f.relation), str(f.tail_type)) for f in tables.item_facts}
    for link in tables.links:
        key = (str(link.head_type), str(link.relation), str(link.tail_type))
        if key in seen:
            raise GraphError(f"links {' '.join(key)} come twice; join the two tables")
        seen.add(key)
        for node_type, n in ((link.head_type, link.n_heads), (link.tail_type, link.n_tails)):
            if sizes[node_type] != n:
                raise GraphError(
                    f"links {' '.join(key)}: there are {sizes[node_type]} nodes of type "
                    f"{node_type!r}, got {n}"
                )


def _check_facets(tables: GraphTables) -> None:
    sizes = tables.n_nodes()
    for facet in tables.facets:
        where = f"facet {facet.relation!r}"
        if facet.head_type not in (NodeType.USER, NodeType.ITEM):
            raise GraphError(f"{where} starts from {facet.head_type!r}, expected user or item")
        if sizes[facet.tail_type] != facet.n_tails:
            raise GraphError(
                f"{where}: there are {sizes[facet.tail_type]} nodes of type "
                f"{facet.tail_type!r}, got {facet.n_tails}"
            )
        lengths = {"events": tables.user, "rows": facet.rows, "known": facet.known}
        _check_lengths(where, lengths)
        _check_rows(f"{where}.rows", facet.rows[facet.known], facet.n_tails)
    if tables.bought is not None:
        _check_lengths("bought", {"events": tables.user, "bought": tables.bought})


def _check_tree(parent: Ints) -> None:
    if not len(parent):
        return
    _check_rows("category_parent", np.where(parent == -1, 0, parent), len(parent))
    loops = np.flatnonzero(parent == np.arange(len(parent)))
    if len(loops):
        raise GraphError(f"category {loops[0]} is its own parent; a root has parent -1")
    # Pointer jumping: after ceil(log2 n) doublings every node of a tree has passed its root.
    ancestor = parent.copy()
    for _ in range(len(parent).bit_length()):
        ancestor = np.where(ancestor == -1, -1, ancestor[ancestor])
    if (ancestor != -1).any():
        stuck = int(np.flatnonzero(ancestor != -1)[0])
        raise GraphError(f"the parents of category {stuck} run in a cycle; a tree is expected")
