"""A training that was interrupted goes on as if it had not been.

One file (:mod:`retrieval.training_state`) holds the weights, their running mean, the best of them,
the optimizer's moments and the generators' states.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from retrieval.training_state import (
    named,
    optimizer_tensors,
    read_state,
    restore_optimizer,
    under,
    write_state,
)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training requests gave."""

    number: int
    loss: float
    ndcg: float
    """NDCG@10 over retrieved candidates, held-out users."""
    ndcg_new: float
    """The same among candidates that the user never took."""


@dataclass(slots=True)
class Progress:
    """All that a training changes from one epoch to the next."""

    model: nn.ModuleList
    """The network, and the objective with what is learned of it."""
    averaged: AveragedModel
    """Running mean of the network's weights."""
    optimizer: torch.optim.Optimizer
    rng: np.random.Generator
    best_weights: dict[str, Tensor]
    step: int = 0
    best_score: float = -1.0
    best_epoch: int = 0
    epochs: list[Epoch] = field(default_factory=list)


def save_progress(path: Path, progress: Progress, fingerprint: str) -> None:
    """Write a training's state; ``fingerprint`` names everything that decides its course."""
    tensors = {
        **named("model", progress.model.state_dict()),
        **named("averaged", progress.averaged.state_dict()),
        **named("best", progress.best_weights),
        **named("optimizer", optimizer_tensors(progress.optimizer)),
        "generator": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        tensors["generator.cuda"] = torch.cuda.get_rng_state()
    numbers = {
        "fingerprint": fingerprint,
        "rng": progress.rng.bit_generator.state,
        "step": progress.step,
        "best_score": progress.best_score,
        "best_epoch": progress.best_epoch,
        "epochs": [asdict(epoch) for epoch in progress.epochs],
    }
    write_state(path, tensors, numbers)


def load_progress(path: Path, progress: Progress, fingerprint: str) -> bool:
    """Take up a training where it was left; False, and nothing changes, where none can be.

    A file that is damaged or of another training is passed over: training anew is always right.
    """
    try:
        tensors, numbers = read_state(path)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return False
    if numbers["fingerprint"] != fingerprint:
        return False
    progress.model.load_state_dict(under("model", tensors))
    progress.averaged.load_state_dict(under("averaged", tensors))
    progress.best_weights = under("best", tensors)
    restore_optimizer(progress.optimizer, under("optimizer", tensors))
    torch.set_rng_state(tensors["generator"])
    if torch.cuda.is_available() and "generator.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["generator.cuda"])
    progress.rng.bit_generator.state = numbers["rng"]
    progress.step = numbers["step"]
    progress.best_score, progress.best_epoch = numbers["best_score"], numbers["best_epoch"]
    progress.epochs = [Epoch(**epoch) for epoch in numbers["epochs"]]
    return True
