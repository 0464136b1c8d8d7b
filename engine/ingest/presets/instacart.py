"""Instacart: three million grocery orders that tell weekdays and gaps, but no dates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl

from engine.dataset import DatasetSettings
from engine.ingest.mapping import Mapping, TableMapping
from engine.ingest.presets.preset import Form, Preset
from engine.ingest.presets.shelf import Shelf, read_table
from engine.ingest.readers import LINE

_FIRST_SUNDAY = datetime(2016, 1, 3)
_LONGEST_GAP_DAYS = 30
"""Longer gaps are written as this."""
_LINES = "order_products__*.csv"
_ORDER_COLUMNS = (
    "order_id",
    "user_id",
    "order_number",
    "order_dow",
    "order_hour_of_day",
    "days_since_prior_order",
)


def order_times(orders: pl.LazyFrame) -> pl.LazyFrame:
    """``order_id``, ``user_id`` and ``at`` of every order, on a made-up calendar.

    A shopper's first order falls into the week of 3 January 2016, on its weekday; each later one
    follows after its gap. Gaps are cut at 30 days: such a one is lengthened to the next day
    that has the right weekday.

    Args:
        orders: Columns of ``orders.csv``, as text.
    """
    day, gap = pl.col("order_dow").cast(pl.Int64), pl.col("gap")
    extra = pl.when(gap == _LONGEST_GAP_DAYS).then((day - day.shift() - gap) % 7).otherwise(0)
    first = pl.col("order_number").cast(pl.Int64) == pl.col("order_number").cast(pl.Int64).min()
    days = pl.when(first).then(day).otherwise(gap + extra)
    return (
        orders.with_columns(
            gap=pl.col("days_since_prior_order").cast(pl.Float64, strict=False).cast(pl.Int64)
        )
        .sort("user_id", pl.col("order_number").cast(pl.Int64))
        .with_columns(days.over("user_id").alias("days"))
        .select(
            "order_id",
            "user_id",
            at=pl.lit(_FIRST_SUNDAY)
            + pl.duration(
                days=pl.col("days").cum_sum().over("user_id"),
                hours=pl.col("order_hour_of_day").cast(pl.Int64, strict=False),
            ),
        )
    )


def _events(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    times = order_times(shelf.table("orders.csv", _ORDER_COLUMNS))
    columns = ("order_id", "product_id", "add_to_cart_order")
    place = pl.col("add_to_cart_order").cast(pl.Int64, strict=False)
    for path in shelf.all(_LINES):
        bought = read_table(path, columns).select(LINE, *columns)
        dated = bought.join(times, on="order_id", how="left", maintain_order="left")
        yield path, dated.with_columns(at=pl.col("at") + pl.duration(seconds=place))


def _items(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    products = shelf.table(
        "products.csv", ("product_id", "product_name", "aisle_id", "department_id")
    )
    for name in ("aisle", "department"):
        table = shelf.table(f"{name}s.csv", (f"{name}_id", name)).drop(LINE)
        products = products.join(table, on=f"{name}_id", how="left", maintain_order="left")
    yield shelf.one("products.csv"), products


INSTACART = Preset(
    name="instacart",
    origin="kaggle.com/competitions/instacart-market-basket-analysis/data",
    forms=(
        Form(
            "all files of the archive",
            Mapping(
                settings=DatasetSettings(
                    name="Instacart",
                    country="US",
                    terms="Instacart's Dataset Usage Terms and Conditions: non-commercial use",
                    attribution=(
                        "The Instacart Online Grocery Shopping Dataset 2017, "
                        "instacart.com/datasets/grocery-shopping-2017"
                    ),
                ),
                items=TableMapping(
                    files="products.csv",
                    columns={
                        "item_id": "product_id",
                        "title": "product_name",
                        "categories": ("department", "aisle"),
                    },
                ),
                events=TableMapping(
                    files=_LINES,
                    columns={
                        "user_id": "user_id",
                        "item_id": "product_id",
                        "timestamp": "at",
                        "session_id": "order_id",
                    },
                    constants={"kind": "purchase"},
                ),
            ),
            also=("orders.csv", "aisles.csv", "departments.csv"),
            make={"items": _items, "events": _events},
        ),
    ),
    notes=(
        "The files tell no dates: every shopper's first order is put into the week of "
        "3 January 2016 and the gaps are added, so weekdays, hours and gaps are the shopper's, "
        "but holidays and seasons mean nothing.",
        "Weekday 0 is taken as Sunday; gaps of 30 days may be longer.",
    ),
    hints={"*.zip": "unpack the archive first"},
)
