"""Complete Journey, a grocer's year of 2017, as a dataset.

Households are users, products are items, every line of a receipt is a purchase; displays,
mailers and coupons are offers. What the data is and under which terms: :mod:`engine.demo.terms`.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import polars as pl

from engine.dataset import Dataset, DatasetSettings, write_dataset
from engine.demo import pictures, terms
from engine.demo.grocery_titles import with_titles
from engine.demo.offers import coupon_offers, promotion_offers, week_starts
from engine.demo.source import TIME_ZONE, item_id, place_id, scan, user_id
from engine.errors import DataError

Progress = Callable[[str], None]

_PAIRS = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
_FUEL = "GASOLINE-REG UNLEADED"
_FUEL_UNITS_PER_GALLON = 1000
_BRANDS = {"Private": "Store brand", "National": "National brand"}


def complete_journey(
    folder: str | os.PathLike[str],
    *,
    households: int | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Dataset:
    """Write the Complete Journey as a dataset into a folder, pictures included, and open it.

    Args:
        folder: Where the dataset goes; an older one is replaced.
        households: Take only so many households, those of a few stores drawn at random, with
            the products that they bought and the offers of those in these stores. None takes
            all, and the products that were only promoted too.
        seed: Of the draw; the same seed gives the same dataset.
        on_progress: Called with a line before each step.

    Raises:
        MissingExtraError: A package of the extra ``demo`` is not installed.
        DataError: ``households`` is not between 1 and the number there are, or the package's
            tables are not what is expected.
    """
    say = on_progress or (lambda _: None)
    say("reading the transactions")
    transactions = scan("transactions").with_row_index("line", offset=1).collect()
    weeks = week_starts(transactions)
    stores = transactions["store_id"].unique().sort()
    if households is not None:
        transactions, stores = _sample(transactions, households, seed)
    products = scan("products").collect()
    known = products["product_id"].implode()
    sold = transactions.filter(pl.col("product_id").is_in(known)).with_columns(_quantity(products))
    say("naming the products and choosing their pictures")
    kept = _kept_products(sold, products, with_promoted=households is None)
    items = item_table(with_titles(products), sold, kept)
    pictures.write_pictures(folder, items["image"].str.extract(r"/(.+)\.svg$").to_list())
    say("merging the promotions")
    offers = pl.concat(
        [promotion_offers(scan("promotions"), weeks, kept, stores), coupon_offers(kept)]
    )
    say("writing the dataset")
    return write_dataset(
        folder,
        settings(),
        items=items,
        events=event_table(sold),
        users=user_table(sold),
        triples=triple_table(items, products),
        offers=offers,
        rejects=_rejects(transactions, known),
    )


def settings() -> DatasetSettings:
    """What holds for the whole dataset: zone, currency, terms and whom to name."""
    return DatasetSettings(
        name=terms.NAME,
        time_zone=TIME_ZONE,
        country="US",
        currency="USD",
        terms=terms.TERMS,
        attribution=terms.ATTRIBUTION,
        pictures=pictures.FOLDER,
    )


def item_table(titled: pl.DataFrame, sold: pl.DataFrame, kept: pl.Series) -> pl.DataFrame:
    """The ``items`` table.

    Args:
        titled: The product table with titles, see :func:`with_titles`.
        sold: Transactions with ``quantity`` in units of sale.
        kept: Product ids that become items, in order.
    """
    chosen = kept.to_frame("product_id").join(titled, on="product_id", maintain_order="left")
    chosen = chosen.join(_prices(sold), on="product_id", how="left", maintain_order="left")
    size = pl.struct(pl.lit("package_size").alias("key"), pl.col("size").alias("value"))
    has_size = pl.col("size").is_not_null()
    return chosen.select(
        item_id(pl.col("product_id")).alias("item_id"),
        "title",
        "categories",
        pl.col("brand").replace_strict(_BRANDS).alias("brand"),
        "price",
        pl.when(pl.col("price").is_not_null()).then(pl.lit("USD")).alias("currency"),
        _images(chosen["categories"]).alias("image"),
        pl.when(has_size)
        .then(pl.concat_list(size))
        .otherwise(pl.lit([], dtype=_PAIRS))
        .alias("attributes"),
    )


def event_table(sold: pl.DataFrame) -> pl.DataFrame:
    """The ``events`` table: one purchase for each line of a receipt, in the package's order."""
    return sold.select(
        user_id(pl.col("household_id")).alias("user_id"),
        item_id(pl.col("product_id")).alias("item_id"),
        pl.lit("purchase").alias("kind"),
        pl.col("transaction_timestamp")
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
        .alias("timestamp"),
        pl.col("quantity").alias("value"),
        pl.format("basket-{}", pl.col("basket_id")).alias("session_id"),
        place_id(pl.col("store_id")).alias("place"),
    )


def user_table(sold: pl.DataFrame) -> pl.DataFrame:
    """The ``users`` table: every household, with its demographics where they are known."""
    demographics = scan("demographics").collect()
    facts = demographics.unpivot(
        index="household_id", variable_name="key", value_name="value"
    ).drop_nulls("value")
    attributes = facts.group_by("household_id", maintain_order=True).agg(
        pl.struct("key", "value").alias("attributes")
    )
    households = sold.select(pl.col("household_id").unique().sort())
    return households.join(attributes, on="household_id", how="left", maintain_order="left").select(
        user_id(pl.col("household_id")).alias("user_id"),
        pl.col("attributes").fill_null(pl.lit([], dtype=_PAIRS)),
    )


def triple_table(items: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """The ``triples`` table: who makes an item (``made_by``) and in which size (``has_size``)."""
    makers = products.select(
        item_id(pl.col("product_id")).alias("head"),
        pl.lit("made_by").alias("relation"),
        pl.format("manufacturer {}", pl.col("manufacturer_id")).alias("tail"),
    ).join(items, left_on="head", right_on="item_id", how="semi", maintain_order="left")
    sizes = (
        items.explode("attributes")
        .drop_nulls("attributes")
        .select(
            pl.col("item_id").alias("head"),
            pl.lit("has_size").alias("relation"),
            pl.format("size {}", pl.col("attributes").struct.field("value")).alias("tail"),
        )
    )
    return pl.concat([makers, sizes]).with_columns(weight=pl.lit(1.0))


def _sample(
    transactions: pl.DataFrame, households: int, seed: int
) -> tuple[pl.DataFrame, pl.Series]:
    """The transactions of neighbours: whole stores, drawn one by one, until it is enough.

    Returns:
        The transactions, and the stores (int64) where these households buy most.
    """
    visits = transactions.group_by("household_id", "store_id").len()
    home = visits.sort("household_id", "len", "store_id", descending=[False, True, False])
    home = home.unique("household_id", keep="first", maintain_order=True)
    if not 1 <= households <= len(home):
        raise DataError(f"households is {households}, expected 1 to {len(home)}")
    drawn = home[np.random.default_rng(seed).permutation(len(home))].with_row_index("turn")
    by_store = drawn.sort(pl.col("turn").min().over("store_id"), maintain_order=True)
    neighbours = by_store.head(households)
    wanted = pl.col("household_id").is_in(neighbours["household_id"].implode())
    return transactions.filter(wanted), neighbours["store_id"].unique().sort()


def _quantity(products: pl.DataFrame) -> pl.Expr:
    """Units of sale as float64; null where the till does not say.

    It counts fuel in thousandths of a gallon, but a sum paid in advance as one piece.
    """
    fuel = products.filter(pl.col("product_type") == _FUEL)["product_id"].implode()
    gallons = pl.col("quantity") / _FUEL_UNITS_PER_GALLON
    paid_in_advance = pl.col("quantity") == 1
    return (
        pl.when(~pl.col("product_id").is_in(fuel))
        .then(pl.col("quantity").cast(pl.Float64))
        .when(~paid_in_advance)
        .then(gallons)
        .alias("quantity")
    )


def _kept_products(sold: pl.DataFrame, products: pl.DataFrame, *, with_promoted: bool) -> pl.Series:
    ids = [sold["product_id"].unique()]
    if with_promoted:
        promoted = scan("promotions").select(pl.col("product_id").unique()).collect()
        ids.append(promoted["product_id"])
    wanted = pl.concat(ids).implode()
    return products.filter(pl.col("product_id").is_in(wanted))["product_id"].sort()


def _prices(sold: pl.DataFrame) -> pl.DataFrame:
    """Median price on the shelf, before the shop's own discounts, to the cent."""
    paid = pl.col("sales_value") + pl.col("retail_disc") + pl.col("coupon_match_disc")
    unit_price = (paid / pl.col("quantity")).median().round(2).alias("price")
    sales = sold.filter((pl.col("quantity") > 0) & (paid > 0))
    return sales.group_by("product_id").agg(unit_price).filter(pl.col("price") > 0)


def _images(categories: pl.Series) -> pl.Series:
    """A picture path for each category path, each distinct path looked up once."""
    keys = pl.select(categories.list.join("\n")).to_series()
    known = {
        key: pictures.picture_path(pictures.picture_for(key.split("\n"))) for key in keys.unique()
    }
    return keys.replace_strict(known, return_dtype=pl.String)


def _rejects(transactions: pl.DataFrame, known: pl.Series) -> pl.DataFrame:
    unknown = transactions.filter(~pl.col("product_id").is_in(known))
    return unknown.select(
        pl.lit("events").alias("table"),
        pl.lit("transactions.parquet").alias("file"),
        pl.col("line").cast(pl.Int64),
        pl.lit("product is not in the products table").alias("reason"),
        pl.col("product_id").cast(pl.String).alias("value"),
    )
