"""Amazon reviews, as McAuley's laboratory handed them out in 2014, 2018 and 2023."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import polars as pl

from engine.dataset import DatasetSettings
from engine.ingest.mapping import Condition, Mapping, TableMapping
from engine.ingest.opened import opened
from engine.ingest.presets.preset import Form, Make, Preset
from engine.ingest.presets.shelf import Shelf
from engine.ingest.readers import LINE

_PRODUCTS_AT_ONCE = 50_000
_PRICE = re.compile(r"\d[\d,]*(?:\.\d+)?")
_TEXTS = pl.List(pl.String)
_SCHEMA = pl.Schema(
    [
        (LINE, pl.Int64()),
        ("item_id", pl.String()),
        ("title", pl.String()),
        ("description", pl.String()),
        ("categories", _TEXTS),
        ("brand", pl.String()),
        ("price", pl.Float64()),
        ("image", pl.String()),
        ("images", _TEXTS),
    ]
)
_ITEM_COLUMNS = {name: name for name in _SCHEMA if name != LINE}
_TERMS = "Research use; reviews and pictures belong to their makers and to Amazon."
_CITATIONS = {
    2014: (
        "R. He, J. McAuley. Ups and downs: Modeling the visual evolution of fashion trends with "
        "one-class collaborative filtering. WWW 2016"
    ),
    2018: (
        "J. Ni, J. Li, J. McAuley. Justifying recommendations using distantly-labeled reviews "
        "and fine-grained aspects. EMNLP 2019"
    ),
    2023: (
        "Y. Hou, J. Li, Z. He, A. Yan, X. Chen, J. McAuley. Bridging language and items for "
        "retrieval and recommendation. 2024. arXiv:2403.03952"
    ),
}
_NOTES = (
    "Every review is a rating with its stars; the words of reviews are not read. Files of "
    "ratings alone (CSV) are read where there are no reviews.",
    "'Also bought' and its like are left out: they were counted over the whole time.",
    "A product without a title is called by its id; pictures stay addresses, nothing is fetched.",
)
Product = dict[str, object]


def _products(pattern: str, row_of: Callable[[Product], tuple[object, ...]]) -> Make:
    """Rows of items from files of one product a line, some thousands at a time."""

    def make(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
        for path in shelf.all(pattern):
            rows = _rows(path, row_of)
            while batch := list(islice(rows, _PRODUCTS_AT_ONCE)):
                yield path, pl.DataFrame(batch, schema=_SCHEMA, orient="row").lazy()

    return make


def _rows(
    path: Path, row_of: Callable[[Product], tuple[object, ...]]
) -> Iterator[tuple[object, ...]]:
    """A line that is no product becomes an empty row, which the checks turn away."""
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                product = _parsed(line.decode("utf-8", "replace"))
                told = (None,) * (len(_SCHEMA) - 1) if product is None else row_of(product)
                yield number, *told


def _parsed(line: str) -> Product | None:
    """A line of JSON, or of Python's own notation, which the products of 2014 are written in."""
    for read in (json.loads, ast.literal_eval):
        try:
            product = read(line)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(product, dict):
            return product
    return None


def _row_2014(product: Product) -> tuple[object, ...]:
    paths = _list(product.get("categories"))
    image = _text(product.get("imUrl"))
    item_id = _text(product.get("asin"))
    return (
        item_id,
        _text(product.get("title")) or item_id,
        _text(product.get("description")),
        _texts(paths[0] if paths and isinstance(paths[0], list) else paths),
        _text(product.get("brand")),
        _price(product.get("price")),
        image,
        [],
    )


def _row_2018(product: Product) -> tuple[object, ...]:
    large = _texts(product.get("imageURLHighRes")) or _texts(product.get("imageURL"))
    item_id = _text(product.get("asin"))
    return (
        item_id,
        _text(product.get("title")) or item_id,
        " ".join(_texts(product.get("description"))) or None,
        _texts(product.get("category")) or _texts([product.get("main_cat")]),
        _text(product.get("brand")),
        _price(product.get("price")),
        large[0] if large else None,
        large[1:],
    )


def _row_2023(product: Product) -> tuple[object, ...]:
    shown = [image for image in _list(product.get("images")) if isinstance(image, dict)]
    large = _texts([image.get("large") or image.get("thumb") for image in shown])
    item_id = _text(product.get("parent_asin"))
    return (
        item_id,
        _text(product.get("title")) or item_id,
        " ".join(_texts(product.get("description"))) or None,
        _texts(product.get("categories")) or _texts([product.get("main_category")]),
        _text(product.get("store")),
        _price(product.get("price")),
        large[0] if large else None,
        large[1:],
    )


def _text(value: object) -> str | None:
    return html.unescape(value).strip() or None if isinstance(value, str) else None


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: object) -> list[str]:
    return [text for one in _list(value) if (text := _text(one))]


def _price(value: object) -> float | None:
    """12.99 of "$12.99"; of a range the lower end."""
    found = _PRICE.search(str(value)) if isinstance(value, str | int | float) else None
    return float(found[0].replace(",", "")) if found else None


def _facts(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    facts = shelf.table("amazon_*_attributes.parquet", ("item_id", "attribute_id"))
    yield (
        shelf.one("amazon_*_attributes.parquet"),
        facts.select(
            LINE,
            head=pl.format("item:{}", "item_id"),
            relation=pl.lit("has_attribute"),
            tail=pl.format("attribute {}", "attribute_id"),
        ),
    )


def _settings(year: int) -> DatasetSettings:
    return DatasetSettings(
        name=f"Amazon reviews {year}", currency="USD", terms=_TERMS, attribution=_CITATIONS[year]
    )


def _reviews(files: str, user: str, item: str, stars: str, time: str) -> TableMapping:
    return TableMapping(
        files=files,
        format="jsonl",
        columns={"user_id": user, "item_id": item, "value": stars, "timestamp": time},
        constants={"kind": "rating"},
    )


def _ratings(files: str, *header: str) -> TableMapping:
    """Ratings without their words; the order of the columns differs from year to year.

    Args:
        files: Pattern.
        header: Names of the columns; none where the file's first line tells them.
    """
    swapped = Condition(
        column="parent_asin", matches="^.{11,}$", reason="too long for the id of a product"
    )
    return TableMapping(
        files=files,
        format="csv",
        header=header,
        columns={
            "user_id": "user_id",
            "item_id": "parent_asin",
            "value": "rating",
            "timestamp": "timestamp",
        },
        constants={"kind": "rating"},
        where=(swapped,),
    )


def _forms(
    year: int,
    reviews: TableMapping,
    ratings: TableMapping,
    products: str,
    row_of: Callable[[Product], tuple[object, ...]],
) -> tuple[Form, ...]:
    """Reviews or their ratings, each with the products and alone."""
    page = Condition(column="title", matches="getTime", reason="a page's code for a title")
    items = TableMapping(files=products, columns=_ITEM_COLUMNS, where=(page,))
    settings = _settings(year)
    make = {"items": _products(products, row_of)}
    told = {"reviews": reviews, "ratings": ratings}
    whole = tuple(
        Form(f"{name} and products", Mapping(settings=settings, items=items, events=one), make=make)
        for name, one in told.items()
    )
    alone = tuple(
        Form(f"{name} alone", Mapping(settings=settings, items_from_events=True, events=one))
        for name, one in told.items()
    )
    return whole + alone


_OLD = ("reviewerID", "asin", "overall", "unixReviewTime")
_PACKED = _settings(2014)
_IDS_ONLY = Mapping(
    settings=_PACKED,
    items_from_events=True,
    events=TableMapping(
        files="amazon_*_events.parquet",
        columns={"user_id": "user_id", "item_id": "item_id", "timestamp": "timestamp"},
        constants={"kind": "rating"},
    ),
    triples=TableMapping(
        files="amazon_*_attributes.parquet",
        columns={"head": "head", "relation": "relation", "tail": "tail"},
    ),
)

AMAZON_2014 = Preset(
    name="amazon-2014",
    origin="cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html",
    forms=(
        *_forms(
            2014,
            _reviews("reviews_*.json{,.gz}", *_OLD),
            _ratings("ratings_*.csv{,.gz}", "user_id", "parent_asin", "rating", "timestamp"),
            "meta_*.json{,.gz}",
            _row_2014,
        ),
        Form(
            "5-core as Parquet, ids as numbers",
            _IDS_ONLY,
            optional=frozenset({"triples"}),
            make={"triples": _facts},
        ),
    ),
    notes=_NOTES,
)
AMAZON_2018 = Preset(
    name="amazon-2018",
    origin="nijianmo.github.io/amazon",
    forms=_forms(
        2018,
        _reviews("*.json{,.gz} but not meta_*", *_OLD),
        _ratings("*.csv{,.gz} but not ratings_*", "parent_asin", "user_id", "rating", "timestamp"),
        "meta_*.json{,.gz}",
        _row_2018,
    ),
    notes=_NOTES,
)
AMAZON_2023 = Preset(
    name="amazon-2023",
    origin="amazon-reviews-2023.github.io",
    forms=_forms(
        2023,
        _reviews("*.jsonl{,.gz} but not meta_*", "user_id", "parent_asin", "rating", "timestamp"),
        _ratings("*.csv{,.gz}"),
        "meta_*.jsonl{,.gz}",
        _row_2023,
    ),
    notes=(*_NOTES, "Variants of a product are one item: its parent_asin."),
)
