"""What every section is given, and the command that its figures name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.cases import Case, measured
from engine.evaluate.bootstrap import Interval

case = partial(measured, command="make bench-rerank")
"""``case(name, value, unit, target)``: a figure of this benchmark."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Where things lie, and how often to repeat."""

    data: Path
    """The real data sets."""
    demo: Path
    """Dataset of the demo."""
    run: Path
    """Run of the demo."""
    seeds: tuple[int, ...]


def bounds(name: str, interval: Interval) -> Iterator[Case]:
    """Lower and upper end of an interval, as cases without a target."""
    yield case(f"{name}_low", interval.low, "")
    yield case(f"{name}_high", interval.high, "")


def told(interval: Interval) -> str:
    """An interval for people."""
    return f"{interval.estimate:.4f} [{interval.low:.4f}, {interval.high:.4f}]"
