"""Losses over lists of candidates, and what they add up to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from retrieval.rerank.config import RerankConfig
from retrieval.rerank.examples import LabelledBatch


class Objective(nn.Module):
    r"""The loss of a batch over all tasks.

    Several tasks are weighed by what is uncertain of each (Kendall, Gal and Cipolla 2018,
    "Multi-task learning using uncertainty to weigh losses", arXiv:1705.07115), which is learned:

    .. math:: \sum_t e^{-s_t} L_t + s_t / 2
    """

    def __init__(self, config: RerankConfig, n_tasks: int) -> None:
        """Weigh all tasks alike at first.

        Args:
            config: Weights of the parts of a task's loss.
            n_tasks: A single task is not weighed.
        """
        super().__init__()
        self.config = config
        learned = n_tasks > 1 and config.learned_task_weights
        self.log_variance = nn.Parameter(torch.zeros(n_tasks if learned else 0))

    def forward(self, logits: Tensor, labelled: LabelledBatch) -> Tensor:
        """The loss of logits float32 ``[B, C, tasks]``, a scalar."""
        each = torch.stack(
            [self._of_task(logits[..., t], labelled, t) for t in range(logits.shape[-1])]
        )
        s = self.log_variance
        weighed: Tensor = ((-s).exp() * each + s / 2).sum() if len(s) else each.sum()
        return weighed

    def _of_task(self, logits: Tensor, labelled: LabelledBatch, task: int) -> Tensor:
        label, weight, stands_for = labelled.label[..., task], labelled.weight, labelled.log_weight
        mask, config = labelled.batch.candidate_mask, self.config
        fresh = mask & labelled.is_new
        return (
            listwise_softmax(logits, label, mask, weight, stands_for)
            + config.new_item_weight * listwise_softmax(logits, label, fresh, weight, stands_for)
            + config.calibration_weight * pointwise(logits, label, mask, weight, stands_for)
        )


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
