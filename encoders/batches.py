"""How much of a model's input goes through at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from encoders.base import Float32, Preprocessing

MOST_TEXTS = 256
MOST_TOKENS = 1 << 16
MOST_PICTURES_CPU = 32
"""From 8 on, nothing gets quicker."""
MOST_PICTURES_GPU = 256

_SHARE = 0.25
"""Of the memory that is free, so much may be taken."""
_BYTES_PER_INPUT_BYTE = 64
"""What the activations of one picture take, as a multiple of its float32 input: 16 for the two
largest of EfficientNet-Lite0 that meet, and room for hungrier towers."""
_BYTES_PER_TOKEN = 1 << 16
"""What one token takes, in towers up to 1,024 wide and 512 long: attention, and four times the
width."""
_UNKNOWN_MEMORY = 4 << 30
_CGROUPS = Path("/sys/fs/cgroup")
_MEMORY_FILES = (
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def picture_batch(device: torch.device, how: Preprocessing) -> int:
    """How many pictures to encode at once: what a quarter of the free memory holds, capped."""
    height, width = how.size
    most = MOST_PICTURES_GPU if device.type == "cuda" else MOST_PICTURES_CPU
    return _fitting(device, 3 * 4 * height * width * _BYTES_PER_INPUT_BYTE, most)


def token_batch(device: torch.device) -> int:
    """How many tokens to encode at once, padding included."""
    return _fitting(device, _BYTES_PER_TOKEN, MOST_TOKENS)


def run_halving(run: Callable[[Tensor], Float32], batch: Tensor) -> Float32:
    """Run a batch; where the GPU's memory does not hold it, in halves.

    Raises:
        torch.cuda.OutOfMemoryError: Not even one row fits.
    """
    try:
        return run(batch)
    except torch.cuda.OutOfMemoryError:
        if len(batch) == 1:
            raise
    # Outside of the handler, whose traceback would keep the failed batch's tensors alive.
    torch.cuda.empty_cache()
    middle = len(batch) // 2
    return np.concatenate([run_halving(run, half) for half in (batch[:middle], batch[middle:])])


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken: of the GPU, or of what the machine and the container allow."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min(_machine_room(), _container_room())


def cores() -> int:
    """CPU cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux, where a container may own only some.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _fitting(device: torch.device, bytes_each: int, most: int) -> int:
    return max(1, min(most, int(free_memory(device) * _SHARE) // bytes_each))


def _machine_room() -> int:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:  # Not Linux.
        return _UNKNOWN_MEMORY
    sizes = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(sizes["MemAvailable"].split()[0]) << 10


def _container_room() -> int:
    rooms = [_room_in(folder) for folder in _cgroup_folders()]
    return min((room for room in rooms if room is not None), default=1 << 62)


def _cgroup_folders() -> Iterator[Path]:
    """The memory cgroups of this process, of version 2 and 1, from the innermost outwards."""
    try:
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            root = _CGROUPS / controllers
            inner = root / path.lstrip("/")
            yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(root))


def _room_in(folder: Path) -> int | None:
    for limit_name, used_name in _MEMORY_FILES:
        try:
            limit = (folder / limit_name).read_text("ascii").strip()
            used = int((folder / used_name).read_text("ascii"))
            stat = (folder / "memory.stat").read_text("ascii").splitlines()
        except OSError:
            continue
        if limit != "max":
            # Files' pages that the kernel gives back when memory is asked for.
            cached = dict(line.split() for line in stat).get("inactive_file", "0")
            return max(0, int(limit) - used + int(cached))
    return None
