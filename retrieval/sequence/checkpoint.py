"""Where a training stands, in one file, so that one that was stopped goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from retrieval.training_state import (
    Tensors,
    named,
    optimizer_tensors,
    read_state,
    restore_optimizer,
    under,
    write_state,
)

FILE = "sequence_training.safetensors"


@dataclass(slots=True)
class Progress:
    """How far a training is and the best weights that validation has seen."""

    epoch: int = 0
    best: float = -1.0
    """NDCG@10 of validation."""
    best_epoch: int = 0
    best_weights: Tensors | None = None


def write(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    settings: str,
) -> None:
    """Save all that the next epoch depends on, and what the training was started with."""
    tensors = {
        **named("model", model.state_dict()),
        **named("best", progress.best_weights or {}),
        **named("optimizer", optimizer_tensors(optimizer)),
    }
    about = {
        "epoch": progress.epoch,
        "best": progress.best,
        "best_epoch": progress.best_epoch,
        "settings": settings,
    }
    write_state(folder / FILE, tensors, about)


def resume(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, settings: str
) -> Progress:
    """Put a training back where :func:`write` left it; the beginning, where there is no file.

    Raises:
        ValueError: The file is of a training with other settings or data.
    """
    path = folder / FILE
    if not path.is_file():
        return Progress()
    tensors, about = read_state(path)
    if about["settings"] != settings:
        raise ValueError(
            f"{path} is of a training with other settings: got {about['settings']}, expected "
            f"{settings}; delete the file or give another folder"
        )
    model.load_state_dict(under("model", tensors))
    restore_optimizer(optimizer, under("optimizer", tensors))
    best = under("best", tensors)
    return Progress(about["epoch"], about["best"], about["best_epoch"], best or None)
