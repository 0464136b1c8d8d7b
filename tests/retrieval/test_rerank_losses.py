"""Losses by hand. Lists are written as odds, so that a softmax is a fraction."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from retrieval.rerank.losses import listwise_softmax, pointwise

TRUE, FALSE = True, False


def odds(*rows: list[float]) -> Tensor:
    return torch.tensor(rows).log()


def flags(*rows: list[bool]) -> Tensor:
    return torch.tensor(rows)


def listwise(
    logits: Tensor,
    label: Tensor,
    mask: Tensor | None = None,
    weight: list[float] | None = None,
    log_weight: Tensor | None = None,
) -> float:
    return float(listwise_softmax(*_filled(logits, label, mask, weight, log_weight)))


def binary(
    logits: Tensor,
    label: Tensor,
    mask: Tensor | None = None,
    weight: list[float] | None = None,
    log_weight: Tensor | None = None,
) -> float:
    return float(pointwise(*_filled(logits, label, mask, weight, log_weight)))


def _filled(
    logits: Tensor,
    label: Tensor,
    mask: Tensor | None,
    weight: list[float] | None,
    log_weight: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return (
        logits,
        label,
        torch.ones_like(label) if mask is None else mask,
        torch.ones(len(logits)) if weight is None else torch.tensor(weight),
        torch.zeros_like(logits) if log_weight is None else log_weight,
    )


def test_one_positive() -> None:
    assert listwise(odds([1, 2, 5]), flags([FALSE, TRUE, FALSE])) == pytest.approx(-math.log(2 / 8))


def test_two_positives_share_the_list() -> None:
    found = listwise(odds([1, 2, 5]), flags([TRUE, FALSE, TRUE]))
    assert found == pytest.approx(-(math.log(1 / 8) + math.log(5 / 8)) / 2)


def test_masked_candidates_neither_compete_nor_count() -> None:
    mask = flags([TRUE, TRUE, FALSE])
    found = listwise(odds([1, 3, 5]), flags([FALSE, TRUE, TRUE]), mask)
    assert found == pytest.approx(-math.log(3 / 4))


def test_lists_weigh() -> None:
    logits, label = odds([1, 3], [1, 1]), flags([FALSE, TRUE], [TRUE, FALSE])
    found = listwise(logits, label, weight=[3, 1])
    assert found == pytest.approx(-(3 * math.log(3 / 4) + 1 * math.log(1 / 2)) / 4)


def test_a_list_without_a_positive_does_not_dilute_the_mean() -> None:
    one = listwise(odds([1, 3]), flags([FALSE, TRUE]))
    with_empty = listwise(odds([1, 3], [5, 5]), flags([FALSE, TRUE], [FALSE, FALSE]))
    assert with_empty == pytest.approx(one)


def test_no_positive_anywhere_is_no_loss_and_no_gradient() -> None:
    logits = odds([1, 3]).requires_grad_()
    filled = _filled(logits, flags([FALSE, FALSE]), flags([FALSE, FALSE]), None, None)
    loss = listwise_softmax(*filled)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0, 0]]


def test_a_sampled_negative_stands_for_its_copies() -> None:
    whole = odds([2, 7, 3, 3, 3, 3])
    sampled, stands_for = odds([2, 7, 3]), odds([1, 1, 4])
    label = flags([TRUE, FALSE, FALSE])
    everything = torch.nn.functional.pad(label, (0, 3))
    assert listwise(sampled, label, log_weight=stands_for) == pytest.approx(
        listwise(whole, everything)
    )
    assert binary(sampled, label, log_weight=stands_for) == pytest.approx(binary(whole, everything))


def test_pointwise_sums_over_a_list() -> None:
    # Odds of 3 to 1 are a probability of 3/4.
    found = binary(odds([3, 1]), flags([TRUE, FALSE]))
    assert found == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2)))


def test_pointwise_masks_and_weighs() -> None:
    logits, label = odds([3, 1], [1, 9]), flags([TRUE, FALSE], [FALSE, TRUE])
    mask = flags([TRUE, TRUE], [TRUE, FALSE])
    first, second = -(math.log(3 / 4) + math.log(1 / 2)), -math.log(1 / 2)
    assert binary(logits, label, mask, [1, 3]) == pytest.approx((first + 3 * second) / 4)


def test_the_gradient_of_the_softmax_is_share_minus_target() -> None:
    logits = odds([1, 2, 5]).requires_grad_()
    filled = _filled(logits, flags([TRUE, FALSE, FALSE]), None, None, None)
    listwise_softmax(*filled).backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.tensor([[1 / 8 - 1, 2 / 8, 5 / 8]]))
