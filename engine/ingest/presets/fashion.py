"""Clothes: Fashion Product Images, and H&M with its purchases."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from pathlib import Path

import polars as pl

from engine.dataset import DatasetSettings
from engine.ingest.mapping import Condition, Mapping, PictureColumn, TableMapping
from engine.ingest.presets.preset import Form, Preset
from engine.ingest.presets.shelf import Shelf, read_table
from engine.ingest.readers import LINE

_FASHION_SETTINGS = DatasetSettings(
    name="Fashion Product Images",
    country="IN",
    terms="MIT, as its publisher states; the pictures show the goods of their brands",
    attribution="Param Aggarwal, Fashion Product Images, kaggle.com",
)


_STYLES = TableMapping(
    files="styles.csv",
    columns={
        "item_id": "id",
        "title": "productDisplayName",
        "categories": ("masterCategory", "subCategory", "articleType"),
        "attributes": ("gender", "baseColour", "season", "year", "usage"),
    },
)
_SHARDS = "{data/,}{train-*,0*}.parquet"
"""As they were uploaded, and as Hugging Face's converter names them."""
_SHARD_COLUMNS = (
    *("id", "productDisplayName", "masterCategory", "subCategory", "articleType"),
    *("gender", "baseColour", "season", "year", "usage"),
)
_FASHION_PARQUET = TableMapping(
    files="fashion*.parquet",
    columns={
        "item_id": "item_id",
        "title": "title",
        "categories": ("master_category", "sub_category", "article_type"),
        "attributes": ("gender", "base_colour", "season", "year", "usage"),
    },
)


def _shards(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    # A year is a float there, and would be the attribute 2011.0.
    year = pl.col("year").cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
    for path in shelf.all(_SHARDS):
        rows = read_table(path, _SHARD_COLUMNS)
        yield path, rows.select(LINE, *_SHARD_COLUMNS).with_columns(year)


FASHION = Preset(
    name="fashion",
    origin="kaggle.com/datasets/paramaggarwal/fashion-product-images-small",
    forms=(
        Form(
            "styles.csv and images/ from Kaggle",
            Mapping(
                settings=_FASHION_SETTINGS, items=_STYLES, picture_files="images/{item_id}.jpg"
            ),
        ),
        Form(
            "Parquet from huggingface.co/datasets/ashraq/fashion-product-images-small",
            Mapping(
                settings=_FASHION_SETTINGS,
                items=_STYLES.model_copy(update={"files": _SHARDS}),
                picture_column=PictureColumn(files=_SHARDS, item_id="id", column="image"),
            ),
            make={"items": _shards},
        ),
        Form(
            "as Parquet, photos in a column",
            Mapping(
                settings=_FASHION_SETTINGS,
                items=_FASHION_PARQUET,
                picture_column=PictureColumn(
                    files="fashion*.parquet", item_id="item_id", column="image"
                ),
            ),
        ),
    ),
    notes=("A catalogue without events: it can be searched, and joined to a shop's own sales.",),
)

_HM_SETTINGS = DatasetSettings(
    name="H&M",
    terms="Non-commercial and academic use (rules of the competition)",
    attribution="H&M Personalized Fashion Recommendations, kaggle.com",
)
_ARTICLE_COLUMNS: MappingABC[str, str | tuple[str, ...]] = {
    "item_id": "article_id",
    "title": "prod_name",
    "description": "detail_desc",
    "categories": ("index_group_name", "product_group_name", "product_type_name"),
    "attributes": (
        "colour_group_name",
        "graphical_appearance_name",
        "garment_group_name",
        "section_name",
        "department_name",
    ),
}
_SALES = TableMapping(
    files="transactions_train.csv",
    columns={
        "user_id": "customer_id",
        "item_id": "article_id",
        "timestamp": "t_dat",
        "session_id": "t_dat",
        "place": "sales_channel_id",
    },
    constants={"kind": "purchase"},
)
_CUSTOMERS = TableMapping(
    files="customers.csv",
    columns={
        "user_id": "customer_id",
        "attributes": ("age", "club_member_status", "fashion_news_frequency"),
    },
    where=(Condition(column="customer_id", missing=True, reason="missing customer"),),
)

HM = Preset(
    name="hm",
    origin="kaggle.com/competitions/h-and-m-personalized-fashion-recommendations/data",
    forms=(
        Form(
            "the competition's files, unpacked",
            Mapping(
                settings=_HM_SETTINGS,
                items=TableMapping(files="articles.csv", columns=_ARTICLE_COLUMNS),
                events=_SALES,
                users=_CUSTOMERS,
                picture_files="images/{item_id:.3}/{item_id}.jpg",
            ),
            optional=frozenset({"users"}),
        ),
        Form(
            "articles alone, as Parquet, photos in a column",
            Mapping(
                settings=_HM_SETTINGS,
                items=TableMapping(files="hm*.parquet", columns=_ARTICLE_COLUMNS),
                picture_column=PictureColumn(
                    files="hm*.parquet", item_id="article_id", column="image"
                ),
            ),
        ),
    ),
    notes=(
        "A purchase has a day, no hour; what one customer bought on a day is one visit.",
        "The place is the sales channel, 1 or 2. Prices are scaled in the file and left out.",
        "Postal codes of customers are left out.",
    ),
    hints={"*.zip": "unpack the archive first"},
)
