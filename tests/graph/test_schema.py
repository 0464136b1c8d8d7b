"""Bad tables raise where they enter; later events are dropped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_shop import DAY, NOW, Shop

from graph import FactTable, GraphError, GraphTables, decayed_weight


def facts(**changes: object) -> FactTable:
    given: dict[str, object] = {
        "relation": "made_by",
        "tail_type": "brand",
        "head_rows": np.array([0, 1]),
        "tail_rows": np.array([0, 0]),
        "n_tails": 1,
        "weight": np.ones(2, np.float32),
    }
    return FactTable(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"relation": "bought_with"}, "derived by the build"),
        ({"tail_rows": np.array([0, 1])}, r"tail_rows\[1\] is 1, expected a row in 0\.\.0"),
        ({"head_rows": np.array([0])}, "arrays of one length"),
        ({"weight": np.array([1, np.nan], np.float32)}, r"weight\[1\] is nan"),
        ({"tail_type": "item", "n_tails": 2}, "relates item 0 to itself"),
    ],
)
def test_bad_facts_raise(changes: dict[str, object], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        facts(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_users": 3}, r"user\[\d+\] is 3, expected a row in 0\.\.2"),
        ({"n_items": 5}, r"item\[\d+\]"),
        ({"user": np.zeros(1, np.int64)}, "arrays of one length"),
        ({"category_parent": np.array([-1, 2, 3, 1, 0])}, "category 1 run in a cycle"),
        ({"category_parent": np.array([0, 0, 0, 0, 0])}, "category 0 is its own parent"),
        ({"category_parent": np.array([-1, 9, 0, 0, 0])}, r"category_parent\[1\] is 9"),
        ({"category_parent": np.array([-1, 0])}, "n_tails is 5, but there are 2"),
    ],
)
def test_bad_tables_raise(shop: Shop, changes: dict[str, object], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        replace(shop.tables, **changes)


def test_rows_must_be_int64(shop: Shop) -> None:
    with pytest.raises(GraphError, match="int32, expected int64"):
        replace(shop.tables, user=shop.tables.user.astype(np.int32))


def test_a_relation_comes_once(shop: Shop) -> None:
    with pytest.raises(GraphError, match="come twice"):
        replace(shop.tables, item_facts=shop.tables.item_facts * 2)


def test_a_deep_chain_of_categories_is_no_cycle() -> None:
    none = np.zeros(0, np.int64)
    chain = np.arange(-1, 999)
    tables = GraphTables(
        1, 1, none, none, none, np.zeros(0, np.float32), none, (), category_parent=chain
    )
    assert tables.n_nodes() == {"user": 1, "item": 1, "category": 1000}


def test_until_excludes_its_own_second(shop: Shop) -> None:
    moment = int(np.unique(shop.tables.at_unix_s)[3])
    kept = shop.tables.until(moment)
    assert len(kept) == int((shop.tables.at_unix_s < moment).sum())
    assert kept.at_unix_s.max() < moment


def test_weight_halves_every_half_life(shop: Shop) -> None:
    one = shop.tables.where(np.arange(len(shop.tables)) < 2)
    tables = replace(
        one,
        at_unix_s=np.array([NOW - 30 * DAY, NOW - 60 * DAY]),
        weight=np.array([1.0, 3.0], np.float32),
    )
    weight = decayed_weight(tables, as_of_unix_s=NOW, half_life_days=30)
    np.testing.assert_allclose(weight, [1 / 2, 3 / 4], rtol=1e-6)
