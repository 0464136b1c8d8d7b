"""The picture of every item, gathered from folders of pictures."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import polars as pl

from engine.dataset import REJECT_SCHEMA
from engine.ingest.picture_search import SUFFIXES, PictureSearch
from engine.ingest.readers import shown

PICTURES = "pictures"
"""Folder of a dataset's pictures where the settings name no other, and what the report and the
rejects call them."""
PICTURE_BYTES = 20_000_000
"""Largest picture that is taken."""
_NAME_BYTES = 255
"""Longest name of a file on the usual disks."""


class BadPicture(NamedTuple):
    """A picture that was found and not taken."""

    file: str
    line: int | None
    """Row, from 1, in a file that holds many pictures."""
    reason: str
    value: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """The items with their pictures, and the account of these."""

    items: pl.DataFrame
    """With ``image`` wherever a picture was taken."""
    n_found: int
    """Items for which a picture was found, fit or not."""
    rejects: pl.DataFrame
    """As :data:`engine.dataset.REJECT_SCHEMA`."""

    @classmethod
    def of(
        cls, items: pl.DataFrame, images: MappingABC[str, str], bad: Iterable[BadPicture]
    ) -> Gathered:
        """The items with the images of those ids, beside the ones that were given."""
        given = pl.col("image") if "image" in items.columns else pl.lit(None, dtype=pl.String)
        taken = pl.Series([images.get(item_id) for item_id in items["item_id"]], dtype=pl.String)
        items = items.with_columns(pl.coalesce(taken, given.cast(pl.String)).alias("image"))
        rows = [
            (PICTURES, _printable(one.file), one.line, one.reason, shown(one.value)) for one in bad
        ]
        rejects = pl.DataFrame(rows, schema=REJECT_SCHEMA, orient="row")
        return cls(items, len(images) + len(rows), rejects)


def gather_pictures(items: pl.DataFrame, pattern: str, folder: Path) -> Gathered:
    """The items with an ``image`` wherever a picture is there; it comes into the folder.

    A picture is linked where the disk can do that (it takes no room twice), else copied. An item
    whose image is given already keeps it. Nothing is taken from outside the folder that the
    pattern begins with, nor where the pictures that an item has in several folders differ.

    Args:
        items: The ``items`` table.
        pattern: As :data:`~engine.ingest.picture_search.PictureFiles`.
        folder: Of the dataset's pictures; made when the first is found.
    """
    search = PictureSearch.of(pattern, but_not=folder)
    images: dict[str, str] = {}
    bad: list[BadPicture] = []
    for item_id in without_picture(items):
        found = search.places(item_id)
        if not found:
            continue
        fault = _fault(item_id, found, search.folder)
        if fault is not None:
            bad.append(fault)
            continue
        target = place_for(item_id, found[0].suffix.lower(), folder)
        _take(found[0], target)
        images[item_id] = f"{folder.name}/{target.name}"
    return Gathered.of(items, images, bad)


def without_picture(items: pl.DataFrame) -> list[str]:
    """Ids of the items whose image is not given."""
    if "image" in items.columns:
        items = items.filter(pl.col("image").is_null())
    return items["item_id"].to_list()


def place_for(item_id: str, suffix: str, folder: Path) -> Path:
    """Where the picture of an item goes, in a folder that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{_file_stem(item_id)}{suffix}"


def fault_of(item_id: str, n_bytes: int) -> str | None:
    """Why an item gets no picture of so many bytes; None where it does."""
    if n_bytes == 0:
        return "empty picture"
    if n_bytes > PICTURE_BYTES:
        return f"picture over {PICTURE_BYTES:,} bytes"
    if len(_file_stem(item_id)) + max(map(len, SUFFIXES)) > _NAME_BYTES:
        return "item_id too long for the name of a picture"
    return None


def _printable(file: str) -> str:
    """A path whose name is perhaps no text."""
    return file.encode("utf-8", "replace").decode("utf-8")


def _file_stem(item_id: str) -> str:
    return quote(item_id, safe=" ")


def _take(source: Path, target: Path) -> None:
    if target.exists() and target.samefile(source):
        return
    target.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _fault(item_id: str, found: list[Path], folder: Path) -> BadPicture | None:
    first, *others = found
    for path in found:
        leads_to = path.resolve()
        if not leads_to.is_relative_to(folder.resolve()):
            return BadPicture(str(path), None, "picture outside the folder", str(leads_to))
    if not all(filecmp.cmp(first, other, shallow=False) for other in others):
        each = ", ".join(os.path.relpath(path, folder) for path in found)
        return BadPicture(str(first), None, "several pictures of one item", each)
    reason = fault_of(item_id, first.stat().st_size)
    return None if reason is None else BadPicture(str(first), None, reason, item_id)
