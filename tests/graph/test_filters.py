"""Closed-form filters against arithmetic by hand and against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.filters import Kernel, item_graph, normalised
from graph.schema import GraphError

# User 0 touched items 0 and 1, user 1 items 0, 1 and 2, user 2 item 2.
TOUCHED = sp.csr_array(np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 0]], np.float32))


def _random(seed: int, users: int = 20, items: int = 12) -> sp.csr_array:
    rng = np.random.default_rng(seed)
    return sp.csr_array((rng.random((users, items)) < 0.3).astype(np.float32))


def test_cosines_by_hand() -> None:
    graph = item_graph(TOUCHED, 4, user_exponent=1.0)
    dense = graph.cosine.toarray()
    np.testing.assert_allclose(dense[0, 1], (1 / 2 + 1 / 3) / 2, rtol=1e-6)
    np.testing.assert_allclose(dense[0, 2], (1 / 3) / 2, rtol=1e-6)
    np.testing.assert_allclose(
        graph.diagonal, [(1 / 2 + 1 / 3) / 2, (1 / 2 + 1 / 3) / 2, (1 / 3 + 1) / 2, 0], rtol=1e-6
    )
    assert not dense[3].any()
    assert not np.diag(dense).any()
    np.testing.assert_array_equal(graph.degree, [2, 2, 2, 0])


def test_a_kernel_by_hand() -> None:
    graph = item_graph(_random(3), 12)
    i, j = (int(k[0]) for k in graph.cosine.nonzero())
    weights = graph.weights(Kernel(source=0.75, target=0.25, power=2.0))
    expected = graph.cosine[i, j] ** 2 * graph.degree[i] ** -0.25 * graph.degree[j] ** 0.25
    np.testing.assert_allclose(weights[i, j], expected, rtol=1e-5)
    np.testing.assert_array_equal(weights.indices, graph.cosine.indices)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1.5))
def test_all_neighbours_are_the_dense_product(seed: int, exponent: float) -> None:
    touched = _random(seed)
    dense = touched.toarray().astype(np.float64)
    users, items = dense.sum(1).clip(1), dense.sum(0).clip(1)
    cosine = (dense.T / users**exponent) @ dense / np.sqrt(np.outer(items, items))
    np.fill_diagonal(cosine, 0)
    graph = item_graph(touched, 12, user_exponent=exponent)
    np.testing.assert_allclose(graph.cosine.toarray(), cosine, atol=1e-5)


def test_pruning_keeps_the_strongest() -> None:
    whole = item_graph(_random(5), 12).cosine.toarray()
    pruned = item_graph(_random(5), 3).cosine.toarray()
    assert ((pruned > 0).sum(axis=1) == np.minimum((whole > 0).sum(axis=1), 3)).all()
    for full, kept in zip(whole, pruned, strict=True):
        assert kept[kept > 0].min(initial=1) >= full[kept == 0].max(initial=0)


def test_the_graph_does_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = item_graph(_random(7), 4).cosine.toarray()
    monkeypatch.setattr("graph.filters.PRODUCTS_PER_CHUNK", 10)
    np.testing.assert_array_equal(item_graph(_random(7), 4).cosine.toarray(), whole)


def test_normalised_by_hand() -> None:
    found = normalised(TOUCHED, 1.0, 0.5).toarray()
    np.testing.assert_allclose(found[1, 2], 1 / 3 / 2**0.5, rtol=1e-6)
    assert not found[:, 3].any()


def test_negative_interactions_are_refused() -> None:
    with pytest.raises(GraphError, match="0 or more"):
        item_graph(sp.csr_array(np.array([[1.0, -1.0]])), 2)
