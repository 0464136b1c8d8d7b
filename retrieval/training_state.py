"""The state of a training in one file, so that one that was interrupted goes on.

Tensors are safetensors, nothing is unpickled; what is no tensor lies as JSON in the header. The
file is replaced as a whole, so that a kill while writing leaves the one before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

Tensors = dict[str, Tensor]

_ABOUT = "about"


def write_state(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors, and beside them what JSON can say."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    # A state may share memory with another: the format wants each tensor by itself.
    whole = torch.contiguous_format
    copies = {name: t.detach().cpu().clone(memory_format=whole) for name, t in tensors.items()}
    save_file(copies, part, {_ABOUT: json.dumps(about)})
    part.replace(path)


def read_state(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """What :func:`write_state` wrote.

    Raises:
        OSError: There is no such file.
        SafetensorError: It is damaged.
        KeyError, TypeError, ValueError: It was written by something else.
    """
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()[_ABOUT])
        return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118


def named(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The tensors under a common name."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Those that :func:`named` put there, by their own names again."""
    start = f"{prefix}/"
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """The moments of an optimizer."""
    states = optimizer.state_dict()["state"]
    return {f"{row}/{name}": v for row, state in states.items() for name, v in state.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` took."""
    state: dict[int, Tensors] = {}
    for key, tensor in tensors.items():
        row, _, name = key.partition("/")
        state.setdefault(int(row), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
