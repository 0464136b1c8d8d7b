"""Reading a data set by its preset."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path

import polars as pl

from engine.errors import DataError
from engine.ingest.ingest import OnProgress, ingest
from engine.ingest.mapping import Mapping, PictureColumn
from engine.ingest.picture_search import below_folder
from engine.ingest.presets.preset import Form, Preset
from engine.ingest.presets.shelf import Shelf, read_table
from engine.ingest.report import IngestReport
from engine.pseudonyms import Pseudonyms


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
    if form.mapping.picture_column is not None:
        update["picture_column"] = _there(form.mapping.picture_column, shelf)
    if form.mapping.picture_files is not None:
        update["picture_files"] = below_folder(shelf.folder, form.mapping.picture_files)
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


def _there(pictures: PictureColumn, shelf: Shelf) -> PictureColumn | None:
    """The column in the files that are there; None where they have none."""
    found = [path for pattern in pictures.patterns() for path in shelf.all(pattern)]
    if not found or pictures.column not in read_table(found[0], ()).collect_schema().names():
        return None
    return pictures.model_copy(update={"files": tuple(map(os.fspath, found))})
