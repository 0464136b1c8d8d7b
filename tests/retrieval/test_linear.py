"""The table against EASE's closed form, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.linear import linear_neighbours
from retrieval.neighbours import Neighbours

N_USERS, N_ITEMS = 40, 12


def events(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, N_USERS, 400), rng.integers(0, N_ITEMS, 400)


def dense(table: Neighbours) -> np.ndarray:
    """Weight of each item (row) for each other (column)."""
    n = len(table.rows)
    weight = np.zeros((n, n))
    for owner in range(n):
        np.add.at(weight[:, owner], table.rows[owner], table.weight[owner])
    return weight


def ease(user: np.ndarray, item: np.ndarray, ridge: float) -> np.ndarray:
    taken = np.zeros((N_USERS, N_ITEMS))
    np.add.at(taken, (user, item), 1)
    x = np.log1p(taken)
    p = np.linalg.inv(x.T @ x + ridge * np.eye(N_ITEMS))
    weight = -p / np.diag(p)
    np.fill_diagonal(weight, 0)
    return weight


@pytest.mark.parametrize("ridge", [2.0, 50.0])
def test_with_full_rank_the_weights_are_those_of_ease(ridge: float) -> None:
    user, item = events()
    found = linear_neighbours(
        user, item, shape=(N_USERS, N_ITEMS), n=N_ITEMS, ridge=ridge, rank=N_ITEMS
    )
    expected = np.maximum(ease(user, item, ridge), 0)
    np.testing.assert_allclose(dense(found), expected, rtol=1e-3, atol=1e-5)


def test_the_heaviest_are_kept_in_order() -> None:
    user, item = events()
    whole = ease(user, item, 5.0)
    found = linear_neighbours(user, item, shape=(N_USERS, N_ITEMS), n=3, ridge=5.0, rank=N_ITEMS)
    for owner in range(N_ITEMS):
        np.testing.assert_array_equal(found.rows[owner], np.argsort(-whole[:, owner])[:3])
        assert (np.diff(found.weight[owner]) <= 0).all()


def test_what_one_item_explains_the_other_does_not_get_twice() -> None:
    # Who takes 0 takes 1 and, through 1 alone, 2: a cosine would pair 0 with 2 as well.
    rng = np.random.default_rng(1)
    zero = rng.random(3000) < 0.5
    one = np.where(zero, rng.random(3000) < 0.8, rng.random(3000) < 0.2)
    two = np.where(one, rng.random(3000) < 0.8, rng.random(3000) < 0.2)
    user, item = np.nonzero(np.column_stack([zero, one, two]))
    found = linear_neighbours(user, item, shape=(3000, 3), n=2, ridge=10.0, rank=3)
    strength = dense(found)
    assert strength[1, 2] > 4 * strength[0, 2]


def test_items_that_few_took_stand_apart() -> None:
    user = np.array([0, 0, 1, 1, 2, 2, 0])
    item = np.array([0, 1, 0, 1, 0, 1, 2])
    found = linear_neighbours(user, item, shape=(3, 4), n=2, ridge=1.0, min_users=2)
    assert found.weight[2:].sum() == 0
    assert not np.isin(2, found.rows[:2][found.weight[:2] > 0])
    assert found.weight[0, 0] > 0
    alone = linear_neighbours(user, item, shape=(3, 4), n=2, min_users=9)
    assert alone.weight.sum() == 0


def test_the_same_seed_gives_the_same_table() -> None:
    user, item = events(3)
    first, again = (
        linear_neighbours(user, item, shape=(N_USERS, N_ITEMS), n=4, rank=3, seed=7)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.weight, again.weight)
    np.testing.assert_array_equal(first.rows, again.rows)
