"""The benchmark of the scene finds a scene that was planted, and hides all of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import planted_scenes as planted
import polars as pl
import torch

from benchmarks.counterfactual import Listed, Told, marked
from benchmarks.rerank_cases.context import blind, compare, hidden_columns, without_scene
from benchmarks.rerank_cases.context_sets import DRESSES_ZONE, RENTALS_FILE, Shop, dresses
from engine.layout import load_examples, load_world
from engine.recommendation import Recommendation, Trace
from engine.scene import Scene
from engine.types import Item


def test_a_planted_scene_is_worth_something(tmp_path: Path) -> None:
    dataset = planted.write_shop(tmp_path / "data")
    cut = planted.CUT_UNIX_S - int(timedelta(weeks=8).total_seconds())
    shop = Shop("Planted", "occasion, season", dataset, planted.CONFIG, cut, 100)
    torch.set_num_threads(1)
    found = compare(shop, tmp_path / "run", seeds=(0,))
    assert found.users == planted.N_USERS
    assert found.gain.estimate > 0.04  # sixteen users: no interval of theirs is narrow
    assert found.gain.estimate == np.float64(found.with_scene - found.without)
    requests = next((tmp_path / ".stages").glob("requests-*/tokens.safetensors")).parent
    _hides_all_of_it(requests, load_world(tmp_path / "run").feature_names())


def _hides_all_of_it(requests: Path, names: tuple[str, ...]) -> None:
    examples = load_examples(requests)
    assert examples.features.shape[1] == len(names)
    hidden = hidden_columns(names)
    told = {name for name, of_scene in zip(names, hidden, strict=True) if of_scene}
    assert {"facet_occasion_lift", "facet_season_group_lift", "slot_lift", "on_coupon"} <= told
    assert {"item_rate_this_hour", "place_lift", "item_rate_here", "visit_size_here"} <= told
    assert not told & {"item_days_since", "sold_7d", "log_price", "graph_score"}
    less = without_scene(examples, hidden)
    assert np.isnan(less.features[:, hidden]).all()
    np.testing.assert_array_equal(less.features[:, ~hidden], examples.features[:, ~hidden])
    which = np.arange(3)
    taught, asked = less.batch(which).batch, blind(examples.batch(which).batch, hidden)
    for field in taught.__slots__:
        torch.testing.assert_close(
            getattr(taught, field), getattr(asked, field), equal_nan=True, msg=field
        )
    assert not taught.scene.any()
    assert not taught.clock.any()


def test_dresses_are_rented_for_an_occasion(tmp_path: Path) -> None:
    n = 60_000
    pl.DataFrame(
        {
            "user_id": range(n),
            "item_id": [at % 7 for at in range(n)],
            "rented_for": [("wedding", "work", None)[at % 3] for at in range(n)],
            "category": [("gown", "sheath")[at % 7 % 2] for at in range(n)],
            "review_date": [datetime(2016 + at % 2, 5, 1) for at in range(n)],
        }
    ).write_parquet(tmp_path / RENTALS_FILE)
    shop = dresses(tmp_path, tmp_path / "data")
    events = shop.dataset.events
    assert len(events) == 40_000
    assert set(events["occasion"]) == {"wedding", "work", None}
    assert shop.dataset.items["categories"].to_list()[:2] == [["gown"], ["sheath"]]
    assert events["timestamp"].dt.convert_time_zone(DRESSES_ZONE).dt.hour().max() == 0
    assert shop.as_of_unix_s == int(datetime(2017, 10, 1, 4, tzinfo=UTC).timestamp())


def listed(*ids: str) -> Listed:
    found = tuple(
        Recommendation(
            rank=rank,
            item=Item(id_, f"Title | {id_}"),
            score=0.0,
            probability=0.0,
            reason="",
            evidence=(),
            trace=Trace((), 0.0, 0.0, ()),
        )
        for rank, id_ in enumerate(ids, start=1)
    )
    return Listed(Told("scene", Scene()), found)


def test_marks_tell_what_is_new_and_what_moved() -> None:
    base, other = listed("a", "b", "c"), listed("c", "b", "d")
    marks = [marked(base.ids, one, at) for at, one in enumerate(other.found)]
    assert marks == ["Title / c (+2)", "Title / b", "**Title / d**"]
    assert marked(base.ids, listed("b", "a").found[1], 1) == "Title / a (−1)"
