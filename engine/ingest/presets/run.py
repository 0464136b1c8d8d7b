"""Reading a data set by its preset."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import polars as pl

from engine.errors import DataError
from engine.ingest.ingest import OnProgress, ingest
from engine.ingest.mapping import Mapping
from engine.ingest.presets.preset import Form, PictureColumn, Preset
from engine.ingest.presets.shelf import Shelf
from engine.ingest.report import IngestReport
from engine.pseudonyms import Pseudonyms

_SUFFIX_OF = {b"\xff\xd8\xff": ".jpg", b"\x89PN": ".png", b"RIF": ".webp"}
"""By the first bytes of a picture."""
_PICTURES_AT_ONCE = 1_000


def ingest_preset(
    preset: Preset,
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    now: datetime | None = None,
    on_progress: OnProgress | None = None,
    pseudonyms: Pseudonyms | None = None,
) -> IngestReport:
    """Read a known data set from the files that were downloaded, and write a dataset.

    Args:
        preset: Of the data set.
        source: Folder of its files, or the only one.
        folder: Where the dataset goes; an older dataset there is replaced.
        now: As for :func:`engine.ingest.ingest`.
        on_progress: As for :func:`engine.ingest.ingest`.
        pseudonyms: As for :func:`engine.ingest.ingest`.

    Raises:
        DataError: A file is missing or unreadable, or nothing of it can be kept.
        MappingError: A file lacks a column.
    """
    shelf = Shelf.of(Path(source))
    form = preset.form_of(shelf)
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the dataset, so that pictures unpacked there can be linked instead of copied.
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        mapping = _laid_out(form, shelf, Path(scratch))
        return ingest(mapping, target, now=now, on_progress=on_progress, pseudonyms=pseudonyms)


def _laid_out(form: Form, shelf: Shelf, scratch: Path) -> Mapping:
    """The form's mapping, its patterns replaced by the files that are there or were made."""
    update: dict[str, object] = {}
    for name, part in form.mapping.tables().items():
        found = [path for pattern in part.patterns() for path in shelf.all(pattern)]
        if not found and name in form.optional:
            update[name] = None
        elif name in form.make:
            made = _made(form, shelf, name, scratch)
            files, told_as = tuple(made), tuple(made.values())
            reread = {"files": files, "told_as": told_as, "format": "parquet"}
            update[name] = part.model_copy(update=reread)
        else:
            files = tuple(os.fspath(path) for path in found)
            update[name] = part.model_copy(update={"files": files})
    if form.pictures is not None:
        update["picture_files"] = _unpacked(form.pictures, shelf, scratch)
    elif form.mapping.picture_files is not None:
        update["picture_files"] = os.fspath(shelf.folder / form.mapping.picture_files)
    return form.mapping.model_copy(update=update)


def _made(form: Form, shelf: Shelf, table: str, scratch: Path) -> dict[str, str]:
    """Paths of the parts that were made for a table, each with the file that it is told as."""
    made: dict[str, str] = {}
    for told, rows in form.make[table](shelf):
        path = scratch / f"{table}-{len(made):05}.parquet"
        try:
            rows.sink_parquet(path)
        except pl.exceptions.PolarsError as error:
            raise DataError(f"{told} cannot be read: {error}; download it again") from error
        made[os.fspath(path)] = os.fspath(told)
    return made


def _unpacked(pictures: PictureColumn, shelf: Shelf, scratch: Path) -> str | None:
    """Write pictures out of a column; None where the file has no such column."""
    frame = pl.scan_parquet(shelf.one(pictures.file))
    if pictures.column not in frame.collect_schema().names():
        return None
    folder = scratch / "pictures"
    folder.mkdir()
    frame = frame.select(pl.col(pictures.item_id).cast(pl.String), pictures.column).drop_nulls()
    for batch in frame.collect_batches(chunk_size=_PICTURES_AT_ONCE):
        for item_id, content in batch.iter_rows():
            suffix = _SUFFIX_OF.get(content[:3])
            if suffix is not None:
                (folder / f"{quote(item_id, safe=' ')}{suffix}").write_bytes(content)
    return os.fspath(folder / "{item_id}.*")
