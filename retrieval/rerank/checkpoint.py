"""A training that was interrupted goes on as if it had not been.

One safetensors file holds the weights, their running mean, the best of them, the optimizer's
moments and the generators' states; numbers that are no tensors lie in its header. It is replaced
as a whole, so that a kill while writing leaves the one before.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

_HEADER = "progress"


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
        **_named("model", progress.model.state_dict()),
        **_named("averaged", progress.averaged.state_dict()),
        **_named("best", progress.best_weights),
        "generator": torch.get_rng_state(),
    }
    for i, state in progress.optimizer.state_dict()["state"].items():
        tensors |= _named(f"optimizer.{i}", state)
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
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    # A state may share memory with another: the format wants each tensor by itself.
    save_file({k: v.detach().cpu().clone() for k, v in tensors.items()}, part, _header(numbers))
    part.replace(path)


def load_progress(path: Path, progress: Progress, fingerprint: str) -> bool:
    """Take up a training where it was left; False, and nothing changes, where none can be.

    A file that is damaged or of another training is passed over: training anew is always right.
    """
    try:
        with safe_open(path, framework="pt") as file:
            numbers = json.loads(file.metadata()[_HEADER])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return False
    if numbers["fingerprint"] != fingerprint:
        return False
    progress.model.load_state_dict(_under("model", tensors))
    progress.averaged.load_state_dict(_under("averaged", tensors))
    progress.best_weights = _under("best", tensors)
    known = progress.optimizer.state_dict()
    n_parameters = len(known["param_groups"][0]["params"])
    states = {i: _under(f"optimizer.{i}", tensors) for i in range(n_parameters)}
    progress.optimizer.load_state_dict({**known, "state": {i: s for i, s in states.items() if s}})
    torch.set_rng_state(tensors["generator"])
    if torch.cuda.is_available() and "generator.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["generator.cuda"])
    progress.rng.bit_generator.state = numbers["rng"]
    progress.step = numbers["step"]
    progress.best_score, progress.best_epoch = numbers["best_score"], numbers["best_epoch"]
    progress.epochs = [Epoch(**epoch) for epoch in numbers["epochs"]]
    return True


def _header(numbers: dict[str, Any]) -> dict[str, str]:
    return {_HEADER: json.dumps(numbers)}


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
