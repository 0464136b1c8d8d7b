"""Evidence, blend and the whole on planted tastes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.blend import fit_blend, listwise
from graph.collaborative import Collaborative, CollaborativeConfig, fit_collaborative, hide
from graph.evidence import Evidence, FilterSizes, build_filters, gather_evidence
from graph.implicit_factors import FactorSizes
from graph.schema import GraphError

SIZES = FilterSizes(
    n_neighbours=30,
    ridge_neighbours=10,
    rank=8,
    factors=(FactorSizes(width=6), FactorSizes(width=12)),
)
CONFIG = CollaborativeConfig(sizes=SIZES, n_candidates=30, hidden_share=0.2, n_blends=1)


def _blocks(seed: int = 0, users: int = 120, items: int = 60) -> sp.csr_array:
    """Users touch items of their own third, and one of any in ten."""
    rng = np.random.default_rng(seed)
    own = np.arange(users)[:, None] % 3 == np.arange(items) % 3
    return sp.csr_array((rng.random((users, items)) < np.where(own, 0.5, 0.02)).astype(np.float32))


@pytest.fixture(scope="module")
def model() -> Collaborative:
    return fit_collaborative(_blocks(), CONFIG, seed=0)


def test_answers_are_of_the_users_own_block(model: Collaborative) -> None:
    users = np.arange(120)
    items, scores = model.top(users, 5)
    own = items % 3 == users[:, None] % 3
    assert own[np.isfinite(scores)].mean() > 0.95  # chance is a third


def test_known_items_are_no_answers(model: Collaborative) -> None:
    items, scores = model.top(np.arange(120), 20)
    known = np.take_along_axis(model.filters.known.toarray() > 0, items, axis=1)
    assert not known[np.isfinite(scores)].any()
    assert (np.diff(np.where(np.isfinite(scores), scores, -1e9), axis=1) <= 0).all()


def test_chunks_do_not_change_answers(
    model: Collaborative, monkeypatch: pytest.MonkeyPatch
) -> None:
    items, _ = model.top(np.arange(40), 5)
    monkeypatch.setattr("graph.collaborative.USERS_PER_CHUNK", 7)
    np.testing.assert_array_equal(model.top(np.arange(40), 5)[0], items)


def test_same_seed_same_answers(model: Collaborative) -> None:
    again = fit_collaborative(_blocks(), CONFIG, seed=0)
    np.testing.assert_array_equal(again.top(np.arange(30), 5)[1], model.top(np.arange(30), 5)[1])


def test_k_beyond_the_candidates_is_refused(model: Collaborative) -> None:
    with pytest.raises(GraphError, match="n_candidates"):
        model.top(np.arange(3), 31)


def test_evidence_is_what_each_filter_says_of_every_item() -> None:
    filters = build_filters(_blocks(1), SIZES, seed=0)
    users = np.array([3, 50, 80])
    found = gather_evidence(filters, users, 25)
    history = filters.known[users].toarray()
    for column in range(5):
        scores = history @ filters.hops[column].toarray()
        expected = np.take_along_axis(scores, found.items, axis=1)
        valid = found.valid
        np.testing.assert_allclose(found.levels[:, :, column][valid], expected[valid], rtol=1e-4)
    spectrum = filters.spectrum
    whole = (spectrum.users[users] * spectrum.strength) @ spectrum.items.T
    expected = np.take_along_axis(whole, found.items, axis=1)
    np.testing.assert_allclose(found.signed[:, :, 1:6].sum(axis=2), expected, atol=1e-5)
    for column, fitted in enumerate(filters.factors, start=7):
        expected = np.take_along_axis(fitted.users[users] @ fitted.items.T, found.items, axis=1)
        np.testing.assert_allclose(found.signed[:, :, column], expected, atol=1e-5)


def test_votes_leave_out_the_user() -> None:
    # Two users share item 0; what user 0 alone touched is no vote for user 0.
    touched = sp.csr_array(np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]], np.float32))
    filters = build_filters(touched, SIZES, seed=0)
    found = gather_evidence(filters, np.array([0]), 3)
    votes = found.levels[0, found.items[0] == 2, -1]
    # Cosine of users 0 and 1, and of 0 and 2: one shared item of degree 2, over 2 touched each.
    np.testing.assert_allclose(votes, 2 * (1 / 2 / 2) * 2**-0.25, rtol=1e-5)


def test_listwise_by_hand() -> None:
    scores = torch.tensor([[0.0, np.log(2.0), np.log(3.0)], [0.0, 0.0, 0.0]])
    right = torch.tensor([[True, False, True], [False, True, False]])
    expected = -(np.log(1 / 6) + np.log(3 / 6) + np.log(1 / 3)) / 3
    np.testing.assert_allclose(listwise(scores, right).item(), expected, rtol=1e-5)


def test_the_blend_finds_the_filter_that_is_right() -> None:
    rng = np.random.default_rng(0)
    levels = rng.random((300, 20, 3)).astype(np.float32)
    # Column 1 alone tells the right answer.
    relevant = levels[:, :, 1] == levels[:, :, 1].max(axis=1, keepdims=True)
    signed = rng.normal(size=(300, 20, 2)).astype(np.float32)
    evidence = Evidence(
        items=np.tile(np.arange(20), (300, 1)),
        valid=np.ones((300, 20), bool),
        levels=levels,
        signed=signed,
        log_degree=rng.random((300, 20)).astype(np.float32),
        activity=np.ones(300, np.float32),
    )
    blend = fit_blend(evidence, relevant, epochs=40, learning_rate=1e-2, seed=0)
    first = blend.scores(evidence).argmax(axis=1)
    assert relevant[np.arange(300), first].mean() > 0.9  # chance is 0.05


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_what_is_left_and_what_is_hidden_make_the_whole(seed: int, share: float) -> None:
    touched = _blocks(seed, 20, 15)
    left, hidden = hide(touched, share, np.random.default_rng(seed))
    np.testing.assert_array_equal((left + hidden).toarray(), touched.toarray())
    before = np.diff(touched.indptr)
    assert (np.diff(left.indptr)[before > 0] >= 1).all()
    assert (np.abs(np.diff(hidden.indptr) - share * before) <= 1).all()


def test_users_of_one_item_cannot_teach() -> None:
    with pytest.raises(GraphError, match="one each"):
        fit_collaborative(sp.csr_array(np.eye(4, dtype=np.float32)), CONFIG, seed=0)
