"""Swapping the scene moves known seasonal goods, and goods of an occasion, the right way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import planted_scenes as planted
import pytest
import torch

from engine.recommend import Engine
from engine.scene import Scene

USERS = [f"user-{user:02d}" for user in range(0, planted.N_USERS, 3)]
JULY, JANUARY = datetime(2024, 7, 10, 10), datetime(2025, 1, 15, 10)
FAR = 5
"""Places of the list of 36 that a scene moves its goods by, at least."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("scenes")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    planted.train(planted.write_shop(folder / "data"), folder / "run")
    torch.set_num_threads(threads)
    with Engine.open(folder / "run") as engine:
        yield engine


def mean_rank(shop: Engine, kind: str, scene: Scene) -> float:
    """Mean rank of the goods of a kind among all 36, over users; 1 is first.

    Asked without the scene's words: what moves the list was learned from events.
    """
    ranks = []
    for user in USERS:
        rows, _ = shop.rank_rows(user, shop.moment_of(scene), len(planted.KIND_OF))
        kinds = [planted.KIND_OF[shop.run.vocabulary.items.id(int(row))] for row in rows]
        assert len(kinds) == len(planted.KIND_OF)
        ranks += [rank for rank, found in enumerate(kinds, start=1) if found == kind]
    return float(np.mean(ranks))


def test_the_run_knows_the_occasion_and_the_season(shop: Engine) -> None:
    assert [facet.name for facet in shop.run.world.facets] == ["occasion", "season"]
    assert [facet.name for facet in shop.run.vocabulary.facets] == ["occasion", "season"]
    assert shop.run.vocabulary.facets[0].values == ("", "birthday", "picnic")


@pytest.mark.parametrize(
    ("kind", "time", "other"), [("summer", JULY, JANUARY), ("winter", JANUARY, JULY)]
)
def test_seasonal_goods_come_with_their_season(
    shop: Engine, kind: str, time: datetime, other: datetime
) -> None:
    # The run ends in spring: the goods of neither season have sold of late.
    in_season, out_of_season = (mean_rank(shop, kind, Scene(time=at)) for at in (time, other))
    assert in_season < out_of_season - FAR


@pytest.mark.parametrize(("kind", "other"), [("birthday", "picnic"), ("picnic", "birthday")])
def test_goods_come_with_their_occasion(shop: Engine, kind: str, other: str) -> None:
    right = mean_rank(shop, kind, Scene(time=JULY, occasion=kind.title()))
    none = mean_rank(shop, kind, Scene(time=JULY))
    wrong = mean_rank(shop, kind, Scene(time=JULY, occasion=other))
    assert right < none < wrong
    assert right < wrong - FAR


def test_an_occasion_that_no_event_ever_had_changes_nothing(shop: Engine) -> None:
    strange = shop.moment_of(Scene(time=JULY, occasion="moon landing"))
    plain = shop.moment_of(Scene(time=JULY))
    assert strange == plain


def test_the_files_of_a_run_hold_its_facets(shop: Engine) -> None:
    folder = Path(shop.run.folder)
    assert {"facets.safetensors", "event_facets.safetensors"} <= set(shop.run.manifest.files)
    assert (folder / "facets.safetensors").is_file()
