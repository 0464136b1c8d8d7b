"""Ragged requests, padded into batches and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from planted_requests import HISTORY, example

from retrieval.rerank.batch import Tokens
from retrieval.rerank.examples import Examples

SIZES = (3, 7, 1, 5)


@pytest.fixture
def listed() -> list:
    rng = np.random.default_rng(0)
    return [
        example(rng, user=i, n_events=i * 2, n_candidates=n, n_tasks=2) for i, n in enumerate(SIZES)
    ]


def test_a_batch_gives_back_what_was_stacked(listed: list) -> None:
    which = np.array([2, 0, 3])
    got = Examples.stack(listed).batch(which)
    assert got.batch.candidate.shape == (3, 5)
    assert got.batch.candidate_mask.sum(1).tolist() == [1, 3, 5]
    for row, i in enumerate(which):
        mask = got.batch.candidate_mask[row]
        assert mask[: SIZES[i]].all()
        for found, expected in (
            (got.batch.candidate[row], listed[i].candidates),
            (got.batch.features[row], listed[i].features),
            (got.label[row], listed[i].label),
            (got.is_new[row], listed[i].is_new),
            (got.log_weight[row], listed[i].log_weight),
        ):
            np.testing.assert_array_equal(found[mask].numpy(), expected)


def test_tokens_keep_their_request(listed: list) -> None:
    got = Examples.stack(listed).batch(np.array([3, 1])).batch
    padded = {"mask": got.token_mask} | {
        name: getattr(got, name) for name in Tokens.__slots__ if name != "mask"
    }
    for name, found in padded.items():
        for row, i in enumerate((3, 1)):
            np.testing.assert_array_equal(
                found[row].numpy(), getattr(listed[i].tokens, name), err_msg=name
            )
    assert got.item.shape == (2, HISTORY)


def test_padding_is_no_positive_and_not_new(listed: list) -> None:
    # The padded slots repeat a first candidate, which here is a positive.
    for one in listed:
        one.label[0] = True
    got = Examples.stack(listed).batch(np.arange(4))
    padded = ~got.batch.candidate_mask
    assert padded.sum() == 4 * max(SIZES) - sum(SIZES)
    assert not got.label[padded].any()
    assert not got.is_new[padded].any()


def test_users_and_weights_stay_in_order(listed: list) -> None:
    stacked = Examples.stack(iter(listed))
    assert len(stacked) == 4
    assert stacked.user.tolist() == [0, 1, 2, 3]
    assert torch.equal(stacked.batch(np.array([1, 1])).weight, torch.ones(2))


def test_batches_are_copies(listed: list) -> None:
    stacked = Examples.stack(listed)
    first = stacked.batch(np.arange(4))
    first.batch.here.fill_(9)
    first.batch.features.fill_(9)
    again = stacked.batch(np.arange(4))
    assert not (again.batch.here == 9).any()
    assert not (again.batch.features == 9).any()


def test_features_are_halved_without_changing_their_order() -> None:
    rng = np.random.default_rng(0)
    one = example(rng, n_candidates=20)
    one.features[:, 0] = np.linspace(0, np.log1p(999), 20)
    found = Examples.stack([one]).batch(np.array([0])).batch.features[0, :, 0]
    assert (found.diff() > 0).all()
    np.testing.assert_allclose(found.numpy(), one.features[:, 0], rtol=1e-3)


def test_nothing_to_learn_from_says_so() -> None:
    with pytest.raises(ValueError, match="no training request"):
        Examples.stack([])
