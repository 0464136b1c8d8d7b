"""Implicit factors against the exact solution, and on planted tastes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from graph.implicit_factors import Factors, FactorSizes, implicit_factors
from graph.schema import GraphError

SIZES = FactorSizes(width=6, confidence=8.0, penalty=1.0, sweeps=40)


def _blocks(users: int = 90, items: int = 45) -> sp.csr_array:
    """Users touch half of the items of their own third, and few others."""
    rng = np.random.default_rng(0)
    own = np.arange(users)[:, None] % 3 == np.arange(items) % 3
    return sp.csr_array((rng.random((users, items)) < np.where(own, 0.5, 0.02)).astype(np.float32))


def _confidence(touched: np.ndarray, sizes: FactorSizes) -> np.ndarray:
    discount = touched.sum(axis=0).clip(1) ** -sizes.popularity_exponent
    extra = touched * discount
    return 1 + sizes.confidence * extra / extra[touched > 0].mean()


def _loss(touched: np.ndarray, factors: Factors, sizes: FactorSizes) -> float:
    error = (touched > 0) - factors.users @ factors.items.T
    ridge = (factors.users**2).sum() + (factors.items**2).sum()
    return float((_confidence(touched, sizes) * error**2).sum() + sizes.penalty * ridge)


def test_users_solve_their_weighted_ridge_regression() -> None:
    touched = _blocks()
    found = implicit_factors(touched, SIZES, seed=0)
    confidence, items = _confidence(touched.toarray(), SIZES), found.items.astype(np.float64)
    for user in (0, 7, 44):
        weighted = items.T * confidence[user]
        system = weighted @ items + SIZES.penalty * np.eye(SIZES.width)
        expected = np.linalg.solve(system, weighted @ (touched.toarray()[user] > 0))
        np.testing.assert_allclose(found.users[user], expected, atol=2e-2)


def test_every_sweep_lowers_the_loss() -> None:
    touched = _blocks()
    losses = [
        _loss(touched.toarray(), implicit_factors(touched, sizes, seed=0), sizes)
        for sizes in (replace(SIZES, sweeps=n) for n in (1, 2, 4, 8, 16))
    ]
    assert losses == sorted(losses, reverse=True)


def test_untouched_items_of_the_own_block_come_first() -> None:
    touched = _blocks()
    found = implicit_factors(touched, replace(SIZES, width=3), seed=0)
    scores = np.where(touched.toarray() > 0, -np.inf, found.users @ found.items.T)
    best = np.argsort(-scores, axis=1)[:, :5]
    own = best % 3 == np.arange(len(scores))[:, None] % 3
    assert own.mean() > 0.95  # chance is a third


def test_the_discount_takes_confidence_from_popular_items() -> None:
    # Item 0 is everyone's; its approximation gets worse as its confidence falls.
    touched = _blocks().toarray()
    touched[:, 0] = 1.0
    plain, discounted = (
        implicit_factors(sp.csr_array(touched), replace(SIZES, popularity_exponent=q), seed=0)
        for q in (0.0, 1.0)
    )
    said = [(found.users @ found.items[0]).mean() for found in (plain, discounted)]
    assert said[1] < said[0] < 1.0


def test_users_and_items_without_interactions_get_nothing() -> None:
    touched = _blocks().toarray()
    touched[3] = 0.0
    touched[:, 5] = 0.0
    found = implicit_factors(sp.csr_array(touched), SIZES, seed=0)
    np.testing.assert_allclose(found.users[3], 0.0, atol=1e-4)
    np.testing.assert_allclose(found.items[5], 0.0, atol=1e-4)


def test_chunks_do_not_change_the_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = implicit_factors(_blocks(), replace(SIZES, sweeps=2), seed=0)
    monkeypatch.setattr("graph.implicit_factors.ENTRIES_PER_CHUNK", 17)
    parts = implicit_factors(_blocks(), replace(SIZES, sweeps=2), seed=0)
    np.testing.assert_allclose(parts.users, whole.users, atol=1e-5)


def test_the_seed_decides() -> None:
    first, again, other = (implicit_factors(_blocks(), SIZES, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.items, again.items)
    assert not np.allclose(first.items, other.items)


def test_a_penalty_of_nothing_is_refused() -> None:
    with pytest.raises(GraphError, match="expected more than 0"):
        implicit_factors(_blocks(), replace(SIZES, penalty=0.0), seed=0)
