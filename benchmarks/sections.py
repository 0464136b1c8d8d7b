"""Benchmarks of several sections, each of which may be measured alone and is kept until then."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from benchmarks.cases import RESULTS, Case


@dataclass(frozen=True, slots=True)
class Found:
    """What a section measured."""

    cases: tuple[Case, ...]
    table: str
    """Markdown for people: rows, intervals, and how it was measured."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a benchmark that can be run by itself."""

    name: str
    title: str
    measure: Callable[[], Found]


def run(benchmark: str, sections: Sequence[Section], chosen: Sequence[str]) -> None:
    """Measure the chosen sections (all, if none is named) and write all that is known.

    Raises:
        SystemExit: A name is no section.
    """
    known = {section.name: section for section in sections}
    strange = [name for name in chosen if name not in known]
    if strange:
        raise SystemExit(f"got {strange[0]!r}, expected some of {', '.join(known)}")
    folder = RESULTS / benchmark
    folder.mkdir(parents=True, exist_ok=True)
    for name in chosen or known:
        started = time.perf_counter()
        print(f"{benchmark} {name} ...", flush=True)
        found = known[name].measure()
        cases = [asdict(case) for case in found.cases]
        folder.joinpath(f"{name}.json").write_text(json.dumps(cases, indent=2) + "\n", "utf-8")
        folder.joinpath(f"{name}.md").write_text(found.table.strip() + "\n", "utf-8")
        _join(benchmark, sections)
        for case in found.cases:
            print(f"  {case.case} {case.value:g} {case.unit} {case.target}".rstrip())
        print(f"  {time.perf_counter() - started:.0f} s", flush=True)


def rows(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A Markdown table, numbers to the right."""
    head = [f"| {' | '.join(header)} |", f"| --- |{' ---: |' * (len(header) - 1)}"]
    return "\n".join([*head, *(f"| {' | '.join(map(str, line))} |" for line in lines)])


def _join(benchmark: str, sections: Sequence[Section]) -> None:
    folder = RESULTS / benchmark
    measured = [s for s in sections if (folder / f"{s.name}.json").is_file()]
    cases = [case for s in measured for case in json.loads((folder / f"{s.name}.json").read_text())]
    RESULTS.joinpath(f"{benchmark}.json").write_text(json.dumps(cases, indent=2) + "\n", "utf-8")
    tables = [f"## {s.title}\n\n{(folder / f'{s.name}.md').read_text('utf-8')}" for s in measured]
    RESULTS.joinpath(f"{benchmark}_table.md").write_text("\n".join(tables), "utf-8")
