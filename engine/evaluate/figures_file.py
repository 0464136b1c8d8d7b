"""Figures for machines: dataclasses as JSON that every reader accepts."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifacts import write_json

PICTURES = "data:image/"
"""Pictures are for pages; a file of figures does without."""


def write_figures(path: Path, record: Any) -> None:  # noqa: ANN401 - any dataclass of figures
    """Write a dataclass, to full precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, plain(record))


def plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A record as JSON has it: no NaN and no infinity, which many readers refuse, but null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, str) and value.startswith(PICTURES) else value
