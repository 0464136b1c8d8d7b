"""Columns of a dataset that tell what is yet to come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from engine.dataset import Dataset

MIN_ROWS = 10
"""Items or users that a feature must tell the future of before it is suspected."""
MIN_SHARE = 0.9
"""Share of those whose value must be the count of all events."""


def offers_made_from_sales(dataset: Dataset, cut: datetime) -> int:
    """Offers from a cut on that begin at the very second of a sale of their item, where they run.

    That an offer is known before it starts is no leak: shops plan them. One that was written down
    from a sale tells of the sale. Offers that start on the hour are planned, whatever sells then.
    """
    start = pl.col("starts_at")
    on_the_hour = (start.dt.epoch("s") % 3600) == 0
    offers = dataset.offers.filter((start >= cut) & ~on_the_hour).with_row_index("offer")
    sales = dataset.events.filter(pl.col("timestamp") >= cut)
    met = offers.join(
        sales.select("item_id", starts_at="timestamp", sold_at="place"), on=["item_id", "starts_at"]
    )
    here = pl.col("place").is_null() | (pl.col("place") == pl.col("sold_at"))
    return met.filter(here)["offer"].n_unique()


def features_of_the_future(dataset: Dataset, cut: datetime) -> tuple[list[str], int]:
    """Attributes of items and users that count events, or average their values, past a cut.

    A feature is suspected when, for nearly all whose figure changed after the cut, it is the
    figure of all events and not that of those before.

    Returns:
        Names of the suspected ones, and how many attributes are numbers.
    """
    suspected: list[str] = []
    n_looked = 0
    for table, id_ in ((dataset.items, "item_id"), (dataset.users, "user_id")):
        values = _numbers(table, id_)
        n_looked += values["key"].n_unique()
        counted = _figures(dataset.events, id_).join(
            _figures(dataset.events.filter(pl.col("timestamp") < cut), id_),
            on=[id_, "figure"],
            how="left",
            suffix="_before",
        )
        suspected += _suspected(values.join(counted, on=id_))
    return suspected, n_looked


def _numbers(table: pl.DataFrame, id_: str) -> pl.DataFrame:
    """Id, key, number and digits after the point, of attributes that are numbers."""
    pairs = table.select(id_, "attributes").explode("attributes").unnest("attributes")
    text = pl.col("value").str.replace_all(",", "")
    digits = text.str.split(".").list.get(1, null_on_oob=True).str.len_chars().fill_null(0)
    numbers = pairs.select(id_, "key", number=text.cast(pl.Float64, strict=False), digits=digits)
    return numbers.drop_nulls("number")


def _figures(events: pl.DataFrame, id_: str) -> pl.DataFrame:
    """Id, which figure, and its value: events, distinct users or items, mean value."""
    other = "user_id" if id_ == "item_id" else "item_id"
    wide = events.group_by(id_).agg(
        events=pl.len().cast(pl.Float64),
        others=pl.col(other).n_unique().cast(pl.Float64),
        mean=pl.col("value").mean(),
    )
    return wide.unpivot(index=id_, variable_name="figure", value_name="value")


def _suspected(joined: pl.DataFrame) -> Iterator[str]:
    # A figure is written with as many digits as the attribute has.
    unit = pl.lit(10.0).pow(-pl.col("digits").cast(pl.Float64))
    half = 0.5000001 * unit
    near_all = (pl.col("number") - pl.col("value")).abs() <= half
    near_before = ((pl.col("number") - pl.col("value_before")).abs() <= half).fill_null(value=False)
    apart = (pl.col("value") - pl.col("value_before")).abs() > 0.9999 * unit
    told = (
        joined.filter(apart.fill_null(value=True))
        .group_by("key", "figure")
        .agg(rows=pl.len(), share=(near_all & ~near_before).mean())
        .filter((pl.col("rows") >= MIN_ROWS) & (pl.col("share") >= MIN_SHARE))
    )
    yield from told["key"].unique().sort()
