"""Every link and anchor of the pages leads somewhere, and every page can be found."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

from scripts.docs_site import markdown
from scripts.docs_site.gather import BrokenLinkError, aim_of, site_path
from scripts.docs_site.reference_api import api_pages, public_packages

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    PurePosixPath(path.relative_to(ROOT).as_posix())
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "encoders/**/*.md")
    for path in ROOT.glob(pattern)
)
MADE = {"reference/cli.md", "reference/rest.md", *api_pages(ROOT)}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_to_files_and_to_headings(page: PurePosixPath):
    text = (ROOT / page).read_text("utf-8")
    for link in markdown.links(text):
        if link.is_elsewhere:
            continue
        aim = aim_of(ROOT, page, link) if link.path else page
        if aim.is_relative_to("docs/reference"):
            assert str(aim.relative_to("docs")) in MADE, link
        elif link.anchor and aim.suffix == ".md":
            known = markdown.anchors((ROOT / aim).read_text("utf-8"))
            assert link.anchor in known, f"{aim} has {sorted(known)}"


@pytest.mark.parametrize("page", [p for p in PAGES if p.parts[0] == "docs"], ids=str)
def test_a_page_stands_in_the_table_of_contents(page: PurePosixPath):
    nav = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    assert re.search(rf"^ +- {re.escape(str(page.relative_to('docs')))}$", nav, re.M)


def test_a_link_to_nothing_and_a_link_out_of_the_repository_are_refused(tmp_path: Path):
    (tmp_path / "docs").mkdir()
    for target in ("gone.md", "../../elsewhere.md"):
        (link,) = markdown.links(f"[x]({target})")
        with pytest.raises(BrokenLinkError, match="expected a file of the repository"):
            aim_of(tmp_path, PurePosixPath("docs/page.md"), link)


def test_links_are_found_in_text_and_not_in_code():
    text = (
        '[a](a.md) and [`b`](b.md#c "said"), ![p](p.png)\n\n'
        "`[no](no.md)`\n\n    [no](no.md)\n\n```md\n[no](no.md)\n```\n"
        "[![badge](in.png)](out.md) [same](#here) [web](https://x.example/a)\n"
    )
    found = [(link.path, link.anchor, link.is_elsewhere) for link in markdown.links(text)]
    assert found == [
        ("a.md", "", False),
        ("b.md", "c", False),
        ("p.png", "", False),
        ("out.md", "", False),
        ("", "here", False),
        ("https://x.example/a", "", True),
    ]
    for link in markdown.links(text):
        assert text[link.start : link.end].startswith(link.path or "#")


def test_anchors_are_those_that_a_reader_s_browser_knows():
    text = "# The `run`, twice\n\n```sh\n# no heading\n```\n\n## It's [here](a.md)\n"
    text += "\n## Again\n\n## Again\n"
    assert markdown.anchors(text) == {"the-run-twice", "its-here", "again", "again-1"}


def test_blocks_of_code_come_with_their_language_and_place():
    text = "para\n\n    vitrine x\n    vitrine y\n\n- item\n\n  ```python\n  a = 1\n  ```\n"
    fenced, indented = markdown.blocks(text)
    assert (fenced.language, fenced.body, fenced.line) == ("python", "a = 1\n", 9)
    assert (indented.language, indented.body, indented.line) == ("", "vitrine x\nvitrine y\n", 3)


@pytest.mark.parametrize(
    ("file", "page"),
    [
        ("docs/scene.md", "scene.md"),
        ("docs/models/graph.md", "models/graph.md"),
        ("benchmarks/demo.md", "benchmarks/demo.md"),
        ("README.md", "files/README.md"),
        ("engine/build.py", "files/engine/build.py.md"),
        ("examples/deploy", "files/examples/deploy/index.md"),
        ("LICENSE", "files/LICENSE.md"),
    ],
)
def test_every_file_has_one_place_on_the_site(file: str, page: str):
    assert site_path(ROOT, PurePosixPath(file)) == PurePosixPath(page)


def test_every_public_name_is_in_the_reference_once():
    pages = api_pages(ROOT)
    listed = {p.name: p.names for p in public_packages(ROOT)}
    assert {"engine", "engine.client", "encoders", "graph", "retrieval.index"} <= set(listed)
    entries = re.findall(r"^::: (\S+)$", "\n".join(pages.values()), re.M)
    assert len(entries) == len(set(entries))
    for package, names in listed.items():
        text = pages[f"reference/api/{package}.md"]
        for name in names:
            assert re.search(rf"^(::: \S+\.{name}|## `{name}`)$", text, re.M), (package, name)
