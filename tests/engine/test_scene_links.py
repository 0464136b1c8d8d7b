"""What a shop has becomes nodes and edges; what it has not adds none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import planted
import polars as pl
import pytest

from engine.arrays import graph_tables
from engine.dataset import Dataset, write_dataset
from engine.node_names import names_of
from engine.scene_links import PRICE_BANDS, with_scene
from engine.vocabulary import Vocabulary, load_interactions
from graph import KnowledgeGraph, Relation, build_graph

Facts = set[tuple[str, str, str]]
ADDED = {
    "has_attribute",
    "in_price_band",
    "on_offer",
    "sells_in_season",
    "sells_in_day_part",
    "sells_at",
    "shops_at",
    "viewed_then_bought",
}


def graph_of(
    dataset: Dataset, as_of_unix_s: int = planted.CUT_UNIX_S
) -> tuple[Facts, KnowledgeGraph]:
    vocabulary = Vocabulary.of(dataset)
    events = load_interactions(dataset, vocabulary)
    base, names = graph_tables(dataset, vocabulary, events), names_of(dataset.items, vocabulary)
    tables, names = with_scene(base, names, dataset, vocabulary, events, as_of_unix_s=as_of_unix_s)
    assert tables.item_facts == base.item_facts, "what the network is fitted on stays"
    derive = (Relation.BOUGHT_WITH, Relation.VIEWED_THEN_BOUGHT)
    kg = build_graph(tables, as_of_unix_s=as_of_unix_s, derive=derive)
    facts = {
        (
            str(names.name(r["head_type"], r["head"])),
            r["relation"],
            str(names.name(r["tail_type"], r["tail"])),
        )
        for r in kg.triples().to_pylist()
    }
    return facts, kg


def told(facts: Facts, relation: str) -> Facts:
    return {fact for fact in facts if fact[1] == relation}


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The planted shop with attributes, and with a view of item 1 before each of item 0."""
    events = planted.events()
    first = events.filter(pl.col("item_id") == planted.item_id(0))
    views = first.with_columns(
        item_id=pl.lit(planted.item_id(1)),
        kind=pl.lit("view"),
        timestamp=pl.col("timestamp") - timedelta(minutes=1),
    )
    items = planted.items().with_columns(
        attributes=pl.Series(
            [
                [{"key": "colour", "value": "red" if i % 2 else "blue"}]
                for i in range(planted.N_ITEMS)
            ]
        )
    )
    shop = planted.write_shop(tmp_path_factory.mktemp("rich") / "base")
    return write_dataset(
        Path(shop.folder).parent / "rich",
        shop.settings,
        items=items,
        events=pl.concat([events, views]),
        offers=planted.offers(),
    )


def test_everything_that_the_shop_has_is_told(rich: Dataset) -> None:
    facts, _ = graph_of(rich)
    items = [planted.item_id(i) for i in range(planted.N_ITEMS)]
    assert told(facts, "has_attribute") == {
        (item, "has_attribute", "colour=red" if i % 2 else "colour=blue")
        for i, item in enumerate(items)
    }
    assert told(facts, "in_price_band") == {
        (item, "in_price_band", PRICE_BANDS[i // 12]) for i, item in enumerate(items)
    }
    starts, ends = (planted.CUT + timedelta(weeks=w) for w in (-2, 2))
    days = f"{starts.date() - timedelta(days=1)} to {ends.date() - timedelta(days=1)}"
    assert told(facts, "on_offer") == {
        (items[3], "on_offer", f"discount everywhere, {days}"),
        (items[33], "on_offer", f"display north, {days}"),
    }
    users = [planted.user_id(u) for u in range(planted.N_USERS)]
    assert told(facts, "shops_at") == {
        (user, "shops_at", planted.place_of(u)) for u, user in enumerate(users)
    }
    assert (items[1], "viewed_then_bought", items[0]) in facts


def test_an_offer_that_starts_later_is_not_known_yet(rich: Dataset) -> None:
    before = int((planted.CUT - timedelta(weeks=3)).timestamp())
    facts, _ = graph_of(rich, before)
    assert not told(facts, "on_offer")


def test_a_shop_without_any_of_it_has_none_of_it(tmp_path: Path) -> None:
    shop = planted.write_shop(tmp_path / "shop")
    one_moment = pl.datetime(2024, 1, 10, 12, time_zone="UTC", time_unit="us")
    bare = replace(
        shop,
        items=shop.items.with_columns(price=pl.lit(None, dtype=pl.Float64)),
        events=shop.events.with_columns(place=pl.lit(None, dtype=pl.String), timestamp=one_moment),
        offers=shop.offers.clear(),
    )
    facts, kg = graph_of(bare)
    assert {relation for _, relation, _ in facts} & ADDED == set()
    assert {e.relation for e in kg.edge_types} & ADDED == {"viewed_then_bought"}
