"""A stranger's CSV pair, from nothing to a report, by the three commands that the README names.

    python -m benchmarks.compare_cases.stranger [FOLDER]

The pair is what a shop exports: one file of products, one of order lines, under the shop's own
column names. It is cut from UCI Online Retail where that file lies in ``../shared/data`` (whole
customers, so that their histories stay whole), and made up by a seed elsewhere.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

SOURCE = Path("../shared/data/online_retail.parquet")
N_EVENTS, SEED = 100_000, 0
N_MADE_UP_USERS, N_MADE_UP_ITEMS, N_AISLES, WEEKS = 2_000, 2_000, 20, 40
COLOURS = ("red", "blue", "green", "white", "black", "pink", "grey", "cream", "gold", "silver")
THINGS = (
    *("mug", "plate", "bowl", "lamp", "candle", "frame", "clock", "vase", "basket", "cushion"),
    *("towel", "apron", "tray", "spoon", "teapot", "blanket", "notebook", "pencil", "bag", "box"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files."""

    items: Path
    events: Path


def measure_stranger(folder: Path) -> float:
    """Minutes from the two files to the report, on this machine as it is.

    Args:
        folder: Where files, dataset, run and report go; what lies there is overwritten.

    Raises:
        CalledProcessError: One of the commands failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_pair(folder, SOURCE if SOURCE.is_file() else None)
    started = time.perf_counter()
    for command in commands():
        began, spent = time.perf_counter(), _cpu_seconds()
        subprocess.run(command, cwd=folder, check=True)
        took, worked = time.perf_counter() - began, _cpu_seconds() - spent
        print(f"{command[1]}: {took:.0f} s, of the processors {worked:.0f} s", flush=True)
    return (time.perf_counter() - started) / 60


def commands() -> Iterator[list[str]]:
    """What the stranger types, in the folder of the two files."""
    vitrine = str(Path(sys.executable).with_name("vitrine"))
    files = ["--items", "products.csv", "--events", "orders.csv", "--kind", "purchase"]
    yield [vitrine, "ingest", "data/shop", *files]
    yield [vitrine, "train", "data/shop", "runs/shop", "--hold-out-weeks", "4"]
    yield [vitrine, "evaluate", "data/shop", "runs/shop", "--report", "report.html"]


def write_pair(folder: Path, source: Path | None, n_events: int = N_EVENTS) -> Pair:
    """Write ``products.csv`` and ``orders.csv``.

    Args:
        folder: Where they go.
        source: The Online Retail file; None makes a shop up.
        n_events: Order lines.
    """
    orders, products = _retail(source, n_events) if source else _made_up(n_events)
    pair = Pair(folder / "products.csv", folder / "orders.csv")
    products.write_csv(pair.items)
    orders.write_csv(pair.events)
    return pair


def _cpu_seconds() -> float:
    """What all commands so far took of the processors: a busy machine does not change it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _retail(source: Path, n_events: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Customers drawn whole until they have lines enough; the last one may be cut."""
    lines = pl.read_parquet(source).filter(
        pl.col("CustomerID").is_not_null(),
        ~pl.col("InvoiceNo").str.starts_with("C"),
        pl.col("StockCode").str.contains(r"^\d{5}"),
        pl.col("UnitPrice").cast(pl.Float64) > 0,
    )
    customers = lines["CustomerID"].unique().sort()
    drawn = np.random.default_rng(SEED).permutation(len(customers))
    turn = pl.DataFrame({"CustomerID": customers[drawn], "turn": np.arange(len(drawn))})
    kept = lines.join(turn, on="CustomerID").sort("turn", maintain_order=True).head(n_events)
    orders = kept.sort("InvoiceDate", maintain_order=True).select(
        customer=pl.col("CustomerID").str.strip_suffix(".0"),
        sku=pl.col("StockCode").str.to_uppercase(),
        date="InvoiceDate",
        quantity="Quantity",
        order_id="InvoiceNo",
        store="Country",
    )
    products = (
        kept.sort("InvoiceDate", maintain_order=True)
        .group_by(sku=pl.col("StockCode").str.to_uppercase(), maintain_order=True)
        .agg(name=pl.col("Description").drop_nulls().last(), unit_price=pl.col("UnitPrice").last())
    )
    return orders, products.filter(pl.col("name").is_not_null())


def _made_up(n_events: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Customers with an aisle and a few habits of their own; some things sell more than others."""
    rng = np.random.default_rng(SEED)
    aisle_of = rng.integers(0, N_AISLES, N_MADE_UP_ITEMS)
    user = np.sort(rng.integers(0, N_MADE_UP_USERS, n_events))
    visit = rng.integers(0, WEEKS, n_events)
    habit = rng.integers(0, N_MADE_UP_ITEMS, (N_MADE_UP_USERS, 8))
    popular = np.minimum(rng.zipf(1.3, n_events) - 1, N_MADE_UP_ITEMS - 1)
    own = habit[user, rng.integers(0, 8, n_events)]
    item = np.where(rng.random(n_events) < 0.5, own, popular)
    second = visit * 7 * 86_400 + user % 7 * 86_400 + (9 + user % 10) * 3600
    orders = pl.DataFrame(
        {
            "customer": [f"c{u}" for u in user],
            "sku": [f"p{i:04d}" for i in item],
            "date": pl.from_epoch(pl.Series(1_704_067_200 + second)).dt.to_string("%Y-%m-%d %H:%M"),
            "quantity": rng.integers(1, 4, n_events),
            "order_id": [f"{u}-{v}" for u, v in zip(user, visit, strict=True)],
        }
    )
    names = (
        f"{COLOURS[i % len(COLOURS)]} {THINGS[i // len(COLOURS) % len(THINGS)]} no. {i}"
        for i in range(N_MADE_UP_ITEMS)
    )
    products = pl.DataFrame(
        {
            "sku": [f"p{i:04d}" for i in range(N_MADE_UP_ITEMS)],
            "name": list(names),
            "category": [f"Aisle {a}" for a in aisle_of],
            "unit_price": rng.uniform(1, 40, N_MADE_UP_ITEMS).round(2),
        }
    )
    return orders.sort("date", maintain_order=True), products


def main() -> None:
    """Measure, and print the minutes."""
    if len(sys.argv) > 1:
        print(f"{measure_stranger(Path(sys.argv[1])):.1f} minutes")
        return
    with TemporaryDirectory() as folder:
        print(f"{measure_stranger(Path(folder)):.1f} minutes")


if __name__ == "__main__":
    main()
