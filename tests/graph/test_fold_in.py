"""Newcomers get vectors by the rule that training follows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graph import FactTable, GraphError, embed_items, embed_users, fit_item_map
from graph.vectors import join_items, split_items

RNG = np.random.default_rng(0)


def items_of(taste: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    unit = taste / np.linalg.norm(taste, axis=1, keepdims=True)
    return join_items(
        torch.from_numpy(unit.astype(np.float32)), torch.from_numpy(popularity.astype(np.float32))
    ).numpy()


def test_a_user_is_the_weighted_mean_taste_by_hand() -> None:
    items = items_of(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.6, 0.0]))
    np.testing.assert_allclose(items, [[0.6, 0.8, 0], [0, 0, 1]], atol=1e-6)
    users = embed_users(
        items,
        [np.array([0, 1]), np.array([], np.int64), np.array([1])],
        [np.array([3, 4], np.float32), np.array([], np.float32), np.array([2], np.float32)],
    )
    expected = [[0.8, 0.6 * 3 / 5, 0.6 * 4 / 5], [1, 0, 0], [0.8, 0, 0.6]]
    np.testing.assert_allclose(users, expected, atol=1e-6)


def test_split_undoes_join() -> None:
    taste = RNG.normal(size=(20, 5))
    popularity = RNG.random(20) * 0.95
    found, sold = split_items(items_of(taste, popularity))
    np.testing.assert_allclose(found, taste / np.linalg.norm(taste, axis=1)[:, None], atol=1e-5)
    np.testing.assert_allclose(sold, popularity, atol=1e-6)


def brands(rows: np.ndarray, tails: np.ndarray) -> FactTable:
    return FactTable("made_by", "brand", rows, tails, 10, np.ones(len(rows), np.float32))


def test_new_items_are_placed_by_their_content() -> None:
    """Where taste is a linear map of content, content alone finds the item's neighbours."""
    content = RNG.normal(size=(400, 6)).astype(np.float32)
    items = items_of(content @ RNG.normal(size=(6, 8)), np.full(400, 0.3))
    shown = np.ones(400, bool)
    known = np.arange(400) < 300
    none = brands(np.zeros(0, np.int64), np.zeros(0, np.int64))
    guess = embed_items(
        fit_item_map(items, known, content, shown, (none,)), content[300:], shown[300:], (none,)
    )
    cosine = (split_items(guess)[0] * split_items(items[300:])[0]).sum(axis=1)
    assert np.median(cosine) > 0.95  # chance: 0
    np.testing.assert_allclose(guess[:, 0], 0.3, atol=0.02)


def test_new_items_without_content_are_placed_by_their_brand() -> None:
    brand = np.arange(200) % 10
    centre = RNG.normal(size=(10, 8))
    items = items_of(centre[brand] + 0.1 * RNG.normal(size=(200, 8)), np.zeros(200))
    content, shown = np.zeros((200, 3), np.float32), np.zeros(200, bool)
    table = brands(np.arange(200), brand)
    item_map = fit_item_map(items, np.ones(200, bool), content, shown, (table,))
    new = embed_items(item_map, content[:10], shown[:10], (brands(np.arange(10), np.arange(10)),))
    similar = split_items(new)[0] @ (centre / np.linalg.norm(centre, axis=1, keepdims=True)).T
    assert (similar.argmax(axis=1) == np.arange(10)).all()
    np.testing.assert_allclose(np.linalg.norm(new, axis=1), 1, atol=1e-5)


def test_an_item_does_not_explain_itself() -> None:
    """Random items, each alone with its brand: nothing can be learned, so nothing is claimed."""
    items = items_of(RNG.normal(size=(10, 30)), np.zeros(10))
    content, shown = np.zeros((10, 1), np.float32), np.zeros(10, bool)
    item_map = fit_item_map(
        items, np.ones(10, bool), content, shown, (brands(np.arange(10), np.arange(10)),)
    )
    np.testing.assert_allclose(item_map.weights, 0, atol=1e-6)


def test_hidden_content_is_not_read() -> None:
    items = items_of(RNG.normal(size=(30, 4)), np.zeros(30))
    content = RNG.normal(size=(30, 3)).astype(np.float32)
    shown = np.arange(30) % 2 == 0
    spoiled = np.where(shown[:, None], content, np.nan).astype(np.float32)
    maps = [fit_item_map(items, np.ones(30, bool), c, shown, ()) for c in (content, spoiled)]
    np.testing.assert_array_equal(maps[0].weights, maps[1].weights)


def test_other_facts_raise() -> None:
    items = items_of(RNG.normal(size=(5, 4)), np.zeros(5))
    content, shown = np.zeros((5, 1), np.float32), np.zeros(5, bool)
    item_map = fit_item_map(items, np.ones(5, bool), content, shown, ())
    with pytest.raises(GraphError, match="the map was fitted with"):
        embed_items(item_map, content, shown, (brands(np.array([0]), np.array([0])),))
    with pytest.raises(GraphError, match="no item has events"):
        fit_item_map(items, np.zeros(5, bool), content, shown, ())


def test_a_user_is_the_mean_of_the_tastes_that_split_tells() -> None:
    items = items_of(RNG.normal(size=(50, 8)), RNG.random(50) * 0.95)
    rows, weight = np.arange(0, 50, 3), RNG.random(17).astype(np.float32)
    mean = weight @ split_items(items)[0][rows]
    expected = np.concatenate([[0.8], 0.6 * mean / np.linalg.norm(mean)])
    np.testing.assert_allclose(embed_users(items, [rows], [weight])[0], expected, atol=1e-6)
