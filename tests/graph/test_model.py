"""The network propagates as written, and every weight in it learns."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from planted_shop import NOW, Shop

from graph import GraphConfig, GraphModel, KnowledgeGraph, build_graph
from graph.adjacency import Adjacency
from graph.inputs import Content, GraphInputs, graph_inputs
from graph.propagation import RelationMean
from graph.train import Draw, batch_loss, step

CONFIG = GraphConfig(width=16, batch_size=256, n_negatives=40)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def kg(shop: Shop) -> KnowledgeGraph:
    return build_graph(shop.tables, as_of_unix_s=NOW)


@pytest.fixture(scope="module")
def inputs(shop: Shop, kg: KnowledgeGraph) -> GraphInputs:
    vectors = np.random.default_rng(0).normal(size=(80, 6)).astype(np.float32)
    known = np.arange(80) % 5 > 0
    return graph_inputs(kg, shop.tables, Content(vectors, known), CONFIG, seed=0)


def shaken(inputs: GraphInputs) -> GraphModel:
    """A model whose every parameter is somewhere."""
    model = GraphModel(inputs, layers=2, popularity_scale=0.5)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.rand(parameter.shape, generator=generator)
    return model


def test_propagation_and_its_gradient_equal_the_dense_mean() -> None:
    rng = np.random.default_rng(0)
    weights = rng.random((5, 7)) * (rng.random((5, 7)) < 0.6)
    weights[2] = 0
    dense = torch.from_numpy(weights / weights.sum(1, keepdims=True).clip(1e-9)).float()
    adjacency = Adjacency.mean(sp.csr_array(weights), CPU)
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    message = RelationMean()(x, adjacency)
    torch.testing.assert_close(message, dense @ x)
    assert not message[2].any()
    direction = torch.arange(15.0).reshape(5, 3)
    (gradient,) = torch.autograd.grad((message * direction).sum(), x)
    torch.testing.assert_close(gradient, dense.T @ direction)


def test_relation_weights_are_the_gates_into_items_by_hand(inputs: GraphInputs) -> None:
    model = shaken(inputs)
    into = [link.relation for link in inputs.links if link.target == "item"]
    assert len(into) == len(set(into)) == 4
    alphas = [torch.softmax(gates.get_parameter("item").detach(), 0)[1:] for gates in model.gates]
    mean = (sum(alphas) / len(alphas)).tolist()
    expected = {name: weight / max(mean) for name, weight in zip(into, mean, strict=True)}
    assert model.relation_weights() == pytest.approx(expected)
    assert max(model.relation_weights().values()) == 1.0


def test_forward_equals_a_dense_oracle(inputs: GraphInputs) -> None:
    model = shaken(inputs)
    shown = (torch.arange(80) % 3 > 0).float()
    assert inputs.warm.all()
    x = {name: value.detach() for name, value in model.side.items()}
    content = inputs.content @ model.project
    x["item"] = (shown[:, None] * (inputs.taste + model.offset) + content).detach()
    dense = {}
    for link in inputs.links:
        matrix = link.hops[0].forward.to_dense()
        dense[link.name] = matrix if len(link.hops) == 1 else link.hops[1].forward @ matrix
    for targets, gates in zip((None, {"item"}), model.gates, strict=True):
        new = dict(x)
        for target in x:
            if targets is not None and target not in targets:
                continue
            incoming = [link for link in inputs.links if link.target == target]
            alpha = torch.softmax(gates.get_parameter(target).detach(), 0)
            new[target] = alpha[0] * x[target] + sum(
                a * dense[link.name] @ x[link.source]
                for a, link in zip(alpha[1:], incoming, strict=True)
            )
        x = new
    taste, popularity = model(inputs, shown)
    torch.testing.assert_close(taste, x["item"] / x["item"].norm(dim=1, keepdim=True))
    expected = model.popularity_scale * inputs.popularity + shown * model.popularity_offset
    torch.testing.assert_close(popularity, expected.clamp(0, 0.95))


def test_every_parameter_receives_a_gradient(inputs: GraphInputs) -> None:
    model = shaken(inputs)
    batch = Draw.of(inputs, CONFIG).batch(np.random.default_rng(0))
    batch_loss(model, inputs, batch, CONFIG).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("loss", ["sampled_softmax", "bpr"])
def test_one_batch_is_overfitted(inputs: GraphInputs, loss: str) -> None:
    config = CONFIG.model_copy(update={"loss": loss, "batch_size": 16})
    model = GraphModel(inputs, layers=2, popularity_scale=0.5)
    batch = Draw.of(inputs, config).batch(np.random.default_rng(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = [step(model, inputs, batch, optimizer, config) for _ in range(60)]
    assert losses[-1] < 0.3 * losses[0]


def test_gradients_do_not_accumulate(inputs: GraphInputs) -> None:
    model = shaken(inputs)
    batch = Draw.of(inputs, CONFIG).batch(np.random.default_rng(0))
    still = torch.optim.SGD(model.parameters(), lr=0.0)
    gradients = []
    for _ in range(2):
        step(model, inputs, batch, still, CONFIG)
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second)


def test_a_positive_is_scored_without_itself(inputs: GraphInputs) -> None:
    """The loss of a user's only item must not fall when that item resembles itself more."""
    config = CONFIG.model_copy(update={"batch_size": 1})
    draw = Draw.of(inputs, config)
    batch = draw.batch(np.random.default_rng(3))
    user, item = int(batch.users[0]), int(batch.item[0])
    taste, _ = GraphModel(inputs, 2, 0.5)(inputs, batch.shown)
    row = inputs.pairs[[user]].toarray().ravel()
    others = torch.from_numpy(np.where(np.arange(80) == item, 0, row)).float() @ taste
    mean = torch.from_numpy(row).float() @ taste / float(row.sum())
    without = mean - batch.share[0] * taste[item]
    torch.testing.assert_close(
        without / without.norm(), others / others.norm(), rtol=1e-4, atol=1e-5
    )
