"""What is compiled is kept on disk by the file that it stands in: nothing else may change it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retrieval.kernels import kernel

ROOT = Path(__file__).parents[2]
NEVER_CHANGES = {"DAY_S"}
"""Read by kernels of other files: a day has as many seconds in every version."""
FILES = [
    path
    for package in ("engine", "graph", "retrieval")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "\n@kernel\n" in path.read_text(encoding="utf-8")
]


def read_by(nodes: list[ast.stmt]) -> set[str]:
    """Names that statements read."""
    walked = (inner for node in nodes for inner in ast.walk(node))
    return {inner.id for inner in walked if isinstance(inner, ast.Name)}


def assigned(module: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Names that a module gives a value, and the statement that does."""
    for node in module.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for inner in ast.walk(target):
                    if isinstance(inner, ast.Name):
                        yield inner.id, node


def frozen_from_elsewhere(source: str) -> set[str]:
    """Names of this project's other files whose values kernels of a source keep when compiled."""
    module = ast.parse(source)
    foreign = {
        alias.asname or alias.name
        for node in module.body
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[0] in ("engine", "graph", "retrieval")
        for alias in node.names
    }
    kernels = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(mark, ast.Name) and mark.id == "kernel" for mark in node.decorator_list)
    ]
    read = read_by([statement for node in kernels for statement in node.body])
    made_of = {name: read_by([node]) for name, node in assigned(module)}
    waiting = list(read)
    while waiting:
        more = made_of.get(waiting.pop(), set()) - read
        read |= more
        waiting += more
    return read & foreign - NEVER_CHANGES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_kernel_reads_no_constant_and_calls_no_kernel_of_another_file(path: Path) -> None:
    assert not frozen_from_elsewhere(path.read_text(encoding="utf-8"))


def test_what_is_frozen_from_elsewhere_is_found() -> None:
    source = (
        "from retrieval.a import WIDTH, Ints, helper\n"
        "HALF = WIDTH // 2\n"
        "QUARTER = HALF // 2\n"
        "@kernel\n"
        "def f(x: Ints) -> int:\n"
        "    return {}\n"
    )
    for body, expected in (("QUARTER + x", {"WIDTH"}), ("helper(x)", {"helper"}), ("x", set())):
        assert frozen_from_elsewhere(source.format(body)) == expected


@kernel
def quotient(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """One by the other."""
    return one / other


def test_numbers_of_a_kernel_are_those_of_numpy() -> None:
    one, other = np.array([1.0, 0.0, np.nan]), np.array([0.0, 0.0, 1.0])
    assert quotient(one, other).tolist()[0] == np.inf
    assert np.isnan(quotient(one, other)[1:]).all()
