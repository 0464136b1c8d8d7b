"""Where a new item belongs in a run: its graph vector, its groups and its reranker token."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.interactions import Floats, Ints
from engine.runtime import Run
from engine.types import Item
from graph import FactTable, ItemMap, NodeType, Relation, embed_items, fit_item_map

SAMPLE = 4_000
"""Items that the map from content and facts is learned from at most: enough for its few hundred
weights, and a fraction of a second."""

_Key = Callable[[tuple[str, ...], str | None], Hashable]
_KEYS: tuple[_Key, ...] = (
    lambda path, _: path[:1],
    lambda path, _: path[:2],
    lambda path, _: path,
    lambda _, brand: brand,
)
"""What may decide an item's group, coarse before fine."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item belongs."""

    graph: Floats
    """float32 ``[G]``, unit length."""
    groups: Ints
    """One code per way of grouping."""
    token: Floats
    """What the reranker reads of it, float32 ``[item_width]``."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """One kind of fact: which tail a key names, and the table of the sampled items."""

    relation: str
    tail_type: str
    key: _Key
    tail_of: dict[Hashable, int]

    def table(self, items: Sequence[Item]) -> FactTable:
        found = [
            (row, self.tail_of[key])
            for row, item in enumerate(items)
            if (key := self.key(item.categories, item.brand)) in self.tail_of
        ]
        rows = np.array(found, dtype=np.int64).reshape(-1, 2)
        weight = np.ones(len(rows), dtype=np.float32)
        return FactTable(
            self.relation, self.tail_type, rows[:, 0], rows[:, 1], len(self.tail_of), weight
        )


class Placing:
    """Places items among those that a run was trained on; what that needs is learned once."""

    def __init__(self, run: Run) -> None:
        """Use a run as training left it."""
        self._run = run

    def __call__(self, item: Item, content: Floats) -> Place:
        """The place of an item.

        Args:
            item: Its category path and brand are read.
            content: What it looks and reads like, float32 ``[D]``.
        """
        graph = self._embed(item, content)
        return Place(graph, self._groups(item, content), self.token(graph, content))

    def prepare(self) -> None:
        """Learn now what placing needs, so that the first item is placed as fast as the next."""
        _ = self._item_map, self._token_axes, self._group_rules

    def token(self, graph: Floats, content: Floats) -> Floats:
        """The reranker's vector of an item from its graph and content vectors."""
        centre, axes = self._token_axes
        return np.concatenate([graph, (content - centre) @ axes]).astype(np.float32)

    def _embed(self, item: Item, content: Floats) -> Floats:
        fitted = self._item_map
        if fitted is None:  # nobody has taken anything: no taste can be learned from
            nearest: Floats = self._run.tables.graph[self._sibling(content)]
            return nearest
        item_map, facts = fitted
        known = np.ones(1, dtype=np.bool_)
        tables = tuple(fact.table([item]) for fact in facts)
        vector: Floats = embed_items(item_map, content[None], known, tables)[0]
        return vector

    @cached_property
    def _item_map(self) -> tuple[ItemMap, tuple[_Facts, ...]] | None:
        run = self._run
        taken = np.flatnonzero(run.world.trends.all_time > 0)
        if not len(taken):
            return None
        rng = np.random.default_rng(run.config.seed)
        rows = np.sort(rng.permutation(taken)[:SAMPLE])
        items = [run.catalogue[int(row)] for row in rows]
        facts = tuple(_facts_of(items))
        content = run.tables.content[rows]
        known = np.ones(len(rows), dtype=np.bool_)
        tables = tuple(fact.table(items) for fact in facts)
        shown = content.any(axis=1)
        return fit_item_map(run.tables.graph[rows], known, content, shown, tables), facts

    @cached_property
    def _token_axes(self) -> tuple[Floats, Floats]:
        """Mean content ``[D]`` and the map ``[D, width]`` to a token's part, from what they made.

        See :func:`retrieval.recall.token_vectors`.
        """
        tables = self._run.tables
        rng = np.random.default_rng(self._run.config.seed)
        rows = rng.permutation(len(tables.content))[: 4 * tables.content.shape[1]]
        centre = tables.content.mean(axis=0)
        made = self._run.model.items.numpy()[rows, tables.graph.shape[1] :]
        axes, *_ = np.linalg.lstsq(tables.content[rows] - centre, made, rcond=1e-5)
        return centre, axes.astype(np.float32)

    def _groups(self, item: Item, content: Floats) -> Ints:
        """As items with the same category path or brand are grouped; else as the most alike."""
        groups = self._run.world.items.groups[:, self._sibling(content)].copy()
        for at, rule in enumerate(self._group_rules):
            if rule is not None:
                key, code_of = rule
                groups[at] = code_of.get(key(item.categories, item.brand), groups[at])
        return groups

    @cached_property
    def _group_rules(self) -> list[tuple[_Key, dict[Hashable, int]] | None]:
        catalogue = self._run.catalogue
        paths, brands = catalogue.column("categories"), catalogue.column("brand")
        return [_rule(codes, paths, brands) for codes in self._run.world.items.groups.tolist()]

    def _sibling(self, content: Floats) -> int:
        return int((self._run.tables.content @ content).argmax())


def _facts_of(items: Sequence[Item]) -> list[_Facts]:
    kinds = (
        (str(Relation.IN_CATEGORY), NodeType.CATEGORY, _KEYS[2]),
        ("in_department", "department", _KEYS[0]),
        (str(Relation.MADE_BY), NodeType.BRAND, _KEYS[3]),
    )
    facts = []
    for relation, tail_type, key in kinds:
        seen = dict.fromkeys(key(item.categories, item.brand) for item in items)
        tails = [name for name in seen if name]
        if tails:
            tail_of = {name: tail for tail, name in enumerate(tails)}
            facts.append(_Facts(relation, str(tail_type), key, tail_of))
    return facts


def _rule(
    codes: Sequence[int], paths: Sequence[tuple[str, ...]], brands: Sequence[str | None]
) -> tuple[_Key, dict[Hashable, int]] | None:
    """The coarsest key that decides a code for all items; None where none does."""
    for key in _KEYS:
        code_of: dict[Hashable, int] = {}
        for code, path, brand in zip(codes, paths, brands, strict=True):
            if code_of.setdefault(key(path, brand), code) != code:
                break
        else:
            return key, code_of
    return None
