"""Between what the towers knew and what they learned: weights are blended.

A model tuned on a few sets forgets the rest. Its weights on the line to where it started keep most
of both (WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

_HEAD_ENDS = ("head.outer.", "head.direct.")


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of what was learned is kept, each in [0, 1].

    Attributes:
        tail: Of the picture tower's change.
        head: Of the correction of the closed-form head.
        words: Of the adapters and the projection after the text tower.
    """

    tail: float
    head: float
    words: float


def blend(
    learned: Iterable[tuple[str, Tensor]], tail_before: Mapping[str, Tensor], shares: Shares
) -> dict[str, Tensor]:
    """Tensors to be shipped, float16.

    Args:
        learned: What :func:`encoders.training.model.learned_tensors` gives.
        tail_before: The tail's tensors before training, by the same names without ``tail.``.
        shares: How far from the start to go.
    """
    return {
        name: _blended(name, tensor.detach().float(), tail_before, shares).half().contiguous()
        for name, tensor in learned
    }


def _blended(name: str, tensor: Tensor, before: Mapping[str, Tensor], shares: Shares) -> Tensor:
    if name.startswith("tail."):
        return torch.lerp(before[name.removeprefix("tail.")].float(), tensor, shares.tail)
    if name.startswith(_HEAD_ENDS):
        return shares.head * tensor
    if name.startswith("projection."):
        return torch.lerp(torch.eye(len(tensor)), tensor, shares.words)
    if name.startswith("lora.") and name.endswith(".B"):
        return shares.words * tensor
    return tensor
