"""A graph that grew is the graph built from scratch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_shop import DAY, NOW, Shop

from graph import (
    Facet,
    FactTable,
    GraphError,
    GraphTables,
    KnowledgeGraph,
    build_graph,
    extend_graph,
    start_graph,
)

N_USERS, N_ITEMS = 4, 6
ALL = 50
"""Neighbours kept: more than there are, so that ties decide nothing."""
EVENT = st.tuples(
    st.integers(0, N_USERS - 1),
    st.integers(0, N_ITEMS - 1),
    st.integers(1, 60),  # age in days
    st.sampled_from([0.25, 1.0]),
    st.integers(0, 5),
)


def tables_of(events: list[tuple[int, int, int, float, int]]) -> GraphTables:
    columns = np.array(events, np.float64).reshape(-1, 5).T
    user, item, age, weight, session = columns
    made = FactTable(
        "made_by",
        "brand",
        np.arange(N_ITEMS),
        np.arange(N_ITEMS) % 2,
        2,
        np.ones(N_ITEMS, np.float32),
    )
    known = np.ones(len(user), np.bool_)
    place = Facet("item", "sells_at", "place", session.astype(np.int64) % 2, known, 2)
    return GraphTables(
        n_users=N_USERS,
        n_items=N_ITEMS,
        user=user.astype(np.int64),
        item=item.astype(np.int64),
        at_unix_s=(NOW - age * DAY).astype(np.int64),
        weight=weight.astype(np.float32),
        session=session.astype(np.int64),
        item_facts=(made,),
        category_parent=np.array([-1, 0]),
        facets=(place,),
    )


def same(grown: KnowledgeGraph, scratch: KnowledgeGraph) -> None:
    assert grown.edge_types == scratch.edge_types
    assert grown.as_of_unix_s == scratch.as_of_unix_s
    for k in range(len(grown.edge_types)):
        ours, theirs = (
            {
                (h, t): (w, at)
                for h, t, w, at in zip(
                    e.head.tolist(),
                    e.tail.tolist(),
                    e.weight.tolist(),
                    e.head * 0 if e.at_unix_s is None else e.at_unix_s,
                    strict=True,
                )
            }
            for e in (grown.edges(k), scratch.edges(k))
        )
        assert ours.keys() == theirs.keys()
        for pair, (weight, at) in theirs.items():
            assert ours[pair] == (pytest.approx(weight, rel=1e-5), at)


@settings(max_examples=80, deadline=None)
@given(
    events=st.lists(EVENT, max_size=40),
    cuts=st.lists(st.integers(1, 60), min_size=1, max_size=3),
)
def test_grown_step_by_step_is_built_at_once(
    events: list[tuple[int, int, int, float, int]], cuts: list[int]
) -> None:
    tables = tables_of(events)
    moments = [NOW - age * DAY for age in sorted(cuts, reverse=True)] + [NOW]
    growing = start_graph(tables, as_of_unix_s=moments[0], half_life_days=20, n_neighbours=ALL)
    for moment in moments:
        growing = extend_graph(growing, tables, as_of_unix_s=moment)
        scratch = build_graph(tables, as_of_unix_s=moment, half_life_days=20, n_neighbours=ALL)
        same(growing.kg, scratch)


def test_new_users_items_and_a_session_too_large_are_taken_up(shop: Shop) -> None:
    cut = NOW - 20 * DAY
    early = shop.tables.until(cut)
    small = replace(early, n_users=int(early.user.max()) + 1)
    growing = start_graph(small, as_of_unix_s=cut, half_life_days=30, n_neighbours=100)
    n = 210
    flood = replace(
        shop.tables,
        n_users=61,
        n_items=300,
        user=np.append(shop.tables.user, np.full(n, 60)),
        item=np.append(shop.tables.item, np.arange(n)),
        at_unix_s=np.append(shop.tables.at_unix_s, np.full(n, NOW - DAY)),
        weight=np.append(shop.tables.weight, np.ones(n, np.float32)),
        session=np.append(shop.tables.session, np.full(n, early.session[0])),
        item_facts=(),
    )
    grown = extend_graph(growing, flood, as_of_unix_s=NOW)
    scratch = build_graph(flood, as_of_unix_s=NOW, half_life_days=30, n_neighbours=100)
    met = grown.sessions
    assert met.nnz == (met.toarray() > 0).sum(), "no pair is kept at zero"
    for relation in ("interacted", "bought_with"):
        ours, theirs = (
            sorted(
                (r["head"], r["tail"], round(r["weight"], 4))
                for r in kg.triples().to_pylist()
                if r["relation"] == relation
            )
            for kg in (grown.kg, scratch)
        )
        assert ours == theirs


def test_time_does_not_run_back_and_nothing_is_lost(shop: Shop) -> None:
    growing = start_graph(shop.tables, as_of_unix_s=NOW)
    with pytest.raises(GraphError, match="time runs on only"):
        extend_graph(growing, shop.tables, as_of_unix_s=NOW - 1)
    fewer = replace(shop.tables.until(0), n_users=10)
    with pytest.raises(GraphError, match="60 users are in the graph, 10 in the tables"):
        extend_graph(growing, fewer, as_of_unix_s=NOW)
