"""Where the picture of an item lies: a path with the id in it, or folders that are searched."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator

ANY_SUFFIX = ".*"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""What ``.*`` at the end of a pattern stands for, the likeliest first."""
_EXAMPLE = "photos/{item_id}.jpg"


def _names_the_item(pattern: str) -> str:
    try:
        fields = {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
        if fields == {"item_id"}:
            pattern.format(item_id="0")
    except ValueError as error:
        raise ValueError(f"got {pattern!r} ({error}), expected one like {_EXAMPLE}") from error
    if fields != {"item_id"}:
        raise ValueError(f"got {pattern!r}, expected a path with {{item_id}}, like {_EXAMPLE}")
    folders, name = os.path.split(pattern.removesuffix(ANY_SUFFIX))
    if "*" in name or ("*" in folders and "{item_id" in folders):
        raise ValueError(
            f"got {pattern!r}, expected a path whose * stand in the names of folders, and whose "
            "{item_id} then stands in that of the file, like photos/**/{item_id}.jpg"
        )
    return pattern


PictureFiles = Annotated[str, AfterValidator(_names_the_item)]
"""Path of a picture, with ``{item_id}`` in it (``{item_id:.3}`` for its first three characters);
``.*`` at its end stands for any of :data:`SUFFIXES`. In the names of folders ``*`` stands for
anything, and ``**`` for folders at any depth."""


def below_folder(folder: Path, pattern: str) -> str:
    """A relative pattern, taken from a folder whose own name is no pattern."""
    plain = os.fspath(folder).replace("{", "{{").replace("}", "}}")
    return os.path.join(plain, pattern)


@dataclass(frozen=True, slots=True)
class PictureSearch:
    """A pattern, and what there is of it on the disk."""

    pattern: str
    folder: Path
    """What the pattern begins with, before anything in it varies."""
    by_name: MappingABC[str, list[Path]] | None
    """The files of the folders that ``*`` stands for; None where the pattern has none."""

    @classmethod
    def of(cls, pattern: str, *, but_not: Path) -> PictureSearch:
        """Look through the folders that a pattern (:data:`PictureFiles`) stands for, but one."""
        start = Path(os.path.dirname(_literal_head(pattern).partition("*")[0]))
        folders = os.path.dirname(pattern)
        if "*" not in folders:
            return cls(pattern, start, None)
        by_name: dict[str, list[Path]] = {}
        for folder, names in _folders(start, os.path.relpath(folders.format(), start)):
            if folder.resolve() != but_not.resolve():
                for name in names:
                    by_name.setdefault(name, []).append(folder / name)
        return cls(pattern, start, by_name)

    def places(self, item_id: str) -> list[Path]:
        """The pictures of an item, at most one of each folder, the first folder first."""
        if self.by_name is None:
            paths = [Path(path) for path in _spelled(self.pattern, item_id)]
        else:
            names = _spelled(os.path.basename(self.pattern), item_id)
            paths = [path for name in names for path in self.by_name.get(name, ())]
        each: dict[Path, Path] = {}
        for path in paths:
            if os.path.isfile(path):
                each.setdefault(path.parent, path)
        return sorted(each.values())


def _spelled(pattern: str, item_id: str) -> list[str]:
    """What a pattern stands for, the likeliest first."""
    whole = pattern.format(item_id=item_id)
    stem = whole.removesuffix(ANY_SUFFIX)
    return [whole] if stem == whole else [f"{stem}{suffix}" for suffix in SUFFIXES]


def _literal_head(pattern: str) -> str:
    """What stands before the id."""
    head = ""
    for text, field, _, _ in Formatter().parse(pattern):
        head += text
        if field is not None:
            break
    return head


def _folders(start: Path, pattern: str) -> Iterator[tuple[Path, list[str]]]:
    """The folders at and below ``start`` that match, and the names of their files.

    Links to folders are not followed.
    """
    wanted = re.compile("".join(map(_test_of, pattern.split(os.sep))))
    for where, _, names in os.walk(start):
        folder = Path(where)
        if wanted.fullmatch("".join(f"{part}/" for part in folder.relative_to(start).parts)):
            yield folder, names


def _test_of(part: str) -> str:
    """A regular expression for a folder of a pattern and the slash after it."""
    if part == "**":
        return r"(?:[^/]+/)*"
    return re.escape(part).replace(r"\*", "[^/]*") + "/"
