"""Retailrocket: views, carts and purchases of a web shop, everything else hashed."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from pathlib import Path

import polars as pl

from engine.dataset import DatasetSettings
from engine.ingest.mapping import Mapping, TableMapping
from engine.ingest.presets.preset import Form, Preset
from engine.ingest.presets.shelf import Shelf, read_table

_PROPERTIES = "item_properties*.csv"
_TREE = "category_tree.csv"
_PROPERTY_COLUMNS = ("timestamp", "itemid", "property", "value")


def _items(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    """Every item that a property or an event names, with the last category it is known to have."""
    files = shelf.all(_PROPERTIES)
    told = pl.concat([read_table(path, _PROPERTY_COLUMNS) for path in files])
    category = (
        told.filter(pl.col("property") == "categoryid")
        .sort(pl.col("timestamp").cast(pl.Int64, strict=False), maintain_order=True)
        .group_by("itemid")
        .agg(pl.col("value").last().alias("category"))
    )
    seen = shelf.table("events.csv", ("itemid",)).select("itemid")
    known = pl.concat([told.select("itemid"), seen]).unique().drop_nulls()
    items = known.join(category, on="itemid", how="left").sort("itemid").collect()
    paths = category_paths(_parents(shelf))
    names = [
        [f"Category {one}" for one in paths.get(last, (last,))] if last else []
        for last in items["category"]
    ]
    column = pl.Series("categories", names, dtype=pl.List(pl.String))
    yield files[0], items.with_columns(column, title=pl.format("Item {}", "itemid")).lazy()


def _parents(shelf: Shelf) -> dict[str, str | None]:
    tree = shelf.table(_TREE, ("categoryid", "parentid")).select("categoryid", "parentid")
    return dict(tree.collect().iter_rows())


def category_paths(parents: MappingABC[str, str | None]) -> dict[str, tuple[str, ...]]:
    """The way from the root to each category; a circle is cut where it closes."""
    paths = {}
    for category in parents:
        way = [category]
        while (above := parents.get(way[-1])) and above not in way:
            way.append(above)
        paths[category] = tuple(reversed(way))
    return paths


_SETTINGS = DatasetSettings(
    name="Retailrocket",
    terms="CC BY-NC-SA 4.0",
    attribution="Retailrocket recommender system dataset, kaggle.com",
)
_EVENTS = TableMapping(
    files="events.csv",
    columns={
        "user_id": "visitorid",
        "item_id": "itemid",
        "kind": "event",
        "timestamp": "timestamp",
    },
    kinds={"addtocart": "cart", "transaction": "purchase"},
)
_ITEMS = TableMapping(
    files=_PROPERTIES,
    columns={"item_id": "itemid", "title": "title", "categories": "categories"},
)

RETAILROCKET = Preset(
    name="retailrocket",
    origin="kaggle.com/datasets/retailrocket/ecommerce-dataset",
    forms=(
        Form(
            "all files of the archive",
            Mapping(settings=_SETTINGS, items=_ITEMS, events=_EVENTS),
            also=(_TREE,),
            make={"items": _items},
        ),
        Form("events alone", Mapping(settings=_SETTINGS, items_from_events=True, events=_EVENTS)),
    ),
    notes=(
        "An item's category is the last that the properties tell, over the whole time.",
        "Properties other than the category and whether an item is available are hashed in the "
        "files; of all of them only the category is read.",
        "Times are read as UTC; the shop's own zone is not told.",
    ),
    hints={"*.zip": "unpack the archive first"},
)
