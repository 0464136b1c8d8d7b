"""What a network is worth on requests that it was not trained on, and how sure its scores are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from retrieval.rerank.calibrate import fit_platt
from retrieval.rerank.examples import Examples
from retrieval.rerank.model import Reranker
from retrieval.rerank.records import Ints

VALIDATION_SHARE = 0.08
"""Share of users whose requests choose the epoch and are never trained on."""


def split_users(user: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Rows to train on and rows to hold out, by the user of each row, int64 ``[N]``."""
    users = rng.permutation(np.unique(user))
    chosen = users[: max(1, round(VALIDATION_SHARE * len(users)))] if len(users) > 1 else users
    held_out = np.isin(user, chosen)
    train = np.flatnonzero(~held_out) if len(users) > 1 else np.arange(len(user))
    return train, np.flatnonzero(held_out)


@torch.inference_mode()
def validate(
    model: Reranker, examples: Examples, which: Ints, batch_size: int, task: int = 0
) -> tuple[float, float]:
    """Mean NDCG@10 among retrieved candidates: of all, and of those the user never took."""
    model.eval()
    device = next(model.parameters()).device
    every, new = [], []
    for chunk in batches(which, batch_size):
        labelled = examples.batch(chunk)
        scores = model(labelled.batch.to(device))[..., task].cpu()
        label, mask = labelled.label[..., task], labelled.batch.candidate_mask
        every.append(ndcg(scores, label, mask))
        new.append(ndcg(scores, label, mask & labelled.is_new))
    mean = torch.cat(every).nanmean().nan_to_num()  # NaN where no list has a positive
    return float(mean), float(torch.cat(new).nan_to_num().mean())


@torch.inference_mode()
def calibration(model: Reranker, examples: Examples, which: Ints, batch_size: int) -> Tensor:
    """Slope and offset of each task on held-out lists, float32 ``[tasks, 2]``."""
    model.eval()
    device = next(model.parameters()).device
    logits, labels, weights = [], [], []
    for chunk in batches(which, batch_size):
        labelled = examples.batch(chunk)
        mask = labelled.batch.candidate_mask
        logits.append(model(labelled.batch.to(device)).cpu()[mask])
        labels.append(labelled.label[mask])
        weights.append(labelled.log_weight[mask].exp())
    scores, label, weight = torch.cat(logits), torch.cat(labels), torch.cat(weights)
    tasks = range(label.shape[1])
    return torch.stack([fit_platt(scores[:, t], label[:, t], weight) for t in tasks])


def ndcg(scores: Tensor, label: Tensor, mask: Tensor, k: int = 10) -> Tensor:
    """NDCG@k per list ``[B]``; NaN for a list without a positive."""
    k = min(k, scores.shape[1])
    label = label & mask
    top = scores.masked_fill(~mask, float("-inf")).topk(k, dim=1).indices
    discount = 1 / torch.log2(torch.arange(2, k + 2, dtype=torch.float32))
    gain = (label.gather(1, top) * discount).sum(dim=1)
    n_positive = label.sum(dim=1)
    ideal = torch.cat([torch.zeros(1), discount.cumsum(0)])[n_positive.clamp(max=k)]
    return torch.where(n_positive > 0, gain / ideal.clamp(min=1e-9), torch.nan)


def batches(order: Ints, size: int) -> Iterator[Ints]:
    """Rows (int64 ``[N]``) in portions, in their order."""
    for start in range(0, len(order), size):
        yield order[start : start + size]
