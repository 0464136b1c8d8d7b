"""Figures of the result files, put where a page asks for them.

A page asks with a comment: ``<!-- cases NAME: case case -->`` for some cases of a benchmark,
``<!-- missed -->`` for every case that does not hold, ``<!-- benchmarks -->`` for the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cases import HEAD, Case, read
from scripts.docs_site.markdown import title

_ASKED = re.compile(
    r"^<!-- (?P<what>cases (?P<name>\w+): (?P<cases>[\w ]+)|missed|benchmarks) -->$", re.M
)


class UnknownFigureError(ValueError):
    """A page asks for what no benchmark measured."""


def filled(text: str, root: Path) -> str:
    """A page with the figures that it asks for.

    Raises:
        UnknownFigureError: There is no such benchmark or case.
    """
    return _ASKED.sub(lambda asked: _answer(asked, root), text)


def measured(root: Path) -> dict[str, list[Case]]:
    """Every benchmark that has results and a page: name to its cases."""
    return {
        path.stem: read(path)
        for path in sorted((root / "benchmarks" / "results").glob("*.json"))
        if (root / "benchmarks" / f"{path.stem}.md").is_file()
    }


def _answer(asked: re.Match[str], root: Path) -> str:
    known = measured(root)
    if asked["what"] == "missed":
        return "\n".join(_missed(known, root))
    if asked["what"] == "benchmarks":
        return "\n".join(_list(known, root))
    cases = {one.case: one for one in known.get(asked["name"], ())}
    names = asked["cases"].split()
    strange = [name for name in names if name not in cases]
    if strange:
        raise UnknownFigureError(
            f"got {asked[0]!r}, expected cases of benchmarks/results/{asked['name']}.json: "
            f"{strange[0]!r} is none"
        )
    chosen = [cases[name] for name in names]
    return f"{HEAD}\n" + "\n".join(one.row() for one in chosen) + f"\n\n{_source(chosen[0])}"


def _missed(known: dict[str, list[Case]], root: Path) -> Iterator[str]:
    yield "| benchmark | case | value | target |\n| --- | --- | ---: | ---: |"
    for name, cases in known.items():
        for one in cases:
            if one.holds is False:
                link = f"[{_title(root, name)}](../benchmarks/{name}.md)"
                yield f"| {link} | `{one.case}` | {one.amount} | {one.target} |"


def _list(known: dict[str, list[Case]], root: Path) -> Iterator[str]:
    yield "| benchmark | cases that hold | redo it | measured at |\n| --- | ---: | --- | --- |"
    for name, cases in known.items():
        aimed = [one for one in cases if one.holds is not None]
        held = f"{sum(one.holds is True for one in aimed)} of {len(aimed)}" if aimed else "–"
        link = f"[{_title(root, name)}](../benchmarks/{name}.md)"
        yield f"| {link} | {held} | `{cases[0].command}` | {cases[0].commit} |"
    for path in sorted((root / "benchmarks").glob("*.md")):
        if path.stem not in known:
            yield f"| [{_title(root, path.stem)}](../benchmarks/{path.name}) | – | | |"


def _title(root: Path, name: str) -> str:
    return title((root / "benchmarks" / f"{name}.md").read_text("utf-8"))


def _source(one: Case) -> str:
    return f"`{one.command}`, commit {one.commit}"
