"""The graph holds its triples, from either end, in memory and on disk."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_shop import NOW, Shop

from graph import Edges, EdgeType, GraphError, KnowledgeGraph, build_graph

LIKES = EdgeType("user", "interacted", "item")
MADE = EdgeType("item", "made_by", "brand")
SIZES = {"user": 3, "item": 4, "brand": 2}


def edges_of(edge_type: EdgeType, triples: list[tuple[int, int, float]], timed: bool) -> Edges:
    columns = np.array(triples, np.float64).reshape(-1, 3)
    return Edges(
        edge_type,
        columns[:, 0].astype(np.int64),
        columns[:, 1].astype(np.int64),
        columns[:, 2].astype(np.float32),
        np.arange(len(columns)) if timed else None,
    )


def edge_lists(heads: range, tails: range) -> st.SearchStrategy[list[tuple[int, int, float]]]:
    weight = st.floats(0.125, 8, width=32)
    pair = st.tuples(st.sampled_from(heads), st.sampled_from(tails), weight)
    return st.lists(pair, max_size=12, unique_by=lambda edge: edge[:2])


@settings(max_examples=60, deadline=None)
@given(likes=edge_lists(range(3), range(3, 7)), made=edge_lists(range(3, 7), range(7, 9)))
def test_compressed_rows_equal_the_triples(
    likes: list[tuple[int, int, float]], made: list[tuple[int, int, float]]
) -> None:
    kg = KnowledgeGraph.from_edges(
        SIZES, (edges_of(LIKES, likes, True), edges_of(MADE, made, False)), as_of_unix_s=NOW
    )
    for k, triples in enumerate((likes, made)):
        forward, backward = set(), set()
        for node in range(kg.n_nodes):
            for slot, found in ((2 * k, forward), (2 * k + 1, backward)):
                near = kg.adjacent(node, slot)
                assert list(near.weight) == sorted(near.weight, reverse=True)
                found |= {
                    (node, int(n), float(w)) for n, w in zip(near.node, near.weight, strict=True)
                }
        assert forward == {(h, t, float(w)) for h, t, w in triples}
        assert backward == {(t, h, w) for h, t, w in forward}
        table = kg.edges(k)
        assert forward == set(
            zip(table.head.tolist(), table.tail.tolist(), table.weight.tolist(), strict=True)
        )


def test_saved_and_opened_is_the_same(shop: Shop, tmp_path: Path) -> None:
    kg = build_graph(shop.tables, as_of_unix_s=NOW)
    kg.save(tmp_path / "kg")
    again = KnowledgeGraph.open(tmp_path / "kg")
    assert again.stats() == kg.stats()
    assert again.as_of_unix_s == NOW
    assert again.triples().equals(kg.triples())
    for node in (0, 70, kg.n_nodes - 1):
        assert nx.utils.graphs_equal(again.neighborhood(node, 2), kg.neighborhood(node, 2))


def test_triples_name_local_rows_and_leave_out_times_that_are_not_known(shop: Shop) -> None:
    kg = build_graph(shop.tables, as_of_unix_s=NOW)
    rows = kg.triples().to_pylist()
    made = {(r["head"], r["tail"]) for r in rows if r["relation"] == "made_by"}
    assert made == {(i, i % 7) for i in range(80)}
    assert all(r["at_unix_s"] is None for r in rows if r["relation"] == "made_by")
    bought = [r for r in rows if r["relation"] == "interacted"]
    pairs = set(zip(shop.tables.user.tolist(), shop.tables.item.tolist(), strict=True))
    assert {(r["head"], r["tail"]) for r in bought} == pairs
    assert all(r["at_unix_s"] < NOW for r in bought)


def test_a_damaged_folder_says_so(shop: Shop, tmp_path: Path) -> None:
    build_graph(shop.tables, as_of_unix_s=NOW).save(tmp_path)
    (tmp_path / "indptr.npy").unlink()
    with pytest.raises(GraphError, match=r"no graph can be read.*indptr"):
        KnowledgeGraph.open(tmp_path)


def test_neighborhood_is_what_networkx_reaches(shop: Shop) -> None:
    kg = build_graph(shop.tables, as_of_unix_s=NOW)
    whole = kg.neighborhood(0, hops=20, limit=kg.n_nodes)
    near = nx.single_source_shortest_path_length(whole.to_undirected(as_view=True), 0, cutoff=1)
    assert set(kg.neighborhood(0, hops=1, limit=kg.n_nodes)) == set(near)
    small = kg.neighborhood(0, hops=3, limit=5)
    strongest = kg.adjacent(0, 0, limit=4).node
    assert set(small) == {0, *strongest.tolist()}


def test_nodes_know_their_type(shop: Shop) -> None:
    kg = build_graph(shop.tables, as_of_unix_s=NOW)
    for node_type, row in (("user", 0), ("item", 79), ("category", 4), ("brand", 6)):
        assert kg.local_row(kg.global_row(node_type, row)) == (node_type, row)
    with pytest.raises(GraphError, match=r"user row 60 is not in this graph \(0\.\.59\)"):
        kg.global_row("user", 60)
    with pytest.raises(GraphError, match="no node type 'shelf'"):
        kg.global_row("shelf", 0)


def test_pyg_sees_the_same_edges(shop: Shop) -> None:
    kg = build_graph(shop.tables, as_of_unix_s=NOW)
    data = kg.to_hetero()
    assert data.validate()
    index = data["item", "made_by", "brand"].edge_index
    assert {tuple(e) for e in index.T.tolist()} == {(i, i % 7) for i in range(80)}
    assert "edge_time" not in data["item", "made_by", "brand"]
    assert int(data["user", "interacted", "item"].edge_time.max()) == shop.tables.at_unix_s.max()
