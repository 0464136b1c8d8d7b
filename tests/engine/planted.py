"""A planted shop: two tastes, a weekly habit per user, two places, offers; words, no pictures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from engine.artifacts import Manifest
from engine.build import build
from engine.config import EngineConfig
from engine.dataset import Dataset, DatasetSettings, write_dataset
from engine.stages import Reporter
from graph import GraphConfig
from retrieval.rerank.config import RerankConfig

ZONE = ZoneInfo("Europe/Berlin")
FIRST_MONDAY = datetime(2024, 1, 1, tzinfo=ZONE)
WEEKS_BEFORE, WEEKS_AFTER = 14, 3
CUT = FIRST_MONDAY + timedelta(weeks=WEEKS_BEFORE)
"""Monday 8 April 2024, a week after the clocks changed."""
CUT_UNIX_S = int(CUT.timestamp())

N_USERS, N_ITEMS = 30, 60
BLOCK_SIZE = N_ITEMS // 2
HABIT = 2
"""Items that a user takes in every visit; three more come at random from the user's block."""
KITCHEN = "apple bread butter cheese milk rice pasta tomato onion carrot pepper garlic lemon orange"
KITCHEN += " banana yogurt honey flour sugar coffee tea juice water cereal salmon chicken beef pork"
KITCHEN += " spinach beans"
GARDEN = "spade rake hose lawnmower trowel bucket gloves seeds compost fence ladder hammer nails"
GARDEN += " screws paint brush roller varnish drill saw pliers wrench bolt hinge shovel wheelbarrow"
GARDEN += " shears pot trellis mulch"
SHELVES = ("fresh", "dry", "cold")
PLACES = ("north", "south")

CONFIG = EngineConfig(
    graph=GraphConfig(width=16, epochs=2, batch_size=1024, n_negatives=32),
    rerank=RerankConfig(
        width=16, hidden=32, layers=1, history=24, weeks=6, epochs=3, batch_size=16, negatives=40
    ),
)


def user_id(user: int) -> str:
    return f"user-{user:02d}"


def item_id(item: int) -> str:
    return f"item-{item:02d}"


def block_of(user: int) -> int:
    """Taste of a user: 0 cooks, 1 gardens."""
    return user % 2


def block_of_item(item_id: str) -> int:
    return int(item_id.removeprefix("item-")) // BLOCK_SIZE


def habit_of(user: int) -> set[str]:
    """What a user takes every week."""
    first = block_of(user) * BLOCK_SIZE + (user // 2 * HABIT) % BLOCK_SIZE
    return {item_id(first + i) for i in range(HABIT)}


def visit_of(user: int, week: int) -> datetime:
    """When a user comes: a weekday and an hour of their own, every week."""
    return FIRST_MONDAY + timedelta(weeks=week, days=user % 7, hours=9 + user % 3 * 4)


def place_of(user: int) -> str:
    return PLACES[user // 2 % 2]


def events(seed: int = 0) -> pl.DataFrame:
    """Visits of all weeks; the random items of a seed are the same up to any week."""
    rng = np.random.default_rng(seed)
    rows = []
    for week in range(WEEKS_BEFORE + WEEKS_AFTER):
        for user in range(N_USERS):
            block = block_of(user) * BLOCK_SIZE
            drawn = {item_id(block + int(i)) for i in rng.choice(BLOCK_SIZE, 3, replace=False)}
            for n, item in enumerate(sorted(habit_of(user) | drawn)):
                rows.append(
                    {
                        "user_id": user_id(user),
                        "item_id": item,
                        "kind": "purchase",
                        "timestamp": visit_of(user, week).astimezone(UTC) + timedelta(minutes=n),
                        "value": 1.0 + n % 2,
                        "session_id": f"visit-{week}",
                        "place": place_of(user),
                    }
                )
    return pl.DataFrame(rows)


def items() -> pl.DataFrame:
    titles = [*KITCHEN.split(), *GARDEN.split()]
    departments = ["Kitchen"] * BLOCK_SIZE + ["Garden"] * BLOCK_SIZE
    return pl.DataFrame(
        {
            "item_id": [item_id(i) for i in range(N_ITEMS)],
            "title": [title.title() for title in titles],
            "categories": [
                [department, f"{department} {SHELVES[i % len(SHELVES)]}"]
                for i, department in enumerate(departments)
            ],
            "brand": [None if i % 4 == 0 else f"Brand {i % 4}" for i in range(N_ITEMS)],
            "price": [1.0 + i for i in range(N_ITEMS)],
        }
    )


def offers() -> pl.DataFrame:
    """Two items on offer around the cut, one of them in the north alone."""
    return pl.DataFrame(
        {
            "item_id": [item_id(3), item_id(BLOCK_SIZE + 3)],
            "starts_at": [CUT - timedelta(weeks=2)] * 2,
            "ends_at": [CUT + timedelta(weeks=2)] * 2,
            "place": [None, "north"],
            "kind": ["discount", "display"],
        },
        schema_overrides={"place": pl.String},
    ).with_columns(pl.col("starts_at", "ends_at").dt.convert_time_zone("UTC"))


def write_shop(folder: Path, taken: pl.DataFrame | None = None) -> Dataset:
    """The shop's dataset, with other events if some are given."""
    settings = DatasetSettings(name="Planted", time_zone=str(ZONE), country="DE")
    taken = events() if taken is None else taken
    return write_dataset(folder, settings, items=items(), events=taken, offers=offers())


def train(
    dataset: Dataset, run: Path, config: EngineConfig = CONFIG, reporter: Reporter | None = None
) -> Manifest:
    """Train on what was taken before the cut."""
    return build(dataset, config, run, as_of_unix_s=CUT_UNIX_S, reporter=reporter)
