"""The site builds without a warning, fetches nothing, and every link in it holds."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

from scripts.docs_site import figures
from scripts.docs_site.docstrings import in_markdown
from scripts.docs_site.file_pages import page_of
from scripts.docs_site.reference_cli import cli_page
from scripts.docs_site.reference_rest import rendered

if any(find_spec(name) is None for name in ("mkdocs", "material", "mkdocstrings")):
    pytest.skip("the extra 'docs' is not installed", allow_module_level=True)

ROOT = Path(__file__).parents[2]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""What a browser fetches by itself, by tag."""


class Page(HTMLParser):
    """What a page links to, what it loads, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.linked: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value is not None}
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "a" and "href" in given:
            self.linked.add(given["href"])
        if LOADED.get(tag, "") in given and given.get("rel") != "canonical":
            self.loaded.add(given[LOADED[tag]])


@pytest.fixture(scope="module")
def site() -> dict[Path, Page]:
    """Built as ``make docs`` does; ``build`` is no part of the repository."""
    from scripts.docs_site.__main__ import main

    assert main([]) == 0, "warnings are above"
    folder = ROOT / "build" / "site"
    return {path: Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}


@pytest.mark.timeout(1800)
def test_every_link_of_the_site_holds(site: dict[Path, Page]):
    assert len(site) > 60
    for path, page in site.items():
        if path.name == "404.html":
            continue
        for link in page.linked:
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            aim = (path.parent / unquote(target)).resolve() if target else path
            assert aim.exists(), f"{path.name} links to {link}"
            if anchor and aim in site:
                assert unquote(anchor) in site[aim].ids | {"__top"}, f"{path.name}: {link}"


def test_nothing_is_fetched_from_elsewhere(site: dict[Path, Page]):
    for path, page in site.items():
        outside = {link for link in page.loaded if re.match(r"([a-z]+:)?//", link)}
        assert not outside, (path.name, outside)
        assert 'class="mermaid"' not in path.read_text("utf-8"), "its script comes from elsewhere"
    for sheet in (ROOT / "build" / "site" / "assets").rglob("*.css"):
        assert not re.search(r"url\(['\"]?https?:|@import", sheet.read_text("utf-8")), sheet.name


def test_the_references_hold_names_calls_and_commands(site: dict[Path, Page]):
    folder = ROOT / "build" / "site" / "reference"
    assert "engine.recommend.Engine.recommend" in site[folder / "api" / "engine.html"].ids
    assert {"post-v1recommend", "recommendrequest"} <= site[folder / "rest.html"].ids
    assert {"vitrine-train", "vitrine-graph-show"} <= site[folder / "cli.html"].ids


# ----------------------------------------------------------------- its parts


def test_figures_are_those_of_the_result_files(tmp_path: Path):
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    case = {"command": "make bench-x", "commit": "abc", "cpu": "2 x", "target": ">= 2"}
    cases = [
        {**case, "case": "fast", "value": 2.5, "unit": "x", "holds": True},
        {**case, "case": "small", "value": 1.0, "unit": "", "holds": False},
    ]
    (results / "x.json").write_text(json.dumps(cases))
    (tmp_path / "benchmarks" / "x.md").write_text("# The X\n")
    asked = "a\n\n<!-- cases x: fast -->\n\n<!-- missed -->\n\n<!-- benchmarks -->\n"
    shown = figures.filled(asked, tmp_path)
    assert "| `fast` | 2.5 x | >= 2 | yes |\n\n`make bench-x`, commit abc" in shown
    assert "| [The X](../benchmarks/x.md) | `small` | 1 | >= 2 |" in shown
    assert "| [The X](../benchmarks/x.md) | 1 of 2 | `make bench-x` | abc |" in shown
    assert shown.count("`fast`") == 1
    for wrong in ("<!-- cases x: slow -->", "<!-- cases y: fast -->"):
        with pytest.raises(figures.UnknownFigureError, match="expected cases of"):
            figures.filled(wrong, tmp_path)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda p: p.name)
def test_a_page_asks_for_figures_that_there_are(page: Path):
    assert "<!-- cases" not in figures.filled(page.read_text("utf-8"), ROOT)


def test_docstrings_lose_the_marks_of_another_tool():
    text = (
        "See :meth:`~engine.Engine.open` and ``x``.\n\n.. math::\n    a = b \\\\\n    c = d\n\nEnd."
    )
    assert in_markdown(text) == (
        "See `engine.Engine.open` and `x`.\n\n```latex\na = b \\\\\nc = d\n```\n\nEnd."
    )


def test_a_notebook_becomes_a_page_with_its_pictures(tmp_path: Path):
    book = {
        "cells": [
            {"cell_type": "markdown", "source": ["# Hello\n", "you"]},
            {
                "cell_type": "code",
                "source": "1 + 1",
                "outputs": [
                    {"data": {"text/plain": ["2"]}},
                    {"data": {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"}},
                ],
            },
        ]
    }
    source = tmp_path / "a.ipynb"
    source.write_text(json.dumps(book))
    text = page_of(source, source.relative_to(tmp_path), tmp_path / "out" / "a.ipynb.md")
    assert "# Hello\nyou\n\n```python\n1 + 1\n```\n\n```text\n2\n```" in text
    assert (tmp_path / "out" / "a.ipynb-1-1.png").read_bytes().startswith(b"\x89PNG")
    assert "<Figure>" not in text


def test_an_openapi_document_becomes_tables():
    field = {"anyOf": [{"type": "integer", "maximum": 9}, {"type": "null"}], "default": 3}
    document = {
        "paths": {
            "/v1/x/{id}": {
                "put": {
                    "tags": ["items"],
                    "description": "Do it.",
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                    ],
                    "requestBody": {
                        "content": {
                            "application/json": {
                                "schema": {"$ref": "#/components/schemas/X"},
                                "examples": {"a": {"summary": "One", "value": {"k": 1}}},
                            }
                        }
                    },
                    "responses": {"204": {"description": "Done."}},
                }
            }
        },
        "components": {"schemas": {"X": {"properties": {"k": field}, "required": []}}},
    }
    text = rendered(document)
    assert "## Items\n\n### PUT /v1/x/{id}\n\nDo it." in text
    assert "| `id` (required) | path | string |  |" in text
    assert 'Body: [X](#x).\n\nOne:\n\n```json\n{\n  "k": 1\n}\n```' in text
    assert "| 204 | Done. |" in text
    assert "| `k` | integer or null | `3` | (≤ 9) |" in text


def test_the_reference_of_the_commands_tells_defaults_and_examples():
    text = cli_page()
    train = text.partition("## vitrine train\n")[2].partition("\n## ")[0]
    assert "vitrine train [OPTIONS] DATASET RUN" in train
    assert "| `--hold-out-weeks` |" in train
    assert "vitrine train data/shop runs/shop --config shop.yaml --hold-out-weeks 4" in train
    assert "| `-k`, `--count` | How many items. | `10` |" in text
