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


@settings(max_examples=60, deadline=None)
@given(likes=edge_lists(range(3), range(3, 7)), made=edge_lists(range(3, 7), range(7, 9)))
def test_runs_of_many_nodes_are_the_slices_of_each(
    likes: list[tuple[int, int, float]], made: list[tuple[int, int, float]]
) -> None:
    kg = KnowledgeGraph.from_edges(
        SIZES, (edges_of(LIKES, likes, True), edges_of(MADE, made, False)), as_of_unix_s=NOW
    )
    nodes, slots = np.arange(kg.n_nodes), np.arange(4)
    begins, ends = kg.runs(nodes[:, None], slots[None, :])
    for node in nodes.tolist():
        for slot in slots.tolist():
            near = kg.adjacent(node, slot)
            part = slice(begins[node, slot], ends[node, slot])
            np.testing.assert_array_equal(kg.neighbour[part], near.node)
            np.testing.assert_array_equal(kg.weight[part], near.weight)


def test_only_some_relations(shop: Shop) -> None:
    kg = build_graph(shop.tables, as_of_unix_s=NOW)
    some = kg.only({"made_by", "interacted", "unheard_of"})
    assert {e.relation for e in some.edge_types} == {"made_by", "interacted"}
    assert some.offsets == kg.offsets
    rows = [r for r in kg.triples().to_pylist() if r["relation"] in ("made_by", "interacted")]
    assert some.triples().to_pylist() == rows


def test_times_before_1970_and_after_2106_are_kept() -> None:
    early_and_late = np.array([-1, 2**33])
    edges = Edges(LIKES, np.array([0, 1]), np.array([3, 4]), np.ones(2, np.float32), early_and_late)
    kg = KnowledgeGraph.from_edges(SIZES, (edges,), as_of_unix_s=2**34)
    assert kg.edges(0).at_unix_s.tolist() == [-1, 2**33]


def test_an_edge_takes_28_bytes_and_a_node_8(shop: Shop) -> None:
    kg = build_graph(shop.tables, as_of_unix_s=NOW)
    stats = kg.stats()
    n_edges = sum(n for _, n in stats.n_edges)
    assert stats.n_bytes == 28 * n_edges + 8 * (kg.n_nodes + 1)


def test_an_opened_graph_is_mapped_not_read(shop: Shop, tmp_path: Path) -> None:
    build_graph(shop.tables, as_of_unix_s=NOW).save(tmp_path)
    kg = KnowledgeGraph.open(tmp_path)
    mapped = (kg.neighbour, kg.weight, kg.slot, kg.indptr)
    assert all(isinstance(array.base, np.memmap) for array in mapped)


def test_graphml_is_read_back_by_networkx(shop: Shop, tmp_path: Path) -> None:
    kg = build_graph(shop.tables, as_of_unix_s=NOW)
    kg.to_graphml(tmp_path / "kg.graphml", {60: "the first item"})
    read = nx.read_graphml(tmp_path / "kg.graphml", node_type=int, force_multigraph=True)
    assert read.number_of_nodes() == kg.n_nodes
    assert read.nodes[60]["label"] == "the first item"
    assert read.nodes[61]["label"] == "item 1"
    table = kg.triples()
    assert read.number_of_edges() == len(table)
    weights = sorted(d["weight"] for *_, d in read.edges(data=True))
    np.testing.assert_allclose(weights, np.sort(table["weight"].to_numpy()), rtol=1e-6)
