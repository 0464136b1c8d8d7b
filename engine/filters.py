"""Which items an answer may hold, in the shop's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from engine.errors import DataError
from engine.interactions import Ints
from engine.node_names import category_parents, category_paths, item_attributes
from engine.runtime import Run
from engine.types import Item
from retrieval.candidates import Bools
from retrieval.filters import NO_CATEGORY, CategoryTree, ItemColumns, ItemFilter, matching


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that an item must meet, all of them; an empty one is no condition."""

    category: tuple[str, ...] = ()
    """Path of a category, most general first: it and everything under it."""
    brands: tuple[str, ...] = ()
    """Any of these."""
    min_price: float | None = None
    max_price: float | None = None
    """In the shop's currency, both included; an item without a price meets neither."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """All of these, such as ``{"colour": "red"}``."""
    only: tuple[str, ...] = ()
    """Item ids that may be answered; unknown ones are passed over. Empty is no condition."""
    exclude: tuple[str, ...] = ()
    """Item ids; unknown ones are passed over."""

    def __post_init__(self) -> None:
        low, high = self.min_price, self.max_price
        if low is not None and high is not None and low > high:
            raise DataError(f"filters: got prices from {low} to {high}, expected the lower first")

    def met_by(self, item: Item) -> bool:
        """Whether one item meets all conditions."""
        price = np.nan if item.price is None else item.price
        return (
            item.categories[: len(self.category)] == self.category
            and (not self.brands or item.brand in self.brands)
            and (self.min_price is None or price >= self.min_price)
            and (self.max_price is None or price <= self.max_price)
            and all(item.attributes.get(key) == value for key, value in self.attributes.items())
            and (not self.only or item.item_id in self.only)
            and item.item_id not in self.exclude
        )


@dataclass(frozen=True, slots=True, eq=False)
class FilterColumns:
    """What the items of a table are filtered by, and what its numbers are called.

    Shapes: items with attribute ``a`` are ``attribute_items[starts[a] : starts[a + 1]]``.
    """

    columns: ItemColumns
    categories: Mapping[tuple[str, ...], int]
    brands: Mapping[str, int]
    attributes: Mapping[str, int]
    starts: Ints
    attribute_items: Ints

    @classmethod
    def of(cls, items: pl.DataFrame) -> FilterColumns:
        """Number what an ``items`` table holds."""
        together = _by_category(items)  # few paths, many items: only the few become Python's
        paths = category_paths(together)
        tree, number = CategoryTree.of(category_parents(together))
        categories = {path: int(number[row]) for row, path in enumerate(paths)}
        of_paths = together["categories"].to_list()
        own = [categories.get(tuple(path or ()), NO_CATEGORY) for path in of_paths]
        category = np.empty(len(items), np.int64)
        category[together["row"].explode().to_numpy()] = np.repeat(own, together["row"].list.len())
        names = items["brand"].drop_nulls().unique().sort()
        brands = {name: row for row, name in enumerate(names)}
        brand = items["brand"].cast(pl.Enum(names)).to_physical().cast(pl.Int64).fill_null(-1)
        pairs = item_attributes(items).sort("name", "row")
        values = pairs["name"].unique(maintain_order=True).to_list()
        counts = pairs.group_by("name", maintain_order=True).len()["len"].to_numpy()
        columns = ItemColumns(
            category=category,
            tree=tree,
            brand=brand.to_numpy(),
            price=items["price"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
            available=items["available"].to_numpy(),
            attributes=np.zeros((len(items), 0), np.uint64),
        )
        return cls(
            columns,
            categories,
            brands,
            {value: row for row, value in enumerate(values)},
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            pairs["row"].to_numpy().astype(np.int64),
        )

    def matching(self, wanted: Filters, run: Run) -> Bools:
        """Which items of the table meet every condition, bool ``[I]``."""
        nothing = np.zeros(len(self.columns), np.bool_)
        brands = tuple(self.brands[brand] for brand in wanted.brands if brand in self.brands)
        pairs = [f"{key}={value}" for key, value in wanted.attributes.items()]
        category = self.categories.get(wanted.category) if wanted.category else None
        unknown = (
            bool(wanted.category and category is None)
            or bool(wanted.brands and not brands)
            or any(pair not in self.attributes for pair in pairs)
        )
        if unknown:
            return nothing
        kept = matching(
            self.columns,
            ItemFilter(
                categories=() if category is None else (category,),
                brands=brands,
                price_from=wanted.min_price,
                price_to=wanted.max_price,
                only=self._rows(wanted.only, run) if wanted.only else None,
                exclude=self._rows(wanted.exclude, run),
            ),
        )
        for pair in pairs:
            row = self.attributes[pair]
            having = nothing.copy()
            having[self.attribute_items[self.starts[row] : self.starts[row + 1]]] = True
            kept &= having
        return kept

    def _rows(self, item_ids: tuple[str, ...], run: Run) -> tuple[int, ...]:
        found = (run.vocabulary.items.find(item_id) for item_id in item_ids)
        return tuple(row for row in found if row is not None and row < len(self.columns))


def _by_category(items: pl.DataFrame) -> pl.DataFrame:
    """Every distinct path of an ``items`` table, and the rows of the items that have it."""
    paths = items.select("categories").with_row_index("row")
    return paths.group_by("categories", maintain_order=True).agg("row")


def allowed_items(run: Run, filters: Filters | None) -> Bools:
    """Recommendable items that meet the conditions, bool ``[I]``, the caller's to write to."""
    allowed = run.world.items.recommendable.copy()
    if filters is None or filters == Filters():
        return allowed
    met = np.zeros(len(allowed), np.bool_)
    met[: run.n_trained] = run.catalogue.derived(FilterColumns.of).matching(filters, run)
    for row in run.catalogue.live_rows:
        met[row] = filters.met_by(run.catalogue[row])
    return allowed & met
