"""IKEA: products, and the rooms in which they were photographed together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from engine.dataset import DatasetSettings
from engine.ingest.mapping import Mapping, PictureColumn, TableMapping
from engine.ingest.presets.preset import Form, Preset
from engine.ingest.presets.shelf import Shelf
from engine.ingest.readers import LINE

_PRODUCTS = "{ikea_,}products.{csv,parquet}"
_STANDS_IN = "{ikea_,}room_items.{csv,parquet}"
_ROOMS = "{ikea_,}rooms.{csv,parquet}"


def _items(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    columns = ("item_id", "name", "type", "color", "size", "description")
    products = shelf.table(_PRODUCTS, columns).select(LINE, *columns)
    kind = pl.col("type").str.strip_chars()
    title = pl.concat_str("name", kind.str.to_lowercase(), separator=" ", ignore_nulls=True)
    yield shelf.one(_PRODUCTS), products.with_columns(title=title)


def _facts(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    stands = shelf.table(_STANDS_IN, ("room", "item_id"))
    yield (
        shelf.one(_STANDS_IN),
        stands.select(
            LINE,
            head=pl.format("item:{}", "item_id"),
            relation=pl.lit("stands_in"),
            tail=pl.col("room"),
        ),
    )
    if shelf.all(_ROOMS):
        rooms = shelf.table(_ROOMS, ("room", "room_type"))
        yield (
            shelf.one(_ROOMS),
            rooms.select(
                LINE, head=pl.col("room"), relation=pl.lit("is_a"), tail=pl.col("room_type")
            ),
        )


_MAPPING = Mapping(
    settings=DatasetSettings(
        name="IKEA rooms",
        terms="Non-commercial use only; the pictures are the property of IKEA.com",
        attribution=(
            "I. Tautkute, A. Możejko, W. Stokowiec, T. Trzciński, Ł. Brocki, K. Marasek. What "
            "looks good with my sofa: multimodal search engine for interior design. FedCSIS 2017. "
            "doi.org/10.15439/2017F56"
        ),
    ),
    items=TableMapping(
        files=_PRODUCTS,
        columns={
            "item_id": "item_id",
            "title": "title",
            "description": "description",
            "categories": ("type",),
            "attributes": ("color", "size"),
        },
    ),
    triples=TableMapping(
        files=_STANDS_IN, columns={"head": "head", "relation": "relation", "tail": "tail"}
    ),
)
_PHOTOS = PictureColumn(files="{ikea_,}products.parquet", item_id="item_id", column="image")
_MAKE = {"items": _items, "triples": _facts}
_PICKLES = (
    "its tables are pickles (text_data/*.p), and a pickle can run any code when it is opened, so "
    "none is; write them as CSV: products.csv (item_id, name, type, color, size, description), "
    "room_items.csv (room, item_id) and rooms.csv (room, room_type), beside the folder images/"
)

IKEA = Preset(
    name="ikea",
    origin="github.com/IvonaTau/ikea",
    forms=(
        Form(
            "as Parquet: ikea_products, ikea_room_items and ikea_rooms, photos in a column",
            _MAPPING.model_copy(update={"picture_column": _PHOTOS}),
            also=("{ikea_,}products.parquet",),
            make=_MAKE,
        ),
        Form(
            "as CSV: products, room_items and rooms, photos anywhere in images/",
            _MAPPING.model_copy(update={"picture_files": "images/**/{item_id}.*"}),
            make=_MAKE,
        ),
    ),
    notes=("A catalogue without events: which products stand in which room are triples.",),
    hints={"*.p": _PICKLES, "dataset_description.png": _PICKLES},
)
