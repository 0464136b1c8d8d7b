"""Half a million real invoice lines, blemishes and all."""

from pathlib import Path

import polars as pl
import pytest

from engine.dataset import Dataset
from engine.ingest import Mapping, ingest
from engine.vocabulary import Vocabulary, load_interactions

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".." / "shared" / "data" / "online_retail.parquet"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    if not FILE.is_file():
        pytest.skip(f"needs {FILE.name} in shared/data, which is not part of the project")
    folder = tmp_path_factory.mktemp("online_retail")
    mapping = Mapping.open(ROOT / "examples" / "online_retail.yaml")
    report = ingest(mapping, folder / "dataset", files={"events": FILE})
    return report, Dataset.open(folder / "dataset")


def test_the_account_agrees_with_a_count_of_its_own(shop):
    report, _ = shop
    raw = pl.read_parquet(FILE)
    cancelled = raw["InvoiceNo"].str.starts_with("C")
    nobody = raw["CustomerID"].is_null()
    events = report.table("events")
    counts = {count.reason: count.rows for count in events.reasons}
    assert events.read == 541_909 == events.kept + events.rejected
    assert counts["cancelled invoice"] == cancelled.sum()
    assert counts["missing customer"] == (nobody & ~cancelled).sum()
    assert counts["not a product"] == 1_554
    assert counts["price at or below zero"] == 33
    assert sum(counts.values()) == events.rejected == 145_572


def test_a_reject_names_the_row_of_the_file(shop):
    _, dataset = shop
    raw = pl.read_parquet(FILE)
    rejects = pl.read_parquet(dataset.folder / "rejects.parquet")
    assert rejects["line"].is_unique().all()
    postage = rejects.filter(pl.col("reason") == "not a product").head(50)
    codes = raw["StockCode"].gather(postage["line"].cast(pl.UInt32) - 1)
    assert codes.to_list() == postage["value"].to_list()


def test_what_is_kept_reads_well(shop):
    _, dataset = shop
    items = dict(dataset.items.select("item_id", "title").iter_rows())
    assert items["85123A"] == "White Hanging Heart T-Light Holder"
    assert "85123a" not in items
    assert not {"POST", "DOT", "M", "C2", "BANK CHARGES"} & items.keys()
    assert dataset.events["user_id"].str.contains(r"^\d{5}$").all()
    summer = dataset.events.filter(pl.col("session_id") == "555200")["timestamp"]
    raw = pl.read_parquet(FILE).filter(pl.col("InvoiceNo") == "555200")["InvoiceDate"]
    told = summer.dt.convert_time_zone("Europe/London").dt.strftime("%Y-%m-%d %H:%M:%S")
    assert set(told) == set(raw)


def test_its_interactions_keep_every_event(shop):
    report, dataset = shop
    vocabulary = Vocabulary.of(dataset)
    found = load_interactions(dataset, vocabulary)
    assert len(found) == report.table("events").kept
    baskets = dataset.events.select("user_id", "session_id").n_unique()
    assert len(set(found.session.tolist())) == baskets
