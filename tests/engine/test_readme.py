"""What the README shows is run: its Python on a small run, its files and commands by name."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from engine import Engine, Scene

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_python_of_the_first_screen_prints_ten_reasons(
    small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    block = BLOCKS[0]
    names: dict[str, object] = {}
    exec(block.replace("runs/demo", str(small_run)), names)  # our own README
    names["engine"].close()  # type: ignore[attr-defined]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert all(line.endswith(".") for line in lines)


def test_the_python_of_a_new_item_finds_it(small_run: Path, tmp_path: Path) -> None:
    (block,) = BLOCKS[1:]
    photo = io.BytesIO()
    Image.new("RGB", (64, 64), "peru").save(photo, "PNG")
    with Engine.open(small_run, store_url=f"sqlite:///{tmp_path / 'events.sqlite'}") as engine:
        known = engine.search("milk", k=1)[0].item.item_id
        names = {"engine": engine, "Scene": Scene, "photo": photo.getvalue()}
        exec(block.replace("sku-4", known), names)  # our own README
        assert engine.search("copper kettle", k=1)[0].item.item_id == "sku-9"


def test_every_command_is_named() -> None:
    from engine.cli import app

    for command in app.registered_commands:
        assert command.callback is not None
        assert f"`{command.name or command.callback.__name__}`" in README


@pytest.mark.parametrize("page", ["README.md", "docs/design.md"])
def test_links_to_files_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links
    for link in links:
        assert ((ROOT / page).parent / link).exists(), link


@pytest.mark.parametrize("name", ["demo", "online_retail"])
def test_the_tables_are_those_of_the_result_files(name: str) -> None:
    results = ROOT / "benchmarks" / "results"
    table = (results / f"{name}_table.md").read_text(encoding="utf-8")
    page = (ROOT / "benchmarks" / f"{name}.md").read_text(encoding="utf-8")
    for row in table.splitlines():
        if row.startswith("|"):
            assert row in README
            assert row in page
    for case in json.loads((results / f"{name}.json").read_text(encoding="utf-8")):
        assert f"| `{case['case']}` | {case['value']:g}" in page
