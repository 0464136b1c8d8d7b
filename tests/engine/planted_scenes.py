"""A planted shop of scenes: what is taken depends on the season and on what the visit is for.

Titles tell nothing, so that only past events can teach which goods belong to which scene.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from engine.build import build
from engine.config import EngineConfig
from engine.dataset import Dataset, DatasetSettings, write_dataset
from graph import GraphConfig
from retrieval.rerank.config import RerankConfig

ZONE = ZoneInfo("Europe/Berlin")
FIRST_DAY = datetime(2022, 4, 4, tzinfo=ZONE)
WEEKS = 104
CUT = FIRST_DAY + timedelta(weeks=WEEKS)
"""Monday 1 April 2024: two years are known, and the last requests were of spring."""
CUT_UNIX_S = int(CUT.timestamp())

N_USERS = 16
GOODS = {"summer": 6, "winter": 6, "birthday": 6, "picnic": 6, "ever": 12}
"""Number of items by what they are for."""
OCCASIONS = ("birthday", "picnic", None)
SUMMER_MONTHS = range(5, 9)
WINTER_MONTHS = (11, 12, 1, 2)
TAKEN = 2
"""Items of each kind that fits, per visit; one of those that always do."""

CONFIG = EngineConfig(
    graph=GraphConfig(width=16, epochs=1, batch_size=1024, n_negatives=32),
    rerank=RerankConfig(
        width=16,
        hidden=32,
        layers=1,
        history=16,
        weeks=60,
        epochs=5,
        batch_size=16,
        negatives=40,
        averaging=0.97,
    ),
)

_ORDER = np.random.default_rng(7).permutation(sum(GOODS.values()))
_KINDS = [kind for kind, n in GOODS.items() for _ in range(n)]
KIND_OF = {f"good-{row:02d}": _KINDS[place] for place, row in enumerate(_ORDER)}
"""What each item is for, by its id; the ids are shuffled."""


def goods(kind: str) -> list[str]:
    """Ids of the items that are for this."""
    return sorted(item for item, of in KIND_OF.items() if of == kind)


def events(seed: int = 0) -> pl.DataFrame:
    """One visit a week of every user, for an occasion or for none."""
    rng = np.random.default_rng(seed)
    rows = []
    for week in range(WEEKS):
        for user in range(N_USERS):
            at = FIRST_DAY + timedelta(weeks=week, days=user % 7, hours=10)
            occasion = OCCASIONS[int(rng.integers(len(OCCASIONS)))]
            fitting = ["ever"] if occasion is None else ["ever", occasion]
            fitting += ["summer"] * (at.month in SUMMER_MONTHS)
            fitting += ["winter"] * (at.month in WINTER_MONTHS)
            for kind in fitting:
                n = 1 if kind == "ever" else TAKEN
                for item in rng.choice(goods(kind), n, replace=False):
                    rows.append(
                        {
                            "user_id": f"user-{user:02d}",
                            "item_id": str(item),
                            "kind": "purchase",
                            "timestamp": at.astimezone(UTC),
                            "session_id": f"visit-{week}",
                            "occasion": occasion,
                        }
                    )
    return pl.DataFrame(rows, schema_overrides={"occasion": pl.String})


def write_shop(folder: Path) -> Dataset:
    """The shop's dataset."""
    items = pl.DataFrame(
        {"item_id": sorted(KIND_OF), "title": [f"Good {i}" for i in range(len(KIND_OF))]}
    ).with_columns(categories=pl.lit(["Goods"]))
    settings = DatasetSettings(name="Scenes", time_zone=str(ZONE), country="DE")
    return write_dataset(folder, settings, items=items, events=events())


def train(dataset: Dataset, run: Path) -> None:
    """Train on everything."""
    build(dataset, CONFIG, run, as_of_unix_s=CUT_UNIX_S)
