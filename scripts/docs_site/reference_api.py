"""The Python reference: one page per package, one entry for each name of its ``__all__``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GROUPS = {
    "engine": "What you call: ids in, explained recommendations out.",
    "encoders": "Pictures and words to vectors; arrays in, arrays out.",
    "graph": "Tables and vectors to a knowledge graph, vectors and paths; arrays in, arrays out.",
    "retrieval": "From everything to a few, then the few in order; arrays in, arrays out.",
}
MODULES = {
    "retrieval": (
        "retrieval.recall",
        "retrieval.rerank.config",
        "retrieval.rerank.features",
        "retrieval.rerank.intervals",
        "retrieval.rerank.model",
        "retrieval.rerank.train",
    ),
}
"""Modules without a package's ``__all__`` that are meant to be read all the same."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package with public names."""

    name: str
    says: str
    """The first line of its docstring."""
    names: tuple[str, ...]


def api_pages(root: Path) -> dict[str, str]:
    """Pages of the reference: path to Markdown, with directives for mkdocstrings."""
    packages = list(public_packages(root))
    homes = {package.name: _homes(root, package.name) for package in packages}
    pages = {"reference/api/index.md": _index(packages)}
    shown: dict[str, str] = {}
    for package in packages:
        lines = [f"# {package.name}", "", package.says, ""]
        for name in package.names:
            lines += _entry(package.name, name, _home(homes, package.name, name), shown)
        pages[f"reference/api/{package.name}.md"] = "\n".join(lines) + "\n"
    for names in MODULES.values():
        for name in names:
            pages[f"reference/api/{name}.md"] = f"# {name}\n\n::: {name}\n"
    return pages


def public_packages(root: Path) -> Iterator[Package]:
    """The packages that list what they offer, outer ones first."""
    for group in GROUPS:
        for path in sorted((root / group).rglob("__init__.py"), key=lambda p: (len(p.parts), p)):
            tree = ast.parse(path.read_text("utf-8"), filename=str(path))
            names = _listed(tree)
            if names:
                dotted = ".".join(path.parent.relative_to(root).parts)
                yield Package(dotted, (ast.get_docstring(tree) or "").partition("\n")[0], names)


def _listed(tree: ast.Module) -> tuple[str, ...]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return tuple(ast.literal_eval(node.value))
    return ()


def _homes(root: Path, package: str) -> dict[str, str]:
    """Each imported name of a package and the module that it is imported from."""
    path = root.joinpath(*package.split("."), "__init__.py")
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.asname or alias.name: node.module for alias in node.names}
    return found


def _home(homes: dict[str, dict[str, str]], package: str, name: str) -> str:
    """The module that defines a name, through packages that only pass it on."""
    module = homes[package].get(name, package)
    while module in homes and name in homes[module]:
        module = homes[module][name]
    return module


def _entry(package: str, name: str, home: str, shown: dict[str, str]) -> list[str]:
    full = f"{home}.{name}"
    if full in shown:
        return [f"## `{name}`", "", f"The same as [`{full}`]({shown[full]}.md#{full}).", ""]
    shown[full] = package
    return [f"::: {full}", "    options:", "      heading_level: 2", ""]


def _index(packages: list[Package]) -> str:
    lines = ["# Python", "", "What `__all__` of each package lists; everything else may change."]
    for group, says in GROUPS.items():
        lines += ["", f"## {group}", "", says, "", "| package | for |", "| --- | --- |"]
        for package in packages:
            if package.name.split(".")[0] == group:
                lines.append(f"| [`{package.name}`]({package.name}.md) | {package.says} |")
        lines += [
            f"| [`{name}`]({name}.md) | a module to read |" for name in MODULES.get(group, ())
        ]
    return "\n".join(lines) + "\n"
