"""What every file of the four packages must keep to."""

import ast
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("encoders", "engine", "graph", "retrieval")
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
MAX_LINES = 350
UNPICKLERS = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
VAGUE = {"utils.py", "helpers.py", "common.py", "core.py", "misc.py"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.split(".")[0] for name in names}


def test_the_packages_resolve_to_this_tree():
    for name in PACKAGES:
        assert Path(importlib.import_module(name).__file__).parent == ROOT / name


def test_the_packages_depend_one_way():
    command = shutil.which("lint-imports", path=Path(sys.executable).parent)
    if command is None:
        pytest.skip("lint-imports is not installed: pip install -e '.[dev]'")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_has_one_job_and_a_name_for_it(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert path.name not in VAGUE
    assert ast.get_docstring(tree(path)), "a module says what it is for"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_nothing_is_unpickled_and_nothing_printed(path):
    assert not imported(path) & UNPICKLERS
    for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
        name, keywords = ast.unparse(call.func), [ast.unparse(word) for word in call.keywords]
        assert name != "print", f"line {call.lineno} prints"
        assert "allow_pickle=True" not in keywords, f"line {call.lineno} unpickles"
        if name == "torch.load":
            assert "weights_only=True" in keywords, f"line {call.lineno} unpickles"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_errors_are_neither_swallowed_nor_left_to_assertions(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: a bare except"
            passes = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
            assert not passes, f"line {node.lineno}: an error is passed over"
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: assert in the library"


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=named)
def test_what_a_package_exposes_is_listed_in_order_and_is_there(path):
    name = ".".join(path.parent.relative_to(ROOT).parts)
    package = importlib.import_module(name)
    public: set[str] = set()
    for node in tree(path).body:
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            public |= {alias.asname or alias.name for alias in node.names}
    public -= {"TYPE_CHECKING", "import_module"}
    listed = getattr(package, "__all__", [])
    assert sorted(listed) == list(listed)
    assert len(set(listed)) == len(listed)
    assert public <= set(listed), "imported there, so meant for others"
    assert [name for name in listed if not hasattr(package, name)] == []


def test_importing_the_engine_costs_nothing():
    code = "import sys, engine; print(sorted({'torch', 'polars', 'faiss'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
