"""The stranger's pair is what a shop would export, and the same every time."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from benchmarks.compare_cases.stranger import commands, write_pair
from engine.cli import app
from engine.dataset import Dataset

RETAIL = Path(__file__).parents[2] / ".." / "shared" / "data" / "online_retail.parquet"


def test_a_made_up_shop_is_taken_by_the_first_command(tmp_path, monkeypatch):
    pair = write_pair(tmp_path, None, n_events=2_000)
    first, *_ = commands()
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(app, first[1:])

    assert done.exit_code == 0, done.output
    dataset = Dataset.open(tmp_path / "data" / "shop")
    assert len(dataset.events) == 2_000
    assert set(dataset.events["item_id"]) <= set(dataset.items["item_id"])
    assert dataset.events["session_id"].null_count() == 0
    assert (dataset.items["price"] > 0).all()
    assert pair.events.read_text("utf-8").startswith("customer,sku,date,quantity,order_id")


def test_the_same_pair_every_time(tmp_path):
    one, two = (write_pair(_folder(tmp_path / name), None, n_events=500) for name in "ab")
    assert one.events.read_bytes() == two.events.read_bytes()
    assert one.items.read_bytes() == two.items.read_bytes()


def test_real_customers_are_drawn_whole(tmp_path):
    if not RETAIL.is_file():
        pytest.skip("../shared/data/online_retail.parquet is not there")
    pair = write_pair(tmp_path, RETAIL, n_events=20_000)
    orders = pl.read_csv(pair.events, infer_schema=False)
    lines = pl.read_parquet(RETAIL).filter(
        ~pl.col("InvoiceNo").str.starts_with("C"),
        pl.col("StockCode").str.contains(r"^\d{5}"),
        pl.col("UnitPrice").cast(pl.Float64) > 0,
    )
    theirs = lines.group_by(customer=pl.col("CustomerID").str.strip_suffix(".0")).len()
    ours = orders.group_by("customer").len("taken").join(theirs, on="customer")

    assert len(orders) == 20_000
    assert ours.filter(pl.col("taken") != pl.col("len")).height <= 1  # the last one is cut
    assert set(orders["sku"]) <= set(pl.read_csv(pair.items, infer_schema=False)["sku"])


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
