"""The picture of every item, found by its id in a folder of pictures."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from string import Formatter
from typing import Annotated
from urllib.parse import quote

import polars as pl
from pydantic import AfterValidator

ANY_SUFFIX = ".*"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""What ``.*`` at the end of a pattern stands for, the likeliest first."""


def _names_the_item(pattern: str) -> str:
    try:
        fields = {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
        if fields == {"item_id"}:
            pattern.format(item_id="0")
    except ValueError as error:
        raise ValueError(f"got {pattern!r} ({error}), expected one like {_EXAMPLE}") from error
    if fields != {"item_id"}:
        raise ValueError(f"got {pattern!r}, expected a path with {{item_id}}, like {_EXAMPLE}")
    return pattern


_EXAMPLE = "photos/{item_id}.jpg"
PictureFiles = Annotated[str, AfterValidator(_names_the_item)]
"""Path of a picture, with ``{item_id}`` in it (``{item_id:.3}`` for its first three characters);
``.*`` at its end stands for any of :data:`SUFFIXES`."""


def gather_pictures(items: pl.DataFrame, pattern: str, folder: Path) -> pl.DataFrame:
    """The items with an ``image`` wherever a picture is there; it comes into the folder.

    A picture is linked where the disk can do that (it takes no room twice), else copied. An item
    whose image is given already, or whose id leads out of the pattern's folder, keeps what it has.

    Args:
        items: The ``items`` table.
        pattern: As :data:`PictureFiles`.
        folder: Of the dataset's pictures; made when the first is found.
    """
    given = pl.col("image") if "image" in items.columns else pl.lit(None, dtype=pl.String)
    items = items.with_columns(given.cast(pl.String).alias("image"))
    fixed = os.path.dirname(pattern[: pattern.index("{")])
    root = Path(fixed).resolve()
    images = [
        image or _gathered(item_id, pattern, root, folder)
        for item_id, image in items.select("item_id", "image").iter_rows()
    ]
    return items.with_columns(pl.Series("image", images, dtype=pl.String))


def _gathered(item_id: str, pattern: str, root: Path, folder: Path) -> str | None:
    source = _found(pattern.format(item_id=item_id))
    if source is None or not source.resolve().is_relative_to(root):
        return None
    name = f"{quote(item_id, safe=' ')}{source.suffix.lower()}"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return f"{folder.name}/{name}"


def _found(path: str) -> Path | None:
    stem = path.removesuffix(ANY_SUFFIX)
    names = [path] if stem == path else [f"{stem}{suffix}" for suffix in SUFFIXES]
    return next((Path(name) for name in names if Path(name).is_file()), None)
