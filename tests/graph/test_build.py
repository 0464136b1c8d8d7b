"""What is bought together, by hand; and nothing from the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_shop import DAY, NOW, Shop

import graph.co_occurrence as module
from graph import GraphTables, bought_with, build_graph


def baskets(*sessions: tuple[int, list[int]]) -> GraphTables:
    """One basket per (age in days, items)."""
    item = np.array([i for _, items in sessions for i in items])
    age = np.array([age for age, items in sessions for _ in items])
    session = np.array([s for s, (_, items) in enumerate(sessions) for _ in items])
    return GraphTables(
        n_users=1,
        n_items=5,
        user=np.zeros(len(item), np.int64),
        item=item,
        at_unix_s=NOW - age * DAY,
        weight=np.full(len(item), 2.0, np.float32),
        session=session,
        item_facts=(),
        category_parent=np.zeros(0, np.int64),
    )


def together(tables: GraphTables, **settings: float) -> dict[tuple[int, int], float]:
    found = bought_with(tables, as_of_unix_s=NOW, half_life_days=10, **settings)
    return {(i, j): s for i, j, s in zip(*(c.tolist() for c in found), strict=True)}


def test_cosine_by_hand() -> None:
    # Baskets of ages 0+, 10 and 20 half-lives·10 days count 1, 1/2 and 1/4.
    tables = baskets((10, [0, 1]), (20, [0, 1, 2, 2]), (10, [0, 3]), (10, [4]))
    c0, c1, c2, c3 = 1 / 2 + 1 / 4 + 1 / 2, 1 / 2 + 1 / 4, 1 / 4, 1 / 2
    expected = {
        (0, 1): (1 / 2 + 1 / 4) / (np.sqrt(c0 * c1) + 1),
        (0, 2): (1 / 4) / (np.sqrt(c0 * c2) + 1),
        (0, 3): (1 / 2) / (np.sqrt(c0 * c3) + 1),
        (1, 2): (1 / 4) / (np.sqrt(c1 * c2) + 1),
    }
    expected |= {(j, i): s for (i, j), s in expected.items()}
    assert together(tables, shrinkage=1.0) == pytest.approx(expected, rel=1e-6)


def test_only_the_strongest_neighbours_stay() -> None:
    tables = baskets((10, [0, 1]), (10, [0, 1]), (10, [0, 2]), (10, [0, 3]), (10, [0, 3]))
    kept = together(tables, n_neighbours=2)
    assert {j for i, j in kept if i == 0} == {1, 3}


def test_a_session_too_large_relates_nothing() -> None:
    assert together(baskets((10, [0, 1, 2])), max_session_items=2) == {}


def test_chunked_is_whole(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bought_with(shop.tables, as_of_unix_s=NOW, half_life_days=90)
    monkeypatch.setattr(module, "ENTRIES_PER_CHUNK", 500)
    for a, b in zip(
        whole, bought_with(shop.tables, as_of_unix_s=NOW, half_life_days=90), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_an_event_after_the_moment_changes_nothing(shop: Shop) -> None:
    tables = shop.tables
    later = replace(
        tables,
        user=np.append(tables.user, 0),
        item=np.append(tables.item, 79),
        at_unix_s=np.append(tables.at_unix_s, NOW + 1),
        weight=np.append(tables.weight, np.float32(9)),
        session=np.append(tables.session, tables.session[0]),
    )
    before, after = (build_graph(t, as_of_unix_s=NOW) for t in (tables, later))
    assert before.triples().equals(after.triples())


def test_events_of_a_pair_add_up_with_the_last_time() -> None:
    kg = build_graph(baskets((10, [0]), (20, [0]), (10, [1])), as_of_unix_s=NOW, half_life_days=10)
    near = kg.adjacent(0, 0)
    assert near.node.tolist() == [1, 2]
    np.testing.assert_allclose(near.weight, [2 * (1 / 2 + 1 / 4), 2 * (1 / 2)], rtol=1e-6)
    assert near.at_unix_s.tolist() == [NOW - 10 * DAY] * 2


def test_a_shop_without_events_still_has_a_graph(shop: Shop) -> None:
    kg = build_graph(shop.tables.until(0), as_of_unix_s=NOW)
    counts = {e.relation: n for e, n in kg.stats().n_edges}
    assert counts == {
        "interacted": 0,
        "in_category": 80,
        "made_by": 80,
        "subcategory_of": 4,
        "bought_with": 0,
    }
