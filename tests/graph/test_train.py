"""Training finds what was planted, keeps the better of two, and sees no future."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from planted_shop import DAY, NOW, Shop, make_shop

from graph import GraphConfig, GraphError, GraphVectors, build_graph, embed_users, fit, interest
from graph.train import Epoch

SMALL = GraphConfig(
    width=12, epochs=4, steps_per_epoch=5, batch_size=512, n_negatives=40, validation_k=10
)
CONTENT = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
SHOWN = np.ones(80, bool)


def fitted(shop: Shop, config: GraphConfig = SMALL, **settings: Any) -> GraphVectors:
    kg = build_graph(shop.tables, as_of_unix_s=NOW, half_life_days=config.half_life_days)
    return fit(kg, shop.tables, CONTENT, SHOWN, config, **{"seed": 0, **settings})


@pytest.fixture(scope="module")
def vectors(shop: Shop) -> GraphVectors:
    return fitted(shop)


@pytest.mark.parametrize("epochs", [0, 4], ids=["closed form", "network"])
def test_planted_blocks_are_recovered(shop: Shop, epochs: int) -> None:
    found = fitted(shop, SMALL.model_copy(update={"epochs": epochs}))
    scores = found.users @ found.items.T
    top = np.argsort(-scores, axis=1)[:, :10]
    right = shop.item_block[top] == shop.user_block[:, None]
    assert right.mean() > 0.95  # chance: 0.5


def test_held_out_edges_rank_above_the_others(shop: Shop) -> None:
    """AUC of the last 15 days, never seen; chance is 0.5, the planted blocks allow about 0.8."""
    cut = NOW - 15 * DAY
    kg = build_graph(shop.tables, as_of_unix_s=cut, half_life_days=90)
    found = fit(kg, shop.tables, CONTENT, SHOWN, SMALL, seed=0)
    scores = found.users @ found.items.T
    later = shop.tables.at_unix_s >= cut
    seen = np.zeros(scores.shape, bool)
    seen[shop.tables.user[~later], shop.tables.item[~later]] = True
    new = np.zeros(scores.shape, bool)
    new[shop.tables.user[later], shop.tables.item[later]] = True
    new &= ~seen
    auc = [
        (scores[u, new[u]][:, None] > scores[u, ~new[u] & ~seen[u]]).mean()
        for u in np.flatnonzero(new.any(axis=1))
    ]
    assert np.mean(auc) > 0.7


def test_rows_are_unit_float32(vectors: GraphVectors) -> None:
    for rows in (vectors.users, vectors.items):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_the_better_of_the_two_is_kept(vectors: GraphVectors) -> None:
    metrics = vectors.metrics
    assert vectors.trained == (metrics.gnn_recall > metrics.closed_form_recall)
    assert (metrics.epochs > 0) == vectors.trained
    assert metrics.n_validation_users > 30


def test_relation_weights_come_with_the_network_alone(vectors: GraphVectors) -> None:
    assert bool(vectors.relation_weights) == vectors.trained
    assert all(0 < weight <= 1 for weight in vectors.relation_weights.values())


def test_a_network_that_learns_nonsense_is_not_kept(shop: Shop) -> None:
    wild = SMALL.model_copy(update={"learning_rate": 50.0, "epochs": 2})
    found = fitted(shop, wild)
    assert not found.trained
    assert found.metrics.gnn_recall <= found.metrics.closed_form_recall
    calm = fitted(shop, SMALL.model_copy(update={"epochs": 0}))
    np.testing.assert_array_equal(found.items, calm.items)


def test_same_seed_same_vectors(shop: Shop, vectors: GraphVectors) -> None:
    again = fitted(shop)
    np.testing.assert_array_equal(again.items, vectors.items)
    np.testing.assert_array_equal(again.users, vectors.users)


def test_the_future_changes_nothing(shop: Shop, vectors: GraphVectors) -> None:
    tables = shop.tables
    rng = np.random.default_rng(1)
    n = 300
    later = replace(
        tables,
        user=np.append(tables.user, rng.integers(0, 60, n)),
        item=np.append(tables.item, rng.integers(0, 80, n)),
        at_unix_s=np.append(tables.at_unix_s, NOW + rng.integers(1, 30 * DAY, n)),
        weight=np.append(tables.weight, np.ones(n, np.float32)),
        session=np.append(tables.session, rng.choice(tables.session, n)),
    )
    again = fitted(Shop(later, shop.user_block, shop.item_block))
    np.testing.assert_array_equal(again.items, vectors.items)
    np.testing.assert_array_equal(again.users, vectors.users)


def test_users_of_training_are_their_fold_in(shop: Shop, vectors: GraphVectors) -> None:
    kg = build_graph(shop.tables, as_of_unix_s=NOW, half_life_days=90)
    for user in (0, 1, 59):
        near = kg.adjacent(user, 0)
        again = embed_users(vectors.items, [near.node - 60], [interest(near.weight)])
        np.testing.assert_allclose(again[0], vectors.users[user], atol=1e-5)


@pytest.mark.parametrize("epochs", [0, 4], ids=["closed form", "network"])
def test_an_item_without_events_joins_its_category(epochs: int) -> None:
    """Items 0 and 79 are taken out of every event; their categories say where they belong."""
    shop = make_shop()
    tables = shop.tables.where((shop.tables.item != 0) & (shop.tables.item != 79))
    config = SMALL.model_copy(update={"epochs": epochs})
    kg = build_graph(tables, as_of_unix_s=NOW)
    found = fit(kg, tables, CONTENT, ~SHOWN, config, seed=0)
    liking = found.users[:, 1:] @ found.items[[0, 79], 1:].T
    first, second = (liking[shop.user_block == block].mean(axis=0) for block in (0, 1))
    assert first[0] > second[0] + 0.1
    assert second[1] > first[1] + 0.1


def test_a_shop_without_events_gets_vectors(shop: Shop) -> None:
    empty = Shop(shop.tables.until(0), shop.user_block, shop.item_block)
    found = fitted(empty)
    assert not found.trained
    assert np.isnan(found.metrics.closed_form_recall)
    np.testing.assert_allclose(np.linalg.norm(found.items, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.users, axis=1), 1, atol=1e-5)


def test_progress_is_told(shop: Shop) -> None:
    told: list[Epoch] = []
    found = fitted(shop, on_epoch=told.append)
    assert [e.number for e in told] == list(range(1, len(told) + 1))
    assert max(e.recall for e in told) == found.metrics.gnn_recall


def test_content_must_fit(shop: Shop) -> None:
    kg = build_graph(shop.tables, as_of_unix_s=NOW)
    with pytest.raises(GraphError, match=r"float64 \(80, 4\), expected float32 \(80, D\)"):
        fit(kg, shop.tables, CONTENT.astype(float), SHOWN, SMALL, seed=0)
    with pytest.raises(GraphError, match="has_content is bool"):
        fit(kg, shop.tables, CONTENT, SHOWN[:3], SMALL, seed=0)
    with pytest.raises(GraphError, match="the graph has nodes"):
        fit(kg, replace(shop.tables, n_users=61), CONTENT, SHOWN, SMALL, seed=0)


def test_config_survives_a_round_trip() -> None:
    assert GraphConfig.model_validate(SMALL.model_dump()) == SMALL
    assert GraphConfig.model_validate_json(SMALL.model_dump_json()) == SMALL
    with pytest.raises(ValueError, match="extra"):
        GraphConfig.model_validate({"widht": 3})
