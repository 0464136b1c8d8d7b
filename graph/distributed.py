"""Data-parallel training: each process takes a share of every batch."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.distributed as dist
from torch import Tensor, nn

from graph.sampling import Batch


def own_share(batch: Batch) -> Batch:
    """This process's positives of a batch that every process has drawn alike from one seed.

    Users, negatives and hidden items stay those of the whole batch, so that the mean over the
    processes is the loss of the whole. One process alone keeps everything. What does not divide
    evenly is left to nobody: shares of one size weigh alike in that mean.
    """
    if not _several():
        return batch
    size = len(batch.item) // dist.get_world_size()
    mine = slice(dist.get_rank() * size, (dist.get_rank() + 1) * size)
    return replace(batch, row=batch.row[mine], item=batch.item[mine], share=batch.share[mine])


def averaged(loss: Tensor, model: nn.Module) -> Tensor:
    """Average the gradients, in one message, and the loss over all processes."""
    if not _several():
        return loss
    parameters = [p for p in model.parameters() if p.grad is not None]
    gradients = [p.grad.flatten() for p in parameters if p.grad is not None]
    flat = torch.cat([*gradients, loss.detach().reshape(1)])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    sizes = [p.numel() for p in parameters]
    *parts, mean = torch.split_with_sizes(flat, [*sizes, 1])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter)
    return mean[0]


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
