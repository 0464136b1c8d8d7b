"""Shops whose past events tell of their scene: dress rentals by occasion, gifts by country."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from engine.config import EngineConfig
from engine.dataset import Dataset, DatasetSettings, write_dataset
from engine.ingest import Mapping, ingest
from graph import GraphConfig
from retrieval.rerank.config import CandidateConfig, RerankConfig

RENTALS_FILE, INVOICES_FILE = "rent_the_runway.parquet", "online_retail.parquet"
DRESSES_ZONE = "America/New_York"
RENTING_USERS = 40_000
"""Of 105,571, drawn by a seed."""
INVOICES_MAPPING = Path(__file__).parents[2] / "examples" / "online_retail.yaml"
SMALL = RerankConfig(
    width=32, hidden=64, layers=1, history=32, epochs=3, averaging=0.98, weeks=8, max_requests=3_000
)
"""A fraction of the demo's network and requests: only the difference matters here."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A data set with scenes, and the moment that parts learning from asking."""

    name: str
    scene: str
    """What its events tell."""
    dataset: Dataset
    config: EngineConfig
    as_of_unix_s: int
    max_requests: int
    """Users that are asked about, at most; drawn by a seed."""


def dresses(data: Path, folder: Path) -> Shop:
    """Rent the Runway, some of its users: who rented which dress when, for which occasion."""
    rented = pl.read_parquet(data / RENTALS_FILE).with_columns(
        pl.col("user_id", "item_id", "rented_for", "category").cast(pl.String),
        at=pl.col("review_date").dt.replace_time_zone(DRESSES_ZONE),
    )
    users = rented["user_id"].unique().sort().sample(RENTING_USERS, seed=0)
    rented = rented.filter(pl.col("user_id").is_in(users.implode()))
    events = rented.select(
        "user_id",
        "item_id",
        pl.lit("purchase").alias("kind"),
        timestamp=pl.col("at"),
        # Reviews have days alone: what was rented on one day for one occasion was one visit.
        session_id=pl.concat_str("review_date", "rented_for", separator=" ", ignore_nulls=True),
        occasion=pl.col("rented_for"),
    )
    items = rented.group_by("item_id").agg(pl.col("category").mode().sort().first()).sort("item_id")
    items = items.select(
        "item_id",
        title=pl.col("category").str.to_titlecase(),
        categories=pl.concat_list("category"),
    )
    settings = DatasetSettings(name="Rent the Runway", time_zone=DRESSES_ZONE, country="US")
    config = EngineConfig(
        min_users=5,
        graph=GraphConfig(width=32, epochs=3, half_life_days=720),
        candidates=CandidateConfig(scene=200, popular=150, week=100, category=100),
        rerank=SMALL.model_copy(update={"history": 16}),
    )
    moment = _day(2017, 10, 1, DRESSES_ZONE)
    dataset = write_dataset(folder, settings, items=items, events=events)
    return Shop("Rent the Runway", "occasion, season", dataset, config, moment, 2_500)


def rated_dresses(data: Path, folder: Path) -> Shop:
    """The same rentals, and what each dress was worth to who rented it: a second task."""
    plain = dresses(data, folder / "plain")
    rated = pl.read_parquet(data / RENTALS_FILE).select(
        pl.col("user_id", "item_id").cast(pl.String),
        pl.lit("rating").alias("kind"),
        timestamp=_at_utc(),
        session_id=pl.concat_str("review_date", "rented_for", separator=" ", ignore_nulls=True),
        occasion=pl.col("rented_for").cast(pl.String),
        value=pl.col("rating") / 2,
    )
    events = plain.dataset.events
    rated = rated.filter(
        pl.col("user_id").is_in(events["user_id"].unique().implode()), pl.col("value").is_not_null()
    )
    both = pl.concat([events, rated], how="diagonal_relaxed").sort("timestamp", maintain_order=True)
    dataset = write_dataset(
        folder / "rated", plain.dataset.settings, items=plain.dataset.items, events=both
    )
    return replace(plain, name="Rent the Runway, rated", dataset=dataset)


def gifts(data: Path, folder: Path) -> Shop:
    """UCI Online Retail: invoices to the minute, with the customer's country."""
    mapping = Mapping.open(INVOICES_MAPPING).with_files({"events": data / INVOICES_FILE})
    ingest(mapping, folder)
    config = EngineConfig(min_users=5, rerank=SMALL)
    moment = _day(2011, 11, 12, mapping.settings.time_zone)
    scene = "country, calendar"
    return Shop("UCI Online Retail", scene, Dataset.open(folder), config, moment, 2_500)


def _at_utc() -> pl.Expr:
    return pl.col("review_date").dt.replace_time_zone(DRESSES_ZONE).dt.convert_time_zone("UTC")


def _day(year: int, month: int, day: int, zone: str) -> int:
    return int(datetime(year, month, day, tzinfo=ZoneInfo(zone)).timestamp())
