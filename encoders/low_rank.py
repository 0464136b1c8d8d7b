"""Low-rank updates of weights, ``W + B A`` (LoRA, Hu et al. 2021, arXiv:2106.09685)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from encoders.base import EncoderError


@dataclass(frozen=True, slots=True)
class Update:
    """What is added to one weight: ``up @ down``, in the weight's shape."""

    parameter: str
    """Name of the weight."""
    down: Tensor
    """A, float32 ``[rank, in]``."""
    up: Tensor
    """B, float32 ``[out, rank]``, LoRA's scale included."""


@torch.no_grad()
def merge(model: nn.Module, updates: Sequence[Update]) -> None:
    """Add updates to a model's weights, in place.

    Raises:
        EncoderError: An update is of a weight that the model does not have, or not in that shape.
    """
    weights = model.state_dict()
    for update in updates:
        weight = weights.get(update.parameter)
        shape = (len(update.up), update.down.shape[1])
        if weight is None or tuple(weight.flatten(1).shape) != shape:
            found = "it has no such weight" if weight is None else f"there it is {weight.shape}"
            raise EncoderError(
                f"the update of {update.parameter} {shape} does not fit the model: {found}"
            )
        weight.add_((update.up @ update.down).view_as(weight).to(weight))
