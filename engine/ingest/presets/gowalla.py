"""Gowalla: who checked in where, from SNAP with times or split as in the LightGCN paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from engine.dataset import DatasetSettings
from engine.ingest.mapping import Mapping, TableMapping
from engine.ingest.presets.preset import Form, Make, Preset
from engine.ingest.presets.shelf import Shelf
from engine.ingest.readers import LINE

_SETTINGS = DatasetSettings(
    name="Gowalla",
    terms="Research use (SNAP); the split of the LightGCN paper: MIT repository",
    attribution=(
        "E. Cho, S. A. Myers, J. Leskovec. Friendship and mobility: user movement in "
        "location-based social networks. KDD 2011"
    ),
)
_DAYS = {"train": "2010-01-01", "test": "2010-07-01"}
"""The split tells no times; any moment between these two cuts as the paper does."""
_PAIRS = ("user_id:token", "item_id:token")


def _lines(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    """``user item item item`` a line, without times."""
    for part, day in _DAYS.items():
        path = shelf.one(f"{part}.txt")
        lines = pl.Series("line", path.read_text(encoding="utf-8").splitlines(), dtype=pl.String)
        words = lines.str.extract_all(r"\S+")
        frame = pl.DataFrame({"user": words.list.first(), "item": words.list.slice(1)})
        pairs = frame.with_row_index(LINE, offset=1).explode("item").drop_nulls("item")
        yield path, pairs.with_columns(at=pl.lit(day)).lazy()


def _pairs(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    for part, day in _DAYS.items():
        pattern = f"gowalla_{part}.parquet"
        user, item = _PAIRS
        pairs = shelf.table(pattern, _PAIRS).select(LINE, user=user, item=item, at=pl.lit(day))
        yield shelf.one(pattern), pairs


def _split(told: str, files: tuple[str, ...], make: Make) -> Form:
    events = TableMapping(
        files=files,
        columns={"user_id": "user", "item_id": "item", "timestamp": "at"},
        constants={"kind": "purchase"},
    )
    mapping = Mapping(settings=_SETTINGS, items_from_events=True, events=events)
    return Form(told, mapping, make={"events": make})


_CHECK_INS = TableMapping(
    files="*gowalla_totalcheckins.txt{,.gz}",
    format="csv",
    delimiter="\t",
    header=("user", "at", "latitude", "longitude", "location"),
    columns={"user_id": "user", "item_id": "location", "timestamp": "at"},
    constants={"kind": "purchase"},
)

GOWALLA = Preset(
    name="gowalla",
    origin=(
        "snap.stanford.edu/data/loc-Gowalla.html, or the split from "
        "github.com/gusye1234/LightGCN-PyTorch (its folder 'data/gowalla')"
    ),
    forms=(
        Form(
            "check-ins from SNAP",
            Mapping(settings=_SETTINGS, items_from_events=True, events=_CHECK_INS),
        ),
        _split("the LightGCN split, as text", ("train.txt", "test.txt"), _lines),
        _split(
            "the LightGCN split, as Parquet",
            ("gowalla_train.parquet", "gowalla_test.parquet"),
            _pairs,
        ),
    ),
    notes=(
        "A check-in counts as a purchase; places have no names and are called by their ids.",
        "The LightGCN split has no times: its training rows are put on 2010-01-01, its test rows "
        "on 2010-07-01, so that --as-of 2010-04-01 cuts as the paper does.",
    ),
)
