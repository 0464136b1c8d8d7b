"""The closed form against a full decomposition."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from graph.spectral import align, spectral_state


def test_factors_are_the_best_copy_of_the_normalised_matrix() -> None:
    rng = np.random.default_rng(0)
    dense = rng.random((12, 9)) * (rng.random((12, 9)) < 0.5)
    dense[3], dense[:, 4] = 0, 0
    users = np.where(dense.sum(1) > 0, dense.sum(1), 1) ** -0.5
    items = np.where(dense.sum(0) > 0, dense.sum(0), 1) ** -0.5
    normalised = users[:, None] * dense * items
    u, s, vt = np.linalg.svd(normalised)
    found = spectral_state(sp.csr_array(dense), 5, seed=0)
    np.testing.assert_allclose(
        (found.users * found.strength) @ found.items.T, (u[:, :5] * s[:5]) @ vt[:5], atol=1e-5
    )
    np.testing.assert_allclose(found.strength, s[:5], atol=1e-5)
    assert not found.users[3].any()
    assert not found.items[4].any()


def test_a_rank_that_is_not_there_is_zeros() -> None:
    block = np.kron(np.eye(2), np.ones((4, 3)))
    found = spectral_state(sp.csr_array(block), 5, seed=0)
    np.testing.assert_allclose(found.strength, [1, 1, 0, 0, 0], atol=1e-5)
    assert not found.items[:, 2:].any()


def test_no_events_no_factors() -> None:
    assert not spectral_state(sp.csr_array((4, 3)), 2, seed=0).items.any()


def test_align_undoes_a_rotation() -> None:
    rng = np.random.default_rng(0)
    items = rng.normal(size=(30, 4)).astype(np.float32)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0].astype(np.float32)
    np.testing.assert_allclose(align(items @ rotation, items), items, atol=1e-5)
