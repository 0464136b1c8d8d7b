"""Measured cases: one JSON file per benchmark, and the Markdown tables made from them."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
HEAD = "| case | value | target | holds |\n| --- | ---: | ---: | --- |"
"""Of a table whose lines are :meth:`Case.row`."""


@dataclass(frozen=True, slots=True)
class Case:
    """One figure and what it was to be."""

    case: str
    value: float
    unit: str
    target: str
    """Such as ``>= 1.15``; empty where the figure is only reported."""
    holds: bool | None
    command: str
    commit: str
    cpu: str

    @property
    def amount(self) -> str:
        """The figure with its unit."""
        return f"{self.value:g} {self.unit}".strip()

    def row(self) -> str:
        """As a line of a table."""
        holds = {True: "yes", False: "**no**", None: ""}[self.holds]
        return f"| `{self.case}` | {self.amount} | {self.target} | {holds} |"


def measured(case: str, value: float, unit: str, target: str = "", *, command: str) -> Case:
    """A case of this machine and commit; ``holds`` follows from value and target."""
    value = float(value)  # NumPy's are no JSON
    return Case(case, round(value, 4), unit, target, _holds(value, target), command, *_where())


def write(name: str, cases: Sequence[Case]) -> Path:
    """Write ``results/NAME.json`` and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps([asdict(case) for case in cases], indent=2) + "\n", "utf-8")
    return path


def read(path: Path) -> list[Case]:
    """The cases of a file of results."""
    return [Case(**case) for case in json.loads(path.read_text("utf-8"))]


def markdown(name: str, *, aimed_only: bool = False) -> str:
    """The table of one benchmark.

    Args:
        name: Of its results.
        aimed_only: Leave out the cases that have no target.
    """
    cases = read(RESULTS / f"{name}.json")
    rows = [case.row() for case in cases if case.target or not aimed_only]
    first = cases[0]
    return "\n".join([HEAD, *rows, "", f"`{first.command}`, commit {first.commit}, {first.cpu}"])


def _holds(value: float, target: str) -> bool | None:
    if not target:
        return None
    sign, bound = target.split()
    return value >= float(bound) if sign == ">=" else value <= float(bound)


def _where() -> tuple[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = f"{len(names)} x {names[0].split(':')[1].strip()}" if names else cpu
    return commit or "unknown", cpu
