"""What the pages show can be run: Python, commands, calls, settings."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from engine.cli import app
from engine.config import EngineConfig
from engine.ingest import Mapping
from scripts.docs_site import markdown
from scripts.docs_site.reference_cli import commands
from scripts.docs_site.reference_rest import openapi

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
RUN = re.compile(r"<!-- run(?P<small>: small)? -->\n```python\n(?P<code>.*?)```", re.DOTALL)
COMMANDS = dict(commands(get_command(app)))
QUICK = EngineConfig.model_validate(
    {
        "graph": {"width": 16, "epochs": 1, "batch_size": 1024, "n_negatives": 16},
        "rerank": {"width": 16, "hidden": 32, "layers": 1, "history": 16, "weeks": 6, "epochs": 1},
    }
)
"""The tutorial's training in seconds; what it prints is not what the page shows."""


@dataclass(frozen=True, slots=True)
class Line:
    """A command of a page."""

    page: str
    number: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.number} {' '.join(self.words[:3])}"


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def typed(page: Path) -> Iterator[Line]:
    """Commands that a shell would run, of blocks that are no other language."""
    for block in markdown.blocks(read(page)):
        if block.language in {"", "sh", "bash", "console"}:
            text = ""
            for number, line in enumerate(block.body.splitlines(), start=block.line):
                begun = f"{text} {line}" if text else line.strip().removeprefix("$ ")
                text = ""
                if not re.match(r"(vitrine|make|curl) ", begun):
                    continue
                if begun.endswith("\\"):
                    text = begun[:-1]
                    continue
                try:
                    yield Line(named(page), number, tuple(shlex.split(begun, comments=True)))
                except ValueError:  # a quotation goes on in the next line
                    text = begun


LINES = [line for page in PAGES for line in typed(page)]


def lines(program: str) -> list[Line]:
    return [line for line in LINES if line.words[0] == program]


def command_of(words: tuple[str, ...]) -> tuple[Any, list[str]]:
    """The command and the words that are left for it."""
    for length in (3, 2):
        found = COMMANDS.get(" ".join(words[:length]))
        if found is not None:
            return found, list(words[length:])
    raise AssertionError(f"no such command: {' '.join(words[:3])}")


# ------------------------------------------------------------------ Python


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_python_compiles_and_imports_what_there_is(page: Path):
    for block in markdown.blocks(read(page)):
        if block.language != "python":
            continue
        for node in ast.walk(ast.parse(block.body, f"{named(page)}:{block.line}")):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    importlib.import_module(alias.name)


def marked(*, small: bool) -> list[Any]:
    return [
        pytest.param(match["code"], id=f"{named(page)}-{number}")
        for page in PAGES
        if page.name != "tutorial.md"
        for number, match in enumerate(RUN.finditer(read(page)))
        if bool(match["small"]) is small
    ]


@pytest.mark.parametrize("code", marked(small=False))
def test_python_that_needs_nothing_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "page", "exec"), {})  # our own page


@pytest.mark.parametrize("code", marked(small=True))
def test_python_on_the_demo_runs_on_a_small_one(
    code: str, small_run: Path, capsys: pytest.CaptureFixture[str]
):
    exec(compile(code.replace("runs/demo", str(small_run)), "page", "exec"), {})  # our own page
    assert capsys.readouterr().out.count("\n") >= 3


# ---------------------------------------------------------------- commands


@pytest.mark.parametrize("line", lines("vitrine"), ids=str)
def test_commands_exist_and_take_what_they_are_given(line: Line):
    command, rest = command_of(line.words)
    options = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts)}
    given, position, is_whole = [], 0, False
    while position < len(rest):
        word, _, value = rest[position].partition("=")
        position += 1
        if not word.startswith("-"):
            given.append(word)
            continue
        assert word in options, f"{word} is no option of {' '.join(line.words[:3])}"
        is_whole |= bool(options[word].is_eager)  # such as --list-presets: it needs nothing else
        if not value and not getattr(options[word], "is_flag", False):
            assert position < len(rest), f"{word} needs a value"
            position += 1
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    assert is_whole or len(given) >= sum(p.required for p in arguments)
    if all(p.nargs == 1 for p in arguments):
        assert len(given) <= len(arguments)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_in_running_text_exist(page: Path):
    prose = "\n".join(line for line in read(page).splitlines() if not line.startswith("    "))
    for code in re.findall(r"`vitrine ([^`\n]+)`", prose):
        words = ("vitrine", *(word for word in code.split() if word != "\\"))
        if re.fullmatch(r"[a-z][a-z-]+", words[1]) and " ".join(words[:2]) not in GROUPS:
            command, rest = command_of(words)
            options = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
            assert {w.partition("=")[0] for w in rest if w.startswith("--")} <= options, code


GROUPS = {f"vitrine {name.split()[1]}" for name in COMMANDS if len(name.split()) == 3}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_tasks_exist(page: Path):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    said = [line.words[1:] for line in typed(page) if line.words[0] == "make"]
    said += [tuple(code.split()) for code in re.findall(r"`make ([^`\n]+)`", read(page))]
    for words in said:
        for task in (word for word in words if "=" not in word and word.islower()):
            pattern = r"bench-%" if re.fullmatch(r"bench-[a-z-]+", task) else re.escape(task)
            assert re.search(rf"^{pattern}:", makefile, re.M), f"make {task}"


# ------------------------------------------------------------------- calls


@pytest.fixture(scope="module")
def routes() -> set[tuple[str, str]]:
    return {(m.upper(), path) for path, ms in openapi()["paths"].items() for m in ms}


@pytest.mark.parametrize("line", lines("curl"), ids=str)
def test_calls_exist(line: Line, routes: set[tuple[str, str]]):
    words = line.words
    url = next(word for word in words if "localhost:8000" in word)
    path = url.partition("localhost:8000")[2].partition("?")[0]
    sends = any(word in words for word in ("--json", "-d"))
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if sends else "GET"
    assert any(
        method == known and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path)
        for known, template in routes
    ), f"{method} {path}"


# ------------------------------------------------- settings, and the tutorial


def test_the_mapping_of_the_page_is_a_mapping(tmp_path: Path):
    page = read(ROOT / "docs" / "howto" / "own-data.md")
    (text,) = [block.body for block in markdown.blocks(page) if block.language == "yaml"]
    (tmp_path / "shop.yaml").write_text(text)
    mapping = Mapping.open(tmp_path / "shop.yaml")
    assert set(mapping.tables()) == {"items", "events"}
    assert set(yaml.safe_load(text)) <= set(Mapping.model_fields)


@pytest.mark.timeout(1800)
def test_the_tutorial_leads_from_nothing_to_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    page = ROOT / "docs" / "tutorial.md"
    make_shop, ask = [b.body for b in markdown.blocks(read(page)) if b.language == "python"]
    monkeypatch.chdir(tmp_path)
    exec(compile(make_shop, "make_shop.py", "exec"), {})  # our own page
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(QUICK.model_dump(mode="json")))
    steps = [line.words[1:] for line in typed(page) if line.words[0] == "vitrine"]
    steps = [words for words in steps if words[0] != "serve"]
    assert [words[0] for words in steps][:3] == ["ingest", "train", "evaluate"]
    said = []
    for words in steps:
        quick = ["--config", "quick.yaml"] if words[0] == "train" else []
        done = CliRunner().invoke(app, [*words, *quick])
        assert done.exit_code == 0, done.output + repr(done.exception)
        said.append(done.output)
    assert "3,120" in said[0]  # 60 people, 26 weeks, two things each
    assert any(word in " ".join(said[4].split()) for word in ("Towel", "Sponge", "Shower"))
    exec(compile(ask, "page", "exec"), {})  # our own page
    assert capsys.readouterr().out.startswith("1 ")
