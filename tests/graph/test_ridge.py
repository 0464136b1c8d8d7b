"""Ridge on neighbours against the dense regression."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from graph.filters import ItemGraph, item_graph
from graph.ridge import ridge_graph
from graph.schema import GraphError


def _graph(seed: int, items: int = 10) -> ItemGraph:
    rng = np.random.default_rng(seed)
    return item_graph(sp.csr_array((rng.random((40, items)) < 0.4).astype(np.float32)), items)


@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_all_neighbours_are_the_regression_of_ease(strength: float) -> None:
    graph = _graph(0)
    gram = graph.cosine.toarray().astype(np.float64) + np.diag(graph.diagonal)
    inverse = np.linalg.inv(gram + strength * np.eye(10))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(ridge_graph(graph, 9, strength).toarray(), expected, atol=1e-5)


def test_few_neighbours_are_their_own_regression() -> None:
    graph, strength = _graph(1), 0.3
    gram = graph.cosine.toarray() + np.diag(graph.diagonal)
    found = ridge_graph(graph, 3, strength).toarray()
    for item in range(10):
        near = np.argsort(-graph.cosine.toarray()[item], kind="stable")[:3]
        system = gram[np.ix_(near, near)] + strength * np.eye(3)
        expected = np.zeros(10)
        expected[near] = np.linalg.solve(system, gram[near, item])
        np.testing.assert_allclose(found[:, item], expected, atol=1e-5)


def test_twins_share_the_weight() -> None:
    # Items 1 and 2 are always touched together, half of the time with 0.
    rows = np.array([[1, 1, 1], [0, 1, 1], [1, 1, 1], [1, 0, 0]], np.float32)
    graph = item_graph(sp.csr_array(rows), 2)
    weights = ridge_graph(graph, 2, 0.01).toarray()
    np.testing.assert_allclose(weights[1, 0], weights[2, 0], rtol=1e-4)
    assert weights[1, 0] < 0.75 * graph.cosine.toarray()[0, 1] / graph.diagonal[1]


def test_items_without_neighbours_get_none() -> None:
    alone = item_graph(sp.csr_array(np.eye(4, dtype=np.float32)), 3)
    assert ridge_graph(alone, 3, 0.1).nnz == 0


def test_a_system_that_pruning_made_indefinite_still_has_weights() -> None:
    strong = np.full((4, 4), 0.9, np.float32)
    strong[0, 1] = strong[1, 0] = 0
    np.fill_diagonal(strong, 0)
    degree = np.ones(4, np.float32)
    graph = ItemGraph(sp.csr_array(strong), np.full(4, 0.1, np.float32), degree)
    assert np.isfinite(ridge_graph(graph, 3, 0.01).data).all()


@pytest.mark.parametrize("strength", [0.0, -1.0])
def test_strength_must_be_positive(strength: float) -> None:
    with pytest.raises(GraphError, match="more than 0"):
        ridge_graph(_graph(0), 3, strength)
