"""Gather the site's pages: those by hand, those made from code, and every file they link to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from scripts.docs_site import figures, file_pages, markdown
from scripts.docs_site.reference_api import api_pages
from scripts.docs_site.reference_cli import cli_page
from scripts.docs_site.reference_rest import rest_page

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "build" / "docs"
HAND_WRITTEN = ("docs", "benchmarks")
"""Folders whose pages are the site's own; other files are shown as files."""
REFERENCE = PurePosixPath("docs/reference")
PICTURES = frozenset({".png", ".svg", ".jpg", ".jpeg", ".webp", ".css"})


class BrokenLinkError(ValueError):
    """A page links to what is not there."""


def gather(root: Path, out: Path) -> int:
    """Write all pages of the site, and return how many.

    Args:
        root: Of the repository.
        out: Folder for the pages; what it held is removed.

    Raises:
        BrokenLinkError: A page links to a file that does not exist.
        figures.UnknownFigureError: A page asks for a figure that no benchmark has.
    """
    shutil.rmtree(out, ignore_errors=True)
    made = {"reference/rest.md": rest_page(), "reference/cli.md": cli_page(), **api_pages(root)}
    for name, text in made.items():
        _write(out / name, text)
    waiting = list(_written(root))
    known = {*waiting, *(PurePosixPath("docs") / name for name in made)}
    for file in waiting:  # grows: a page brings the files that it links to
        for other in _place(root, file, out):
            if other not in known:
                known.add(other)
                waiting.append(other)
    return sum(1 for _ in out.rglob("*.md"))


def site_path(root: Path, file: PurePosixPath) -> PurePosixPath:
    """Where a file or folder of the repository stands among the pages."""
    if file.parts[0] == "docs" and len(file.parts) > 1:
        return PurePosixPath(*file.parts[1:])
    if file.parts[0] == "benchmarks" and file.suffix == ".md":
        return file
    shown = PurePosixPath("files") / file
    if (root / file).is_dir():
        return shown / "index.md"
    return shown if file.suffix in PICTURES | {".md"} else shown.with_name(f"{shown.name}.md")


def _written(root: Path) -> Iterator[PurePosixPath]:
    for folder in HAND_WRITTEN:
        pattern = "*.md" if folder == "benchmarks" else "**/*"
        for path in sorted((root / folder).glob(pattern)):
            if path.is_file():
                yield PurePosixPath(path.relative_to(root).as_posix())


def _place(root: Path, file: PurePosixPath, out: Path) -> list[PurePosixPath]:
    """Put one file among the pages; returns the files that it links to."""
    source, target = root / file, out / site_path(root, file)
    if file.suffix in PICTURES:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return []
    if file.suffix != ".md":
        _write(target, file_pages.page_of(source, file, target))
        return [file / name for name in file_pages.listed(source)]
    text = figures.filled(source.read_text("utf-8"), root)
    linked: list[PurePosixPath] = []
    parts, done = [], 0
    for link in markdown.links(text):
        if link.is_elsewhere or not link.path:
            continue
        aim = aim_of(root, file, link)
        linked.append(aim)
        shown = os.path.relpath(site_path(root, aim), site_path(root, file).parent)
        anchor = f"#{link.anchor}" if link.anchor else ""
        parts += [text[done : link.start], shown + anchor]
        done = link.end
    _write(target, "".join([*parts, text[done:]]))
    return linked


def aim_of(root: Path, file: PurePosixPath, link: markdown.Link) -> PurePosixPath:
    """The file or folder of the repository that a page's link leads to.

    Pages of the reference are made with the site, and are taken as there: the site's build knows.

    Raises:
        BrokenLinkError: There is none.
    """
    aim = PurePosixPath(os.path.normpath(file.parent / link.path))
    is_made = aim.parts[:2] == REFERENCE.parts
    if not is_made and (aim.parts[0] == ".." or not (root / aim).exists()):
        raise BrokenLinkError(f"{file} links to {link.path!r}, expected a file of the repository")
    return aim


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
