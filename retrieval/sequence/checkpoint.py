"""Where a training stands, in one file, so that one that was stopped goes on.

Safetensors, nothing is unpickled. The file is replaced as a whole: a crash while writing leaves
the one of the epoch before.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

FILE = "sequence_training.safetensors"
_ABOUT = "about"

Weights = dict[str, Tensor]


@dataclass(slots=True)
class Progress:
    """How far a training is and the best weights that validation has seen."""

    epoch: int = 0
    best: float = -1.0
    """NDCG@10 of validation."""
    best_epoch: int = 0
    best_weights: Weights | None = None


def write(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    settings: str,
) -> None:
    """Save all that the next epoch depends on, and what the training was started with."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in (progress.best_weights or {}).items()}
    for row, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{row}/{name}": tensor for name, tensor in state.items()}
    about = {
        "epoch": progress.epoch,
        "best": progress.best,
        "best_epoch": progress.best_epoch,
        "settings": settings,
    }
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{FILE}.part"
    copies = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(copies, unfinished, metadata={_ABOUT: json.dumps(about)})
    os.replace(unfinished, folder / FILE)


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
    with safe_open(path, framework="pt") as stored:
        about = json.loads(stored.metadata()[_ABOUT])
        if about["settings"] != settings:
            raise ValueError(
                f"{path} is of a training with other settings: got {about['settings']}, expected "
                f"{settings}; delete the file or give another folder"
            )
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    model.load_state_dict(_under("model", tensors))
    _restore(optimizer, _under("optimizer", tensors))
    best = _under("best", tensors)
    return Progress(about["epoch"], about["best"], about["best_epoch"], best or None)


def _under(prefix: str, tensors: Weights) -> Weights:
    start = f"{prefix}/"
    return {n.removeprefix(start): tensor for n, tensor in tensors.items() if n.startswith(start)}


def _restore(optimizer: torch.optim.Optimizer, tensors: Weights) -> None:
    state: dict[int, Weights] = {}
    for name, tensor in tensors.items():
        row, _, part = name.partition("/")
        state.setdefault(int(row), {})[part] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
