"""What opening a model gives: the towers with their tokenizer and preprocessing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from encoders.base import Preprocessing


class ClipModel(Protocol):
    """What is asked of open_clip's ``CLIP`` and ``CustomTextCLIP``."""

    def encode_image(self, image: Tensor) -> Tensor:
        """Map pictures ``[B, 3, height, width]`` to rows ``[B, D]``, not normalised."""

    def encode_text(self, text: Tensor) -> Tensor:
        """Map token ids ``[B, tokens]`` int64 to rows ``[B, D]``, not normalised."""

    def to(self, device: torch.device) -> ClipModel:
        """Move the weights."""


class ClipTokenizer(Protocol):
    """What is asked of open_clip's tokenizers."""

    context_length: int
    clean_fn: Callable[[str], str]

    def __call__(self, texts: list[str]) -> Tensor:
        """Token ids, padded and cut to ``[B, context_length]`` int64."""


@dataclass(frozen=True, slots=True)
class Towers:
    """An open_clip model, ready to be asked.

    Attributes:
        model: In evaluation mode.
        tokenizer: The open_clip tokenizer that belongs to it.
        preprocessing: How pictures are prepared.
        dim: Width D of the joint space.
        weights_hash: Hash of the weights, equal on every machine.
    """

    model: ClipModel
    tokenizer: ClipTokenizer
    preprocessing: Preprocessing
    dim: int
    weights_hash: str


def hash_weights(model: torch.nn.Module) -> str:
    """SHA-256 over the names, types, shapes and bytes of all weights, in order of name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)};".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
