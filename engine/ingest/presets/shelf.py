"""The files of a data set that somebody downloaded, and reading those that must be joined."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import polars as pl

from engine.errors import DataError, MappingError
from engine.ingest.readers import LINE

DATA = "data"
"""Folder of a download in which Hugging Face's files lie."""
_BUT_NOT = " but not "
_HEADER_LINES = 1


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder and the names of the files in it.

    A pattern is one of :mod:`fnmatch`, capitals or not, as ``*.{csv,parquet} but not meta_*``:
    ``{a,b}`` stands for either, and what matches after ``but not`` is passed over. It finds files
    of the folder :data:`DATA` only where it begins with that.
    """

    folder: Path
    names: tuple[str, ...]

    @classmethod
    def of(cls, source: Path) -> Shelf:
        """The files of a folder, or a single one.

        Raises:
            DataError: There is no such folder or file.
        """
        if source.is_dir():
            return cls(source, (*_names(source), *(f"{DATA}/{n}" for n in _names(source / DATA))))
        if source.is_file():
            return cls(source.parent, (source.name,))
        raise DataError(f"{source}: no such folder or file: give what you downloaded, unpacked")

    def all(self, pattern: str) -> list[Path]:
        """The files that match, sorted."""
        wanted, _, unwanted = pattern.partition(_BUT_NOT)
        found = (name for name in self.names if _matches(name, wanted))
        return [self.folder / name for name in found if not _matches(name, unwanted)]

    def one(self, pattern: str) -> Path:
        """The first file that matches.

        Raises:
            DataError: None does.
        """
        found = self.all(pattern)
        if not found:
            raise DataError(f"{self.folder}: no file {pattern!r}: it is part of the data set")
        return found[0]

    def table(self, pattern: str, columns: Collection[str]) -> pl.LazyFrame:
        """A CSV or Parquet file, with the line of every row in :data:`LINE`.

        Cells of a CSV file are text. Lines are right where no cell holds a line break.

        Raises:
            DataError: No file matches, or it cannot be read.
            MappingError: It lacks a column.
        """
        return read_table(self.one(pattern), columns)


def read_table(path: Path, columns: Collection[str]) -> pl.LazyFrame:
    """A CSV or Parquet file, as :meth:`Shelf.table` reads it."""
    try:
        if path.suffix.lower() == ".parquet":
            frame = pl.scan_parquet(path).with_row_index(LINE, offset=1)
        else:
            first = 1 + _HEADER_LINES
            frame = pl.scan_csv(path, infer_schema=False).with_row_index(LINE, offset=first)
        there = frame.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}; download it again") from error
    missing = [name for name in columns if name not in there]
    if missing:
        named = ", ".join(name for name in there if name != LINE)
        raise MappingError(
            f"{path}: no column {missing[0]!r}; the file has {named}. Is it the file of another "
            "data set? Rename the column, or download the file again"
        )
    return frame


def _names(folder: Path) -> list[str]:
    """Of the files in a folder that may be absent, sorted."""
    return sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []


def _matches(name: str, pattern: str) -> bool:
    return any(
        fnmatchcase(name.lower(), one.lower())
        for one in _either(pattern)
        if one.count("/") == name.count("/")
    )


def _either(pattern: str) -> list[str]:
    """``a.{b,c}`` as ``a.b`` and ``a.c``."""
    found = re.search(r"\{([^}]*)\}", pattern)
    if found is None:
        return [pattern]
    options = found[1].split(",")
    return [
        whole
        for option in options
        for whole in _either(pattern[: found.start()] + option + pattern[found.end() :])
    ]
