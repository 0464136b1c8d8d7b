"""The assistant's tools over an engine: each reads the bus and changes it.

People's grammar, a language model and an MCP client call the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.assistant.bus import Bus
from engine.assistant.shelf import Path, Shelf, under
from engine.assistant.wanted import Wanted
from engine.explain.naming import stem, words_of
from engine.filters import Filters
from engine.portrait import Portrait
from engine.recommend import Engine
from engine.recommendation import Recommendation
from engine.runtime import Run
from engine.scene import Scene
from engine.types import Item

DEPTH = 200
"""Candidates that a search puts on the bus."""
FIRST = 40
"""Of these, the nearest to the words, "cheap" takes the cheapest."""


@dataclass(slots=True)
class Tools:
    """One shopper's tools for one message."""

    engine: Engine
    user_id: str
    shelf: Shelf
    bus: Bus = field(default_factory=Bus)

    @classmethod
    def of(cls, engine: Engine, user_id: str) -> Tools:
        """Tools with an empty bus."""
        return cls(engine, user_id, shelf_of(engine.run))

    def find(self, wanted: Wanted, *, image: bytes | None = None) -> None:
        """Put on the bus what a wish asks for: by words or photo, or for the scene alone."""
        filters = self._filters(wanted)
        if filters is None:
            self.bus.put((), "nothing of that kind is sold here")
            return
        if image is not None or wanted.words is not None:
            text = wanted.scene.wish
            taste = self.user_id if wanted.categories else None
            found = self.engine.search(text, image, DEPTH, user_id=taste, filters=filters)
            self.bus.put(found, f"search {text!r}" if text else "search by photo")
            if not found and wanted.categories:
                anywhere = replace(filters, only=())
                self.bus.put(self.engine.search(text, image, DEPTH, filters=anywhere), "anywhere")
        else:
            found = self.engine.recommend(
                self.user_id, wanted.scene, k=DEPTH, filters=filters, explain=False
            )
            self.bus.put(found, "recommend for the scene")
        self.refuse(wanted)
        if wanted.cheap or wanted.dear:
            self.sort_by_price(dearest_first=wanted.dear)

    def leave_out(self, item_ids: Iterable[str]) -> None:
        """Take items off the bus that were shown before."""
        seen = frozenset(item_ids)
        if seen:
            self.bus.keep(lambda item: item.item_id not in seen, "not shown before")

    def cheaper_than(self, price: float) -> None:
        """Keep what costs less."""
        self.bus.keep(
            lambda item: item.price is not None and item.price < price, f"below {price:g}"
        )

    def dearer_than(self, price: float) -> None:
        """Keep what costs more."""
        self.bus.keep(
            lambda item: item.price is not None and item.price > price, f"above {price:g}"
        )

    def sort_by_price(self, *, dearest_first: bool = False) -> None:
        """Of the first, the cheapest to the front; what has no price to the end."""
        sign = -1.0 if dearest_first else 1.0
        first = {one.item.item_id for one in self.bus.found[:FIRST]}

        def key(one: Recommendation) -> float:
            known = one.item.price is not None and one.item.item_id in first
            return sign * (one.item.price or 0.0) if known else float("inf")

        self.bus.sort(key, "dearest first" if dearest_first else "cheapest first")

    def goes_with(self, item_ids: Sequence[str]) -> None:
        """Put on the bus what goes with some items."""
        self.bus.put(self.engine.complements(list(item_ids), DEPTH), "what goes with them")

    def similar(self, item_id: str) -> None:
        """Put on the bus what is like an item."""
        self.bus.put(self.engine.similar(item_id, DEPTH), "what is like it")

    def why(self, item_ids: Sequence[str], scene: Scene) -> tuple[Recommendation, ...]:
        """Items as they rank for the shopper, with evidence and reason, in the order given."""
        if not item_ids:
            return ()
        ranked = self.engine.rank(self.user_id, list(item_ids), scene).recommendations
        place = {item_id: at for at, item_id in enumerate(item_ids)}
        ordered = sorted(ranked, key=lambda one: place[one.item.item_id])
        return tuple(replace(one, rank=at) for at, one in enumerate(ordered, start=1))

    def portrait(self) -> Portrait:
        """What the shopper takes, and when.

        Raises:
            UnknownIdError: Nothing is known of them.
        """
        return self.engine.portrait(self.user_id)

    def item(self, item_id: str) -> Item:
        """One item.

        Raises:
            UnknownIdError: No such item.
        """
        return self.engine.item(item_id)

    def departments(self, first: int = 20) -> Mapping[Path, int]:
        """How many of the first candidates lie in which department."""
        counts: dict[Path, int] = {}
        for one in self.bus.found[:first]:
            path = one.item.categories[:2]
            if path:
                counts[path] = counts.get(path, 0) + 1
        return counts

    def _filters(self, wanted: Wanted) -> Filters | None:
        """Conditions of a wish; None where no item can meet them."""
        only: tuple[str, ...] = ()
        if wanted.categories:
            only = _items_under(self.engine.run, wanted.categories)
            if not only:
                return None
        return Filters(
            brands=tuple(sorted(wanted.brands)),
            min_price=wanted.scene.price_min,
            max_price=wanted.scene.price_max,
            only=only,
        )

    def refuse(self, wanted: Wanted) -> None:
        """Take off the bus what a wish refuses: brands, shelves, words."""
        if wanted.not_brands:
            names = ", ".join(sorted(wanted.not_brands))
            self.bus.keep(lambda item: item.brand not in wanted.not_brands, f"not {names}")
        # "Cookies, no chocolate cookies" refuses a shelf of the kind that is wanted.
        shelves = wanted.not_categories - wanted.categories
        if shelves:
            self.bus.keep(lambda item: not under(item.categories, shelves), "other shelves")
        if wanted.not_words:
            self.bus.keep(
                lambda item: not wanted.not_words & _stems(item),
                f"without {', '.join(sorted(wanted.not_words))}",
            )


def _stems(item: Item) -> frozenset[str]:
    """Stemmed words of an item itself: the shelf that it lies on may hold other things too."""
    texts = (item.title, *item.categories[-1:], *item.attributes.values())
    return frozenset(stem(word) for text in texts for word in words_of(text))


def shelf_of(run: Run) -> Shelf:
    """The names of a run's catalogue; made once."""
    return run.catalogue.derived(Shelf.of)


def _items_under(run: Run, categories: frozenset[Path]) -> tuple[str, ...]:
    """Ids of all items of some categories."""
    paths, ids = run.catalogue.column("categories"), run.catalogue.column("item_id")
    n_deep = {len(path) for path in categories}
    found = [
        item_id
        for item_id, path in zip(ids, paths, strict=True)
        if any(path[:depth] in categories for depth in n_deep)
    ]
    live = (run.catalogue[row] for row in run.catalogue.live_rows)
    return (*found, *(item.item_id for item in live if under(item.categories, categories)))
