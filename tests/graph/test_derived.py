"""Relations that no table states, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from planted_shop import DAY, NOW, Shop

import graph.derived as module
from graph import Facet, GraphError, GraphTables, LinkTable, Looks, Relation, build_graph
from graph.derived import facet_strength, viewed_then_bought, visually_alike

N_ITEMS = 4


def visits(*events: tuple[int, int, float, bool]) -> GraphTables:
    """One row per (session, item, age in days, bought)."""
    session, item, age, bought = (np.array(column) for column in zip(*events, strict=True))
    return GraphTables(
        n_users=1,
        n_items=N_ITEMS,
        user=np.zeros(len(item), np.int64),
        item=item.astype(np.int64),
        at_unix_s=(NOW - age * DAY).astype(np.int64),
        weight=np.where(bought, 1.0, 0.2).astype(np.float32),
        session=session.astype(np.int64),
        item_facts=(),
        category_parent=np.zeros(0, np.int64),
        bought=bought.astype(np.bool_),
    )


def scores(tables: GraphTables, **options: float) -> dict[tuple[int, int], float]:
    found = viewed_then_bought(tables, as_of_unix_s=NOW, half_life_days=10, **options)
    return {(i, j): s for i, j, s in zip(*(column.tolist() for column in found), strict=True)}


def test_views_lead_to_the_purchases_that_follow_them() -> None:
    tables = visits(
        (0, 0, 10.0, False),  # looked at 0 and 1, bought 1: halved by its age
        (0, 1, 10.0, False),
        (0, 1, 9.999, True),
        (1, 2, 20.001, True),  # bought 2 before looking at 0
        (1, 0, 20.0, False),
    )
    found = scores(tables, shrinkage=1.0)
    assert set(found) == {(0, 1)}
    viewed = 1 / 2 + 1 / 4
    assert found[0, 1] == pytest.approx((1 / 2) / (np.sqrt(viewed * 1 / 2) + 1), rel=1e-4)


def test_a_repeated_view_counts_once_and_large_visits_not_at_all() -> None:
    once = visits((0, 0, 10.0, False), (0, 1, 9.9, True))
    twice = visits((0, 0, 10.0, False), (0, 0, 9.95, False), (0, 1, 9.9, True))
    assert scores(twice) == pytest.approx(scores(once), rel=1e-6)
    assert scores(once, max_session_items=1) == {}


def test_pairs_in_chunks_are_the_pairs_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (int(s), int(i), float(a), bool(b))
        for s, i, a, b in zip(
            rng.integers(0, 9, 80),
            rng.integers(0, N_ITEMS, 80),
            1 + rng.random(80),
            rng.random(80) < 0.5,
            strict=True,
        )
    ]
    whole = scores(visits(*rows))
    monkeypatch.setattr(module, "PAIRS_PER_CHUNK", 3)
    assert whole
    assert scores(visits(*rows)) == pytest.approx(whole)


def test_a_shop_that_tells_no_views_from_purchases_has_no_such_edges(shop: Shop) -> None:
    assert not len(viewed_then_bought(shop.tables, as_of_unix_s=NOW, half_life_days=9)[0])
    all_bought = replace(shop.tables, bought=np.ones(len(shop.tables), np.bool_))
    assert not len(viewed_then_bought(all_bought, as_of_unix_s=NOW, half_life_days=9)[0])


def test_alike_is_the_cosine_of_those_that_have_a_picture() -> None:
    angles = np.radians([0, 10, 30, 15, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) * 7
    known = np.array([True, True, True, False, True])
    head, tail, cosine = visually_alike(vectors, known, n_neighbours=1, min_cosine=0.6)
    assert list(zip(head.tolist(), tail.tolist(), strict=True)) == [(0, 1), (1, 0), (2, 1)]
    expected = np.cos(np.radians([10, 10, 20]))
    np.testing.assert_allclose(cosine, expected, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float32, (9, 3), elements=st.integers(-8, 8).map(float)),
    hnp.arrays(np.bool_, 9),
)
def test_alike_by_chunks_is_alike_at_once(vectors: np.ndarray, known: np.ndarray) -> None:
    whole = visually_alike(vectors, known, n_neighbours=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SIMILARITIES_PER_CHUNK", 10)
        parts = visually_alike(vectors, known, n_neighbours=20)
    ways = [set(zip(head.tolist(), tail.tolist(), strict=True)) for head, tail, _ in (whole, parts)]
    assert ways[0] == ways[1]
    assert ways[0] == {(j, i) for i, j in ways[0]}, "all neighbours kept: both ways"
    assert (whole[2] >= 0.5).all()
    assert (whole[2] <= 1).all()


def cosine_by_pair(
    head: np.ndarray, tail: np.ndarray, cosine: np.ndarray
) -> dict[tuple[int, int], float]:
    pairs = zip(head.tolist(), tail.tolist(), strict=True)
    return dict(zip(pairs, cosine.tolist(), strict=True))


def test_alike_among_many_pictures_by_the_nearest_cells_is_nearly_alike_among_all() -> None:
    vectors = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
    known = np.ones(600, np.bool_)
    whole = visually_alike(vectors, known)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EXACT_PICTURES", 100)
        near = visually_alike(vectors, known)
    whole_by, near_by = (cosine_by_pair(*found) for found in (whole, near))
    shared = whole_by.keys() & near_by.keys()
    assert len(shared) > 0.8 * len(whole_by)
    assert all(i != j for i, j in near_by)
    assert all(near_by[pair] == pytest.approx(whole_by[pair], abs=1e-5) for pair in shared)


def test_a_picture_that_many_items_share_likens_none_of_them() -> None:
    vectors = np.ones((module.MAX_SAME_PICTURE + 3, 2), np.float32)
    vectors[-2:] = [[1.0, 0.9], [1.0, 0.8]]
    head, tail, _ = visually_alike(vectors, np.ones(len(vectors), np.bool_))
    last = len(vectors) - 1
    assert set(zip(head.tolist(), tail.tolist(), strict=True)) == {
        (last, last - 1),
        (last - 1, last),
    }


def test_a_facet_joins_what_it_favours_by_hand() -> None:
    tables = visits(*[(s, s % 2, 1.0, True) for s in range(40)])
    season = np.where(tables.item == 0, 0, np.arange(40) % 4 // 2)  # item 1: half in each
    facet = Facet("item", "sells_in_season", "season", season, np.ones(40, np.bool_), 2)
    tables = replace(tables, facets=(facet,))
    head, tail, strength = facet_strength(tables, facet, as_of_unix_s=NOW, half_life_days=1e9)
    share, k = 0.75, module.FACET_SHRINKAGE
    cold = (20 + k * share) / ((20 + k) * share)
    warm = (10 + k * 0.25) / ((20 + k) * 0.25)
    assert sorted(zip(head.tolist(), tail.tolist(), strict=True)) == [(0, 0), (1, 1)]
    assert dict(zip(head.tolist(), strength.tolist(), strict=True)) == pytest.approx(
        {0: 1 - 1 / cold, 1: 1 - 1 / warm}, rel=1e-5
    )


def test_the_build_has_them_only_when_asked(shop: Shop) -> None:
    rng = np.random.default_rng(0)
    looks = Looks(rng.normal(size=(80, 4)).astype(np.float32), np.ones(80, np.bool_))
    tables = replace(shop.tables, bought=rng.random(len(shop.tables)) < 0.5)
    plain = {e.relation for e in build_graph(tables, as_of_unix_s=NOW).edge_types}
    assert plain == {"interacted", "in_category", "made_by", "subcategory_of", "bought_with"}
    every = (Relation.VIEWED_THEN_BOUGHT, Relation.LOOKS_LIKE)
    kg = build_graph(tables, as_of_unix_s=NOW, derive=every, looks=looks)
    assert {e.relation for e in kg.edge_types} - plain == set(every)
    with pytest.raises(GraphError, match="no pictures are given"):
        build_graph(tables, as_of_unix_s=NOW, derive=every)
    with pytest.raises(GraphError, match="cannot derive 'made_by'"):
        build_graph(tables, as_of_unix_s=NOW, derive=(Relation.MADE_BY,))


def test_links_between_any_types_become_edges(shop: Shop) -> None:
    weight = np.array([0.5, 2.0], np.float32)
    link = LinkTable(
        "brand", "based_in", "entity", np.array([0, 6]), np.array([1, 0]), 7, 2, weight
    )
    kg = build_graph(replace(shop.tables, links=(link,)), as_of_unix_s=NOW)
    rows = [r for r in kg.triples().to_pylist() if r["relation"] == "based_in"]
    assert {(r["head"], r["tail"], r["weight"]) for r in rows} == {(0, 1, 0.5), (6, 0, 2.0)}
    short = replace(link, n_heads=8)
    with pytest.raises(GraphError, match="there are 7 nodes of type 'brand', got 8"):
        replace(shop.tables, links=(short,))
    with pytest.raises(GraphError, match="joins entity 1 to itself"):
        LinkTable("entity", "near", "entity", np.array([1]), np.array([1]), 2, 2, weight[:1])


def test_an_event_after_the_moment_changes_no_derived_edge(shop: Shop) -> None:
    rng = np.random.default_rng(1)
    n = len(shop.tables)
    facet = Facet("user", "shops_at", "place", rng.integers(0, 3, n), rng.random(n) < 0.8, 3)
    tables = replace(shop.tables, bought=rng.random(n) < 0.5, facets=(facet,))
    every = (Relation.BOUGHT_WITH, Relation.VIEWED_THEN_BOUGHT)
    cut = NOW - 30 * DAY
    past = tables.until(cut)
    assert 0 < len(past) < n
    whole, cut_first = (
        build_graph(t, as_of_unix_s=cut, derive=every).triples() for t in (tables, past)
    )
    assert whole.equals(cut_first)
