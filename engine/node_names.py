"""Names of the graph's nodes: what each row of each type is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from engine.errors import DataError
from engine.interactions import Ints
from engine.vocabulary import Ids, Vocabulary

STATED = ("item", "user", "category", "brand", "place")
"""Types whose nodes the tables hold: a triple can name them, not make them."""
MADE = ("attribute", "entity")
"""Types whose nodes a triple makes where they are not there yet."""
SEPARATOR = " > "
"""Between the levels of a category's name: ``Food > Bread``."""
_SCHEMA = pl.Schema({"type": pl.String, "row": pl.Int64, "name": pl.String})


@dataclass(frozen=True, slots=True, eq=False)
class NodeNames:
    """The names of every type of node, in the order of their rows."""

    of_type: Mapping[str, Ids]

    def name(self, node_type: str, row: int) -> str | None:
        """What a node is called, if it is known."""
        ids = self.of_type.get(node_type)
        return ids.id(row) if ids is not None and row < len(ids) else None

    def with_names(self, more: Mapping[str, Iterable[str]]) -> NodeNames:
        """The same names, and further ones after them."""
        added = {}
        for kind, names in more.items():
            known = self.of_type.get(kind, Ids.of(kind, ()))
            new = (name for name in names if name not in known)
            added[kind] = Ids.of(kind, (*known.ids, *new))
        return NodeNames({**self.of_type, **added})

    def save(self, path: Path) -> None:
        """Write one Parquet file of (type, row, name)."""
        parts = [
            pl.DataFrame(
                {"type": [kind] * len(ids), "row": range(len(ids)), "name": ids.ids},
                schema=_SCHEMA,
            )
            for kind, ids in self.of_type.items()
        ]
        pl.concat([pl.DataFrame(schema=_SCHEMA), *parts]).write_parquet(path)

    @classmethod
    def open(cls, path: Path) -> NodeNames:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: The file is missing or holds no names.
        """
        try:
            frame = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{path} holds no names of nodes: {error}") from error
        if frame.schema != _SCHEMA:
            raise DataError(f"{path}: columns are {frame.schema}, expected {_SCHEMA}")
        kinds = frame["type"].unique(maintain_order=True).to_list()
        return cls({k: Ids.of(k, frame.filter(pl.col("type") == k)["name"]) for k in kinds})


def names_of(items: pl.DataFrame, vocabulary: Vocabulary) -> NodeNames:
    """Names of what the tables hold: users, items, places, categories, brands, attributes."""
    return NodeNames(
        {
            "user": vocabulary.users,
            "item": vocabulary.items,
            "place": vocabulary.places,
            "category": Ids.of("category", map(SEPARATOR.join, category_paths(items))),
            "brand": Ids.of("brand", items["brand"].drop_nulls().unique().sort()),
            "attribute": Ids.of("attribute", item_attributes(items)["name"].unique().sort()),
        }
    )


def stated_names(
    items: pl.DataFrame, users: pl.DataFrame, events: pl.DataFrame, offers: pl.DataFrame
) -> NodeNames:
    """The same of tables that are no dataset yet; of these columns may be absent, but no item's.

    The rows of users and places are no rows of a vocabulary.
    """

    def ids(kind: str, column: str, frames: Iterable[pl.DataFrame]) -> Ids:
        found = [frame[column] for frame in frames if column in frame.columns]
        return Ids.of(kind, pl.concat([pl.Series(dtype=pl.String), *found]).drop_nulls().unique())

    vocabulary = Vocabulary(
        users=ids("user", "user_id", (users, events)),
        items=Ids.of("item", items["item_id"]),
        places=ids("place", "place", (events, offers)),
    )
    return names_of(items, vocabulary)


def item_attributes(items: pl.DataFrame) -> pl.DataFrame:
    """The attributes of an ``items`` table: row of the item, and ``name`` as ``key=value``."""
    pair = pl.col("attributes").struct
    return (
        items.select("attributes")
        .with_row_index("row")
        .explode("attributes")
        .drop_nulls("attributes")
        .select("row", name=pl.format("{}={}", pair.field("key"), pair.field("value")))
        .drop_nulls("name")
        .unique(maintain_order=True)
    )


def category_paths(items: pl.DataFrame) -> list[tuple[str, ...]]:
    """Every category of an ``items`` table as its path, sorted: the rows of the tree."""
    paths = {tuple(path or ()) for path in items["categories"].to_list()}
    return sorted({path[:n] for path in paths for n in range(1, len(path) + 1)})


def category_parents(items: pl.DataFrame) -> Ints:
    """The tree of :func:`category_paths`; -1 for a root, int64 ``[n_categories]``."""
    prefixes = category_paths(items)
    row_of = {prefix: row for row, prefix in enumerate(prefixes)}
    return np.array([row_of.get(p[:-1], -1) for p in prefixes], dtype=np.int64)
