"""What a list is judged by besides its hits: what items are, and how well known they were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.evaluate.protocol import Bools, EvaluationSet, users_of_each_item
from engine.interactions import Floats, Ints

SECONDS_PER_DAY = 86_400
CATEGORY_DEPTH = 2
"""Levels of the category path that tell categories apart: deeper ones have few items each."""
HEAD_SHARE = 0.2
"""Share of the items that are called popular, those with most users (Abdollahpouri et al. 2019)."""
NEW_DAYS = 28.0
"""An item is new while it was first taken so many days before the cut, or never."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemFacts:
    """What is known of items before anybody takes them; arrays are ``[I]`` unless said."""

    category: Ints
    """Code of each item's category, 0 where it has none."""
    brand: Ints
    """Code of each item's brand, 0 where it has none."""
    category_names: tuple[str, ...]
    """Of each code; code 0 is the empty text."""
    brand_names: tuple[str, ...]
    vectors: Floats | None = None
    """What items look and read like, float32 ``[I, D]``; a zero row where nothing is known."""

    @classmethod
    def of(cls, items: pl.DataFrame, vectors: Floats | None = None) -> ItemFacts:
        """Read an ``items`` table, in its order.

        Args:
            items: As :data:`engine.dataset.SCHEMAS` has it.
            vectors: Of the items, float32 ``[I, D]``.

        Raises:
            ValueError: There are not as many vectors as items.
        """
        if vectors is not None and len(vectors) != len(items):
            raise ValueError(f"{len(vectors)} vectors of {len(items)} items: expected one each")
        path = items["categories"].list.head(CATEGORY_DEPTH).list.join(" > ")
        category, categories = _codes(path)
        brand, brands = _codes(items["brand"])
        return cls(category, brand, categories, brands, vectors)


@dataclass(frozen=True, slots=True)
class Renown:
    """How well known items were when the cut came; arrays are ``[I]``."""

    n_users: Ints
    """Distinct users who had the item before the cut."""
    n_asking: int
    """Users who had anything before the cut."""
    head: Bools
    """The popular ones of the candidates."""
    new: Bools
    """First taken within the last days before the cut, or never."""

    @classmethod
    def of(cls, asked: EvaluationSet) -> Renown:
        """Count the history of an evaluation set."""
        had = asked.had()
        n_users = users_of_each_item(had)
        first = np.full(had.n_items, asked.cut_unix_s, np.int64)
        np.minimum.at(first, had.item, had.at_unix_s)
        new = first > asked.cut_unix_s - NEW_DAYS * SECONDS_PER_DAY
        return cls(n_users, len(np.unique(had.user)), head_items(n_users, asked.candidates), new)


def head_items(n_users: Ints, among: Bools, share: float = HEAD_SHARE) -> Bools:
    """The share of some items that most users had, bool ``[I]``; ties to the lower row.

    Args:
        n_users: int64 ``[I]``.
        among: Items that count, bool ``[I]``.
        share: Between 0 and 1, rounded up to whole items.
    """
    rows = np.flatnonzero(among)
    best = rows[np.argsort(-n_users[rows], kind="stable")]
    head = np.zeros(len(n_users), np.bool_)
    head[best[: int(np.ceil(share * len(rows)))]] = True
    return head


def _codes(values: pl.Series) -> tuple[Ints, tuple[str, ...]]:
    """Codes from 1 by sorted value, 0 for null and the empty text, and the text of each code."""
    names = values.drop_nulls().unique().sort()
    names = names.filter(names != "")
    known = {name: code for code, name in enumerate(names, start=1)}
    codes = np.fromiter((known.get(value, 0) for value in values), np.int64, len(values))
    return codes, ("", *names)
