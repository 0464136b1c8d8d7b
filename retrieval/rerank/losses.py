"""Losses over lists of candidates: pure functions of logits and labels."""

from __future__ import annotations

import torch
from torch import Tensor


def listwise_softmax(
    logits: Tensor, label: Tensor, mask: Tensor, weight: Tensor, log_weight: Tensor
) -> Tensor:
    r"""Softmax cross-entropy over a list with several positives (ListNet, Cao et al. 2007).

    .. math:: -\frac{1}{\sum_b w_b} \sum_b w_b \frac{1}{|P_b|}
              \sum_{p \in P_b} \log \frac{e^{s_p}}{\sum_{c} e^{s_c}}

    Args:
        logits: float32 ``[B, C]``.
        label: bool ``[B, C]``, True for a positive.
        mask: bool ``[B, C]``, True for a real candidate of this list.
        weight: float32 ``[B]``; lists without a positive do not count.
        log_weight: float32 ``[B, C]``: log of how many unsampled negatives a candidate stands
            for (the logQ correction of a sampled softmax).
    """
    label = label & mask
    scores = (logits + log_weight).masked_fill(~mask, torch.finfo(logits.dtype).min)
    log_share = torch.log_softmax(scores, dim=1)
    n_positive = label.sum(dim=1)
    per_list = -(log_share * label).sum(dim=1) / n_positive.clamp(min=1)
    counted = weight * (n_positive > 0)
    return (per_list * counted).sum() / counted.sum().clamp(min=1e-9)


def pointwise(
    logits: Tensor, label: Tensor, mask: Tensor, weight: Tensor, log_weight: Tensor
) -> Tensor:
    """Binary cross-entropy summed over each list, weighted mean over lists.

    Args:
        logits: float32 ``[B, C]``.
        label: bool ``[B, C]``.
        mask: bool ``[B, C]``.
        weight: float32 ``[B]``.
        log_weight: float32 ``[B, C]``, as above.
    """
    each = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, label.to(logits.dtype), reduction="none"
    )
    per_list = (each * mask * log_weight.exp()).sum(dim=1)
    return (per_list * weight).sum() / weight.sum().clamp(min=1e-9)
