"""Losses by hand; the sampled sum is unbiased; draws follow their weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graph import bpr, sampled_softmax
from graph.losses import info_nce
from graph.sampling import Sampler


def test_bpr_by_hand() -> None:
    loss = bpr(torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
    terms = [np.log(1 + np.exp(d)) for d in (0 - 1, 1 - 1, 2 - 0, 0 - 0)]
    assert loss.item() == pytest.approx(sum(terms) / 4)


def test_sampled_softmax_by_hand() -> None:
    positive = torch.tensor([1.0, 2.0, 0.0])
    negative = torch.tensor([[0.0, 1.0], [2.0, -1.0]])
    log_q = torch.tensor([0.5, 0.25]).log()
    loss = sampled_softmax(positive, negative, log_q, torch.tensor([0, 0, 1]))
    first = np.exp(0) / (2 * 0.5) + np.exp(1) / (2 * 0.25)
    second = np.exp(2) / (2 * 0.5) + np.exp(-1) / (2 * 0.25)
    terms = [np.log(1 + first / np.exp(1)), np.log(1 + first / np.exp(2)), np.log(1 + second)]
    assert loss.item() == pytest.approx(sum(terms) / 3)


def test_log_q_removes_the_bias_of_the_draw() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=50).astype(np.float32)
    sampler = Sampler.of(rng.random(50) ** 4 + 0.01)
    drawn = sampler.draw(200_000, rng)
    zero = torch.zeros(1, dtype=torch.int64)
    loss = sampled_softmax(
        torch.zeros(1),
        torch.from_numpy(scores[drawn])[None],
        torch.from_numpy(sampler.log_q[drawn]),
        zero,
    )
    assert loss.item() == pytest.approx(np.log(1 + np.exp(scores).sum()), rel=0.01)


def test_draws_follow_the_tempered_weights() -> None:
    sampler = Sampler.of(np.array([0.0, 1.0, 4.0, 0.0, 9.0, 0.0]), exponent=0.5)
    counts = np.bincount(sampler.draw(60_000, np.random.default_rng(0)), minlength=6)
    np.testing.assert_allclose(counts / 60_000, [0, 1 / 6, 2 / 6, 0, 3 / 6, 0], atol=0.01)
    np.testing.assert_allclose(np.exp(sampler.log_q), [0, 1 / 6, 2 / 6, 0, 3 / 6, 0], atol=1e-6)


def test_uniform_draws_leave_out_what_never_sold() -> None:
    sampler = Sampler.of(np.array([0.0, 1.0, 5.0]), exponent=0.0)
    assert set(sampler.draw(1000, np.random.default_rng(0)).tolist()) == {1, 2}


@pytest.mark.parametrize("weight", [[0.0, 0.0], [1.0, -1.0], [1.0, np.nan]])
def test_weights_that_cannot_be_sampled_raise(weight: list[float]) -> None:
    with pytest.raises(ValueError, match="finite, not negative, and not all zero"):
        Sampler.of(np.array(weight))


def test_info_nce_by_hand() -> None:
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    loss = info_nce(first, second, 0.5)
    logits = np.array([[0.6, 0.0], [0.8, 1.0]]) / 0.5
    terms = [np.log(np.exp(row).sum()) - row[k] for k, row in enumerate(logits)]
    assert loss.item() == pytest.approx(sum(terms) / 2)
