"""Where a training stands, in one file: tensors, and the rest as JSON in its header."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from encoders.tuning.exam import Figures

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the catalogue gave."""

    number: int
    """From 1 on."""
    loss: float
    """Mean over its steps."""
    figures: Figures


@dataclass(slots=True)
class Progress:
    """How far a training is; all else follows from its settings."""

    step: int = 0
    """Steps done."""
    losses: list[float] = field(default_factory=list)
    """Of the steps of the unfinished epoch."""
    epochs: list[Epoch] = field(default_factory=list)
    best: int = 0
    """Number of the epoch with the best figures; 0 is the untuned model."""
    best_weights: list[Tensor] = field(default_factory=list)
    """Of that epoch, in the order of the parameters; empty for the untuned model."""


def write_checkpoint(
    file: Path,
    key: str,
    progress: Progress,
    parameters: Sequence[nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write a checkpoint whole, over the one before.

    Args:
        file: Where to.
        key: Hash of all that the training reads.
        progress: How far it is.
        parameters: What learns, in an order that does not change.
        optimizer: An AdamW over them.
    """
    tensors: dict[str, Tensor] = {}
    for row, parameter in enumerate(parameters):
        tensors[f"{row}.value"] = parameter.detach()
        for name, moment in zip(_MOMENTS, _moments(optimizer, parameter), strict=False):
            tensors[f"{row}.{name}"] = moment
    tensors |= {f"{row}.best": best for row, best in enumerate(progress.best_weights)}
    record = {
        "key": key,
        "step": progress.step,
        "losses": progress.losses,
        "best": progress.best,
        "epochs": [asdict(epoch) for epoch in progress.epochs],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    plain = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plain, part, metadata={"progress": json.dumps(record)})
    os.replace(part, file)


def read_checkpoint(
    file: Path,
    key: str,
    parameters: Sequence[nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> Progress:
    """Go on from a checkpoint: fill the parameters and the optimizer's moments.

    Where there is none, where it is damaged, or where it is of another training (other settings,
    another catalogue, another base), nothing is filled and the progress is that of a start.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            record = json.loads(opened.metadata()["progress"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        if record["key"] != key:
            return Progress()
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return Progress()
    for row, parameter in enumerate(parameters):
        with torch.no_grad():
            parameter.copy_(tensors[f"{row}.value"])
        if f"{row}.step" in tensors:
            optimizer.state[parameter] = _state(tensors, row, parameter)
    return Progress(
        step=record["step"],
        losses=record["losses"],
        epochs=[_epoch(epoch) for epoch in record["epochs"]],
        best=record["best"],
        best_weights=[tensors[f"{row}.best"] for row in range(len(parameters))]
        if record["best"]
        else [],
    )


def _moments(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> list[Tensor]:
    state = optimizer.state.get(parameter, {})
    return [state[name] for name in _MOMENTS if name in state]


def _state(tensors: dict[str, Tensor], row: int, parameter: nn.Parameter) -> dict[str, Tensor]:
    # AdamW counts its steps on the CPU, wherever the parameter is.
    step, *moments = (tensors[f"{row}.{name}"] for name in _MOMENTS)
    moved = dict(zip(_MOMENTS[1:], (m.to(parameter.device) for m in moments), strict=True))
    return {"step": step, **moved}


def _epoch(record: dict[str, Any]) -> Epoch:
    return Epoch(record["number"], record["loss"], Figures(**record["figures"]))
