"""Which items an answer may hold, in the shop's own words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.runtime import Run
from engine.types import Item
from retrieval.candidates import Bools


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
    exclude: tuple[str, ...] = ()
    """Item ids; unknown ones are passed over."""

    def met_by(self, item: Item) -> bool:
        """Whether one item meets all conditions."""
        price = np.nan if item.price is None else item.price
        cheap = self.min_price is None or price >= self.min_price
        dear = self.max_price is None or price <= self.max_price
        return (
            item.categories[: len(self.category)] == self.category
            and (not self.brands or item.brand in self.brands)
            and cheap
            and dear
            and item.item_id not in self.exclude
        )


def allowed_items(run: Run, filters: Filters | None) -> Bools:
    """Recommendable items that meet the conditions, bool ``[I]``, the caller's to write to."""
    allowed = run.world.items.recommendable.copy()
    if filters is not None and filters != Filters():
        rows = np.flatnonzero(allowed)
        allowed[rows] = [filters.met_by(run.catalogue[int(row)]) for row in rows]
    return allowed
