"""Files of the repository as pages: code as it stands, notebooks with what they showed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from scripts.docs_site.markdown import fenced

LANGUAGES = {
    ".py": "python",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".json": "json",
    ".sh": "bash",
}
UNSEARCHED = "---\nsearch:\n  exclude: true\n---\n\n"


def listed(source: Path) -> list[str]:
    """The names of the files of a folder; nothing of a file."""
    if not source.is_dir():
        return []
    return sorted(p.name for p in source.iterdir() if p.is_file() and not p.name.startswith("."))


def page_of(source: Path, file: PurePosixPath, target: Path) -> str:
    """A page that shows a file, a notebook or a folder.

    Args:
        source: Where it is.
        file: What it is called in the repository.
        target: Where the page will be; the pictures of a notebook are put beside it.
    """
    head = f"{UNSEARCHED}# `{file}`\n\n"
    if source.is_dir():
        lines = [
            f"- [{name}]({name}{'' if name.endswith('.md') else '.md'})" for name in listed(source)
        ]
        return head + "\n".join(lines) + "\n"
    if source.suffix == ".ipynb":
        return head + "\n\n".join(_cells(json.loads(source.read_text("utf-8")), target)) + "\n"
    return head + fenced(source.read_text("utf-8"), LANGUAGES.get(source.suffix, "")) + "\n"


def _cells(book: dict[str, Any], target: Path) -> Iterator[str]:
    """The cells of a notebook (nbformat 4) as Markdown; pictures become files."""
    for number, cell in enumerate(book["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield source
            continue
        yield fenced(source, "python")
        for place, output in enumerate(cell.get("outputs", ())):
            data = output.get("data", {})
            text = "".join(output.get("text", data.get("text/plain", "")))
            if "image/png" in data:
                picture = target.with_name(f"{target.stem}-{number}-{place}.png")
                picture.parent.mkdir(parents=True, exist_ok=True)
                picture.write_bytes(base64.b64decode("".join(data["image/png"])))
                yield f"![What the cell drew]({picture.name})"
            elif text.strip():
                yield fenced(text, "text")
