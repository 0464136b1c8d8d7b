"""Redo every benchmark, and tell what moved against the committed figures.

    python -m benchmarks.bench_all [NAME ...] [--no-run] [--against REVISION]

Without a name all of them run, one after the other, each in a process of its own; one that fails
is told at the end and stops no other. ``--no-run`` only compares what is in ``results`` now.
Exits with 1 where a benchmark failed or a target that was held is held no more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchmarks import pages
from benchmarks.cases import RESULTS, Case
from benchmarks.sections import rows

ROOT = Path(__file__).parents[1]
NAMES = tuple(pages.TITLES)
HEADER = ("case", "committed", "now", "ratio", "target", "crossed")


class Crossed(StrEnum):
    """What became of a target."""

    NO = ""
    REACHED = "now holds"
    LOST = "**no longer holds**"


@dataclass(frozen=True, slots=True)
class Run:
    """One benchmark that was run."""

    name: str
    seconds: float
    exit_code: int


@dataclass(frozen=True, slots=True)
class Move:
    """One case before and now; one of the two may be absent."""

    case: str
    old: Case | None
    new: Case | None

    @property
    def moved(self) -> bool:
        """Whether there is anything to tell."""
        if self.old is None or self.new is None:
            return True
        return (self.old.value, self.old.target) != (self.new.value, self.new.target)

    @property
    def ratio(self) -> float | None:
        """Value now over value before; None where there is none."""
        if self.old is None or self.new is None or self.old.value == 0:
            return None
        return self.new.value / self.old.value

    @property
    def crossed(self) -> Crossed:
        """Whether the target was reached or lost in between."""
        before, now = (case and case.holds for case in (self.old, self.new))
        if before is None or now is None or before == now:
            return Crossed.NO
        return Crossed.REACHED if now else Crossed.LOST


def compare(old: Iterable[Case], new: Iterable[Case]) -> list[Move]:
    """Every case of either side, in the order of the new ones; those that are gone come last."""
    before, now = ({case.case: case for case in cases} for cases in (old, new))
    return [Move(name, before.get(name), now.get(name)) for name in now | before]


def table(moves: Sequence[Move]) -> str:
    """What moved, as Markdown; targets that were crossed come first, and the rest is counted."""
    shown = sorted((move for move in moves if move.moved), key=lambda m: m.crossed == Crossed.NO)
    still = f"{len(moves) - len(shown)} of {len(moves)} cases stand where they stood."
    return f"{rows(HEADER, map(_line, shown))}\n\n{still}" if shown else still


def read(name: str, revision: str | None = None) -> list[Case]:
    """The cases of one benchmark, from the working tree or a revision; none where it has none.

    Raises:
        ValueError: The file is none of a benchmark's.
    """
    path = RESULTS / f"{name}.json"
    if revision is None:
        text = path.read_text("utf-8") if path.is_file() else ""
    else:
        shown = f"{revision}:{path.relative_to(ROOT).as_posix()}"
        text = _git("show", shown) if _git("ls-tree", revision, "--", str(path)) else ""
    return parse(text, path.name)


def parse(text: str, name: str) -> list[Case]:
    """Cases as :func:`benchmarks.cases.write` wrote them.

    Raises:
        ValueError: The text is nothing of that form.
    """
    try:
        return [Case(**case) for case in json.loads(text)] if text.strip() else []
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds no cases ({error}): measure it again") from error


def run_one(name: str) -> Run:
    """Run a benchmark in a process of its own, its output shown as it comes."""
    started = time.perf_counter()
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    done = subprocess.run(command, cwd=ROOT, check=False)
    return Run(name, time.perf_counter() - started, done.returncode)


def told(runs: Sequence[Run]) -> str:
    """How long each took and which failed, as Markdown."""
    lines = [(run.name, f"{run.seconds:.0f}", _ended(run.exit_code)) for run in runs]
    return rows(("benchmark", "seconds", "ended"), lines)


def main() -> None:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_all", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--no-run", action="store_true")
    parser.add_argument("--against", default="HEAD", metavar="REVISION")
    given = parser.parse_args()
    strange = [name for name in given.names if name not in NAMES]
    if strange:
        raise SystemExit(f"got {strange[0]!r}, expected some of {', '.join(NAMES)}")
    names = given.names or NAMES
    runs = [] if given.no_run else [run_one(name) for name in names]
    lost: list[str] = []
    for name in names:
        moves = compare(read(name, given.against), read(name))
        print(f"\n## {name}\n\n{table(moves)}", flush=True)
        lost += [move.case for move in moves if move.crossed == Crossed.LOST]
    if runs:
        print(f"\n## Runs\n\n{told(runs)}")
    raise SystemExit(1 if lost or any(run.exit_code for run in runs) else 0)


def _line(move: Move) -> tuple[object, ...]:
    now = move.new or move.old
    target = now.target if now else ""
    if move.old and move.new and move.old.target != target:
        target = f"{target or 'none'} (was {move.old.target or 'none'})"
    ratio = "" if move.ratio is None else f"{move.ratio:.3f}"
    return (f"`{move.case}`", _value(move.old), _value(move.new), ratio, target, move.crossed.value)


def _value(case: Case | None) -> str:
    return "–" if case is None else f"{case.value:g} {case.unit}".strip()


def _ended(exit_code: int) -> str:
    return "well" if exit_code == 0 else f"**with {exit_code}**"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
