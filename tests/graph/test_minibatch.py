"""Sampled training: nothing from the future, the whole graph in the limit, and it learns."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_shop import NOW, Shop

from graph import GraphConfig, GraphModel, KnowledgeGraph, build_graph, fit
from graph.inputs import Content, GraphInputs, graph_inputs
from graph.minibatch import Parts
from graph.neighbours import ALWAYS, TimedRows
from graph.train import batch_loss, step

CONFIG = GraphConfig(width=12, batch_size=200, n_negatives=30, id_dropout=0.0, fanout=4)
EVERYTHING = 10_000


@pytest.fixture(scope="module")
def kg(shop: Shop) -> KnowledgeGraph:
    return build_graph(shop.tables, as_of_unix_s=NOW)


@pytest.fixture(scope="module")
def inputs(shop: Shop, kg: KnowledgeGraph) -> GraphInputs:
    content = np.random.default_rng(0).normal(size=(80, 6)).astype(np.float32)
    return graph_inputs(kg, shop.tables, Content(content, np.ones(80, bool)), CONFIG, seed=0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 9)), max_size=60),
    st.integers(0, 10),
    st.integers(1, 8),
)
def test_a_sample_is_of_the_past_and_has_no_edge_twice(
    edges: list[tuple[int, int, int]], moment: int, fanout: int
) -> None:
    unique = {(node, near): at for node, near, at in edges}
    node, near = np.array(list(unique), np.int64).reshape(-1, 2).T
    at = np.array(list(unique.values()), np.int64)
    weights = sp.coo_array((np.ones(len(at)), (node, near)), shape=(5, 7))
    rows = np.array([3, 0, 4, 1], np.int64)
    found = TimedRows.of(weights, at).sample(rows, moment, fanout, np.random.default_rng(0))
    drawn = list(zip(rows[found.row].tolist(), found.neighbour.tolist(), strict=True))
    assert len(set(drawn)) == len(drawn)
    assert [unique[edge] for edge in drawn] == found.at_unix_s.tolist()
    assert (found.at_unix_s < moment).all()
    for k, row in enumerate(rows):
        past = sum(n == row and t < moment for (n, _), t in unique.items())
        assert (found.row == k).sum() == min(past, fanout)


def test_every_past_edge_is_drawn_alike() -> None:
    weights = sp.coo_array((np.ones(12), (np.zeros(12, int), np.arange(12))), shape=(1, 12))
    rows = TimedRows.of(weights, np.arange(12))
    rng = np.random.default_rng(0)
    drawn = [rows.sample(np.array([0]), 10, 4, rng).neighbour for _ in range(4000)]
    share = np.bincount(np.concatenate(drawn), minlength=12) / 4000
    np.testing.assert_allclose(share[10:], 0)
    np.testing.assert_allclose(share[:10].sum(), 4)
    assert share[:10].min() > 0.3  # 4 of 10 edges each time; stretches of 2 or 3 edges


def test_no_sampled_edge_is_newer_than_its_label(
    shop: Shop, kg: KnowledgeGraph, inputs: GraphInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every edge of every part, found again in the tables: all its events precede the labels."""
    seen: list[tuple[int, int]] = []
    plain = TimedRows.sample

    def spied(rows: TimedRows, nodes: np.ndarray, moment: int, *rest: object) -> object:
        found = plain(rows, nodes, moment, *rest)  # type: ignore[arg-type]
        seen.append((int(found.at_unix_s.max(initial=ALWAYS)), moment))
        return found

    monkeypatch.setattr(TimedRows, "sample", spied)
    parts = Parts.of(kg, inputs, CONFIG, fanout=50)
    last = np.zeros((60, 80), np.int64)
    np.maximum.at(last, (shop.tables.user, shop.tables.item), shop.tables.at_unix_s)
    rng, timed = np.random.default_rng(0), 0
    for _ in range(10):
        seen.clear()
        part, batch = parts.batch(rng)
        assert part.rows is not None
        items = part.rows["item"].numpy()[batch.item.numpy()]
        users = np.unique(parts.user[np.isin(parts.item, items)])
        labels = last[np.ix_(users, items)]
        moment = seen[0][1]
        assert all(at < moment and m == moment for at, m in seen)
        assert (labels.max(axis=0) >= moment).all()
        timed += sum(at > ALWAYS for at, _ in seen)
    assert timed > 10
    assert not any(link.name.startswith("bought_with") for link in part.links)


def test_all_neighbours_sampled_are_the_whole_graph(
    kg: KnowledgeGraph, inputs: GraphInputs
) -> None:
    """With no limit and no moment in the way, a part propagates as the whole graph does."""
    only = kg.only([e.relation for e in kg.edge_types if e.relation != "bought_with"])
    links = tuple(x for x in inputs.links if not x.name.startswith("bought_with"))
    whole = GraphInputs(**{n: getattr(inputs, n) for n in inputs.__slots__} | {"links": links})
    parts = Parts.of(only, whole, CONFIG, fanout=EVERYTHING)
    model = GraphModel(whole, layers=2, popularity_scale=0.5)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.rand(parameter.shape, generator=generator)
    asked = np.array([2, 31, 77])
    found = parts._part(asked, NOW + 1, np.random.default_rng(0))
    some = parts._inputs(found, whole.readout, whole.pairs)
    taste, popularity = model(some, torch.ones(len(found.items)))
    expected, sold = model(whole, torch.ones(80))
    place = np.searchsorted(found.items, asked)
    torch.testing.assert_close(taste[place], expected[asked], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(popularity[place], sold[asked])


def test_sampled_steps_learn_the_planted_blocks(shop: Shop, kg: KnowledgeGraph) -> None:
    config = CONFIG.model_copy(update={"epochs": 4, "batch_size": 512, "validation_k": 10})
    content = np.zeros((80, 1), np.float32)
    found = fit(kg, shop.tables, content, np.zeros(80, bool), config, seed=0)
    top = np.argsort(-(found.users @ found.items.T), axis=1)[:, :10]
    assert (shop.item_block[top] == shop.user_block[:, None]).mean() > 0.95  # chance: 0.5


def test_one_sampled_batch_is_overfitted(kg: KnowledgeGraph, inputs: GraphInputs) -> None:
    config = CONFIG.model_copy(update={"batch_size": 16})
    part, batch = Parts.of(kg, inputs, config, fanout=4).batch(np.random.default_rng(5))
    model = GraphModel(inputs, layers=2, popularity_scale=0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = [step(model, part, batch, optimizer, config) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("fanout", [None, 4], ids=["whole", "sampled"])
def test_contrast_is_seeded_and_teaches(
    kg: KnowledgeGraph, inputs: GraphInputs, fanout: int | None
) -> None:
    """The term has a gradient of its own, and the noise of one batch is always the same."""
    from graph.train import drawing

    config = CONFIG.model_copy(update={"contrastive_weight": 0.5, "fanout": fanout})
    part, batch = drawing(kg, inputs, config)(np.random.default_rng(0))
    model = GraphModel(inputs, layers=2, popularity_scale=0.5)
    first = batch_loss(model, part, batch, config)
    assert first == batch_loss(model, part, batch, config)
    plain = batch_loss(model, part, batch, config.model_copy(update={"contrastive_weight": 0.0}))
    assert first > plain
    silent = config.model_copy(update={"contrastive_noise": 0.0})
    assert batch_loss(model, part, batch, silent) != first
