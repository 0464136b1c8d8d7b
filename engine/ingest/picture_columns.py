"""The picture of every item, unpacked from a column of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from engine.errors import DataError, MappingError
from engine.ingest import values
from engine.ingest.mapping import PictureColumn
from engine.ingest.pictures import BadPicture, Gathered, fault_of, place_for, without_picture

_AT_ONCE = 64
"""Rows; a picture may be large."""


class _Cell(NamedTuple):
    line: int
    item_id: str
    content: bytes | None
    path: str | None
    """What the publisher called the picture."""


def unpack_pictures(items: pl.DataFrame, source: PictureColumn, folder: Path) -> Gathered:
    """The items with an ``image`` wherever the column holds one; it is written to the folder.

    The first picture of an item counts. An item whose image is given already keeps it.

    Args:
        items: The ``items`` table.
        source: Which column of which files; its cells are bytes, or a struct of bytes and path.
        folder: Of the dataset's pictures; made when the first is found.

    Raises:
        DataError: A file is missing or unreadable.
        MappingError: A file lacks a column, or the pictures' one holds something else.
    """
    waiting = set(without_picture(items))
    images: dict[str, str] = {}
    bad: list[BadPicture] = []
    for path in source.paths():
        for cell in _cells(path, source):
            if cell.item_id not in waiting:
                continue
            waiting.remove(cell.item_id)
            content = cell.content or b""
            suffix = picture_suffix(content) or ""
            reason = _fault(cell, suffix)
            if reason is not None:
                told = cell.path or cell.item_id
                bad.append(BadPicture(str(path), cell.line, reason, told))
                continue
            target = place_for(cell.item_id, suffix, folder)
            # Not written over: an earlier ingest may have linked it to somebody's own picture.
            target.unlink(missing_ok=True)
            target.write_bytes(content)
            images[cell.item_id] = f"{folder.name}/{target.name}"
    return Gathered.of(items, images, bad)


def picture_suffix(content: bytes) -> str | None:
    """The suffix of a JPEG, PNG or WebP picture, by its first bytes; None of anything else."""
    if content.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if content.startswith(b"\x89PNG"):
        return ".png"
    return ".webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def _fault(cell: _Cell, suffix: str) -> str | None:
    if cell.content is None:
        return "picture named and not in the file"
    fault = fault_of(cell.item_id, len(cell.content))
    return fault or (None if suffix else "neither JPEG nor PNG nor WebP")


def _cells(path: Path, source: PictureColumn) -> Iterator[_Cell]:
    """The cells that say something, with the row of each."""
    line = 0
    try:
        file = pq.ParquetFile(path)
        _check_columns(path, file.schema_arrow.names, source)
        columns = [source.item_id, source.column]
        for batch in file.iter_batches(_AT_ONCE, columns=columns):
            frame = pl.DataFrame(pl.from_arrow(batch))
            ids = values.text(frame[source.item_id])
            contents, paths = _content_and_path(path, frame[source.column])
            for item_id, content, name in zip(ids, contents, paths, strict=True):
                line += 1
                if item_id is not None and (content is not None or name):
                    yield _Cell(line, item_id, content, name)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} breaks off after row {line}: {error}; get it again") from error


def _check_columns(path: Path, available: list[str], source: PictureColumn) -> None:
    for name in (source.item_id, source.column):
        if name not in available:
            raise MappingError(
                f"{path}: no column {name!r} for the pictures; the file has {', '.join(available)}"
            )


def _content_and_path(path: Path, cells: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Bytes and names of pictures, null where there is none.

    Raises:
        MappingError: The cells are neither bytes nor a struct of ``bytes`` and perhaps ``path``.
    """
    contents, names = cells, pl.Series([None], dtype=pl.String).new_from_index(0, len(cells))
    if isinstance(cells.dtype, pl.Struct):
        fields = {field.name for field in cells.dtype.fields}
        contents = cells.struct.field("bytes") if "bytes" in fields else cells
        names = cells.struct.field("path").cast(pl.String) if "path" in fields else names
    if contents.dtype != pl.Binary:
        raise MappingError(
            f"{path}: column {cells.name!r} holds {cells.dtype}, expected pictures as bytes, or as "
            "a struct of bytes and path; for names of picture files say picture_files"
        )
    return contents, names
