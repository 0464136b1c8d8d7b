"""What an update of a run costs, and what it keeps of a full training's quality."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.dataset import REJECT_SCHEMA, Dataset
from engine.fresh_events import Span
from engine.moments import end_of_data
from engine.update import open_parent, update


@dataclass(frozen=True, slots=True)
class UpdateCase:
    """A run that is brought up to date with the rest of its dataset."""

    n_events: int
    seconds: float
    """Of the whole update."""
    share: float
    """Of the seconds of the full training; NaN where the run does not know them."""
    stale: float
    refreshed: float
    retrained: float
    """Recall@20 of items that shoppers newly turned to, in the newest days."""
    refresh_seconds: float
    retrain_seconds: float
    """Of the graph's vectors alone."""


def update_case(run: Path, dataset: Path) -> UpdateCase:
    """Update a run that was trained on the past of a dataset with what came after."""
    data = Dataset.open(dataset)
    parent = open_parent(run)
    fresh = Span(parent.as_of).cut(data.events, pl.DataFrame(schema=REJECT_SCHEMA))
    with tempfile.TemporaryDirectory(dir=run.parent) as folder:
        end = end_of_data(data)
        done = update(parent, fresh, Path(folder) / "run", as_of=end, measure=True)
    measured = done.measured
    if measured is None:
        raise RuntimeError("the update was not measured")
    return UpdateCase(
        n_events=done.n_events,
        seconds=done.seconds,
        share=float("nan") if done.share is None else done.share,
        stale=measured.found.stale,
        refreshed=measured.found.refreshed,
        retrained=measured.found.retrained,
        refresh_seconds=measured.refresh_seconds,
        retrain_seconds=measured.retrain_seconds,
    )
