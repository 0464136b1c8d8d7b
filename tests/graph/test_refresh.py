"""Vectors that start from earlier ones."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from planted_shop import DAY, NOW, Shop

from graph import GraphConfig, GraphError, build_graph, fit
from graph.refresh import Earlier, freshness, leading_factors, refresh_items
from graph.spectral import spectral_state
from graph.vectors import split_items

CONFIG = GraphConfig(width=16, epochs=0)
THEN = NOW - 30 * DAY


@pytest.fixture(scope="module")
def content(shop: Shop) -> np.ndarray:
    rng = np.random.default_rng(3)
    noisy = rng.standard_normal((shop.tables.n_items, 8)) + 2 * shop.item_block[:, None]
    return (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)


def learned(shop: Shop, content: np.ndarray, as_of: int, config: GraphConfig = CONFIG):
    kg = build_graph(shop.tables, as_of_unix_s=as_of, half_life_days=config.half_life_days)
    shown = np.ones(len(content), bool)
    return fit(kg, shop.tables.until(as_of), content, shown, config, seed=0).items


def refreshed(shop: Shop, content: np.ndarray, items: np.ndarray, to: int = NOW, tables=None):
    return refresh_items(
        Earlier(items, THEN),
        shop.tables if tables is None else tables,
        content,
        np.ones(len(content), bool),
        CONFIG,
        as_of_unix_s=to,
        seed=0,
    )


def gram(items: np.ndarray) -> np.ndarray:
    return items @ items.T


def test_subspace_iteration_finds_the_factors_of_the_svd() -> None:
    """Three planted factors, far apart: the start knows nothing of them."""
    rng = np.random.default_rng(0)
    block = rng.integers(0, 3, 90)
    pairs = sp.csr_array((block[:, None] == np.arange(60) % 3).astype(np.float32))
    start = rng.standard_normal((60, 3)).astype(np.float32)
    basis, strength = leading_factors(pairs, start, seed=0, rounds=8)
    exact = spectral_state(pairs, 3, seed=0)
    np.testing.assert_allclose(strength, exact.strength, atol=1e-4)
    np.testing.assert_allclose(basis @ basis.T, exact.items @ exact.items.T, atol=1e-4)


def test_a_closed_form_becomes_nearly_the_closed_form_of_now(
    shop: Shop, content: np.ndarray
) -> None:
    earlier = learned(shop, content, THEN)
    items = refreshed(shop, content, earlier)
    now = learned(shop, content, NOW)
    corner = np.triu_indices(len(items), 1)
    agree = np.corrcoef(gram(items[:, 1:])[corner], gram(now[:, 1:])[corner])[0, 1]
    stale = np.corrcoef(gram(earlier[:, 1:])[corner], gram(now[:, 1:])[corner])[0, 1]
    assert agree > stale
    assert agree > 0.9


def test_the_axes_stay(shop: Shop, content: np.ndarray) -> None:
    """The reranker's weights were learned in the earlier space."""
    earlier = learned(shop, content, THEN)
    items = refreshed(shop, content, earlier)
    own = np.einsum("ig,ig->i", split_items(earlier)[0], split_items(items)[0])
    assert np.median(own) > 0.7
    np.testing.assert_allclose(np.linalg.norm(items, axis=1), 1, atol=1e-5)


def test_what_sells_anew_rises_and_what_no_longer_sells_falls(
    shop: Shop, content: np.ndarray
) -> None:
    earlier = learned(shop, content, THEN)
    late = shop.tables.at_unix_s >= THEN
    rising, falling = 7, 50
    item = np.where(late, rising, shop.tables.item)
    from dataclasses import replace

    items = refreshed(shop, content, earlier, tables=replace(shop.tables, item=item))
    assert items[rising, 0] > earlier[rising, 0]
    assert items[falling, 0] < earlier[falling, 0]


def test_an_item_nobody_touched_is_guessed_from_content(shop: Shop, content: np.ndarray) -> None:
    cold = 3
    tables = shop.tables.where(shop.tables.item != cold)
    earlier = learned(shop, content, THEN)
    items = refreshed(shop, content, earlier, tables=tables)
    likeness = items[:, 1:] @ items[cold, 1:]
    same = (shop.item_block == shop.item_block[cold]) & (np.arange(len(items)) != cold)
    assert items[cold, 0] == 0
    assert likeness[same].mean() > likeness[~same].mean() + 0.2


def test_an_item_first_touched_after_the_earlier_moment_lands_in_its_block(
    shop: Shop, content: np.ndarray
) -> None:
    new = 60
    tables = shop.tables.where((shop.tables.item != new) | (shop.tables.at_unix_s >= THEN))
    from dataclasses import replace

    earlier = learned(replace(shop, tables=tables), content, THEN)
    items = refreshed(shop, content, earlier, tables=tables)
    likeness = items[:, 1:] @ items[new, 1:]
    same = shop.item_block == shop.item_block[new]
    assert likeness[same].mean() > likeness[~same].mean() + 0.2


def test_later_events_change_nothing(shop: Shop, content: np.ndarray) -> None:
    earlier = learned(shop, content, THEN)
    to = NOW - 15 * DAY
    whole = refreshed(shop, content, earlier, to=to)
    cut = refreshed(shop, content, earlier, to=to, tables=shop.tables.until(to))
    np.testing.assert_array_equal(whole, cut)
    np.testing.assert_array_equal(whole, refreshed(shop, content, earlier, to=to))


def test_freshness_ranks_truth_above_noise(shop: Shop, content: np.ndarray) -> None:
    truth = learned(shop, content, THEN)
    noise = np.random.default_rng(0).standard_normal(truth.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    config = CONFIG.model_copy(update={"validation_k": 10})
    found = freshness(shop.tables, (noise, truth, truth), config, cut_unix_s=THEN, seed=0)
    assert found.n_users > 30
    assert found.refreshed == found.retrained > 1.3 * found.stale


def test_vectors_of_other_items_or_a_later_moment_are_refused(
    shop: Shop, content: np.ndarray
) -> None:
    items = learned(shop, content, THEN)
    with pytest.raises(GraphError, match="expected"):
        refreshed(shop, content, items[:-1])
    with pytest.raises(GraphError, match="later moment"):
        refreshed(shop, content, items, to=THEN - DAY)
