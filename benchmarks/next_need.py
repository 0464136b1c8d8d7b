"""Does "due within a week" come true? Next need on Complete Journey against what it replaces.

    python benchmarks/next_need.py [--data data/complete-journey] [--households 400]

Learned from the events before each of four cuts; asked of every pair of a household and an item
that anybody took twice; true if the household takes it within seven days of the cut.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from retrieval.rerank.interval_fit import fit_intervals
from retrieval.rerank.intervals import Doubles, forecast, pairs_of
from retrieval.rerank.records import DAY_S, Bools, Ints

WEEKS_BEFORE_END = (1, 5, 9, 13)
BINS = 15


@dataclass(frozen=True, slots=True)
class Asked:
    """All ``[P]``."""

    chance: Doubles
    due: Doubles
    """Log of the days since over the usual gap, as the feature ``item_due``."""
    age_days: Doubles
    gaps: Ints
    came: Bools


def main() -> None:
    """Measure, and print a table."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--data", type=Path, default=Path("data/complete-journey"))
    reader.add_argument("--households", type=int, default=400)
    given = reader.parse_args()
    user, item, at, group = _events(given.data, given.households)
    cuts = [int(at.max()) - weeks * 7 * DAY_S for weeks in WEEKS_BEFORE_END]
    parts = [_ask(user, item, at, group, cut) for cut in cuts]
    names = ("chance", "due", "age_days", "gaps", "came")
    asked = Asked(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    print("gaps  pairs    AUC chance  AUC -due  AUC -|due|  AUC -age  ECE")
    for least in (0, 1, 3):
        _report(asked, least)


def _events(folder: Path, households: int) -> tuple[Ints, Ints, Ints, Ints]:
    events = pl.read_parquet(folder / "events.parquet", columns=["user_id", "item_id", "timestamp"])
    items = pl.read_parquet(folder / "items.parquet", columns=["item_id", "categories"])
    everybody = np.sort(events["user_id"].unique().to_numpy())
    drawn = np.random.default_rng(0).choice(everybody, households, replace=False)
    events = events.filter(pl.col("user_id").is_in(list(drawn)))
    row = {name: i for i, name in enumerate(items["item_id"].to_list())}
    item = np.array([row[name] for name in events["item_id"].to_list()], dtype=np.int64)
    user = events["user_id"].rank("dense").to_numpy().astype(np.int64) - 1
    finest = [tuple(path)[-1] if path else "" for path in items["categories"].to_list()]
    group = np.unique(finest, return_inverse=True)[1].astype(np.int64)
    return user, item, events["timestamp"].dt.epoch("s").to_numpy(), group


def _ask(user: Ints, item: Ints, at: Ints, group: Ints, cut: int) -> Asked:
    past = at < cut
    pairs = pairs_of(user[past], item[past], at[past])
    told = forecast(fit_intervals(pairs, group, cut), pairs, cut)
    key = user * len(group) + item
    known = pairs.user * len(group) + pairs.item
    came = np.isin(known, key[~past & (at < cut + 7 * DAY_S)])
    age = (cut - pairs.last_unix_s) / DAY_S
    first = np.full(len(pairs), np.iinfo(np.int64).max)
    np.minimum.at(first, np.searchsorted(known, key[past]), at[past])
    takes = np.bincount(np.searchsorted(known, key[past]), minlength=len(pairs))
    gap = (pairs.last_unix_s - first) / DAY_S / np.maximum(takes - 1, 1)
    due = np.where(takes > 1, np.log((age + 1) / (gap + 1)), np.nan)
    has = np.isfinite(told.chance)
    return Asked(told.chance[has], due[has], age[has], pairs.gaps[has], came[has])


def _report(asked: Asked, least: int) -> None:
    among = asked.gaps >= least
    came, chance = asked.came[among], asked.chance[among]
    parts = np.array_split(np.argsort(chance), BINS)
    ece = sum(len(p) * abs(chance[p].mean() - came[p].mean()) for p in parts) / len(chance)
    old = [-asked.due[among], -np.abs(asked.due[among]), -asked.age_days[among]]
    told = [f"{roc_auc_score(came, x):.3f}" if np.isfinite(x).all() else "    –" for x in old]
    others = "      ".join(told)
    auc = roc_auc_score(came, chance)
    print(f">= {least}  {len(came):7,}  {auc:.3f}       {others}     {ece:.4f}")


if __name__ == "__main__":
    main()
