"""How a shop's files become tables: a mapping, from a small YAML file or from flags."""

from __future__ import annotations

import codecs
import os
from collections.abc import Mapping as MappingABC
from pathlib import Path
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from engine.dataset import REQUIRED, SCHEMAS, DatasetSettings
from engine.errors import MappingError
from engine.ingest import rdf
from engine.ingest.opened import bare_suffix, found_files
from engine.ingest.picture_search import PictureFiles, below_folder
from engine.ingest.yaml_file import describe_problem, problem_at, read_yaml

Format = Literal["csv", "jsonl", "parquet", "rdf"]
Text = Annotated[str, Field(min_length=1)]

TABLES = tuple(SCHEMAS)
ITEM_COLUMNS = ("title", "description", "brand", "price", "image", "categories")
"""Columns of the items table that ``items_from_events`` can gather from the event file."""

SEVERAL = ("categories", "images", "attributes")
"""Columns of a table that several columns of a file may fill together."""

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    **dict.fromkeys(rdf.SUFFIXES, "rdf"),
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Model):
    """Rows of a table that are turned away, counted under a name.

    Exactly one of the tests is given; it reads a column of the file, not of the table.
    """

    column: Text
    """Column of the file."""
    reason: Text
    """What the report calls these rows."""
    missing: Literal[True] | None = None
    """The cell is empty."""
    equals: str | tuple[str, ...] | None = None
    """The cell is this text, or one of these."""
    starts_with: Text | None = None
    matches: Text | None = None
    """A regular expression finds something in the cell."""
    at_most: float | None = None
    """The cell is a number, at most this."""
    below: float | None = None
    above: float | None = None

    @field_validator("matches")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            pl.select(pl.lit("").str.contains(value or ""))
        except pl.exceptions.ComputeError as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        tests = ("missing", "equals", "starts_with", "matches", "at_most", "below", "above")
        given = [name for name in tests if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"got {given or 'no test'}, expected exactly one of {', '.join(tests)}"
            )
        return self


class _Files(_Model):
    """Files that something is read from."""

    files: str | tuple[str, ...]
    """A path, a pattern such as ``sales/*.csv``, or several; relative to the mapping's folder."""

    def patterns(self) -> tuple[str, ...]:
        """The paths and patterns, always as several."""
        return (self.files,) if isinstance(self.files, str) else self.files

    def paths(self) -> list[Path]:
        """The files, patterns resolved and sorted.

        Raises:
            DataError: A file is not there, a folder is in its place, or a pattern finds none.
        """
        return found_files(self.patterns())

    def below(self, folder: Path) -> Self:
        """The same, its relative paths taken from a folder."""
        files = tuple(os.fspath(folder / file) for file in self.patterns())
        return self.model_copy(update={"files": files})


class TableMapping(_Files):
    """Where the rows of one table come from."""

    format: Format | None = None
    """None: by the suffix of each file."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Between the cells of a CSV file; None: a tab in ``.tsv``, else a comma."""
    encoding: str = "utf-8"
    """Of CSV and JSONL files."""
    header: tuple[Text, ...] = ()
    """Names of the columns of a CSV file whose first line is a row already."""
    told_as: tuple[Text, ...] = ()
    """What rejects call each of the files, where these were made from others."""
    columns: MappingABC[str, str | tuple[str, ...]] | None = None
    """Column of the table: column of the file (several for :data:`SEVERAL`).

    None: by name, with the usual other names. One text column of ``images`` holds a JSON list, or
    paths and URLs between ``|``.
    """
    constants: MappingABC[str, str] = Field(default_factory=dict)
    """Column of the table: the same value for every row."""
    timestamp_format: str | None = None
    """As in ``strptime``; None: ISO 8601 or unix seconds."""
    time_zone: str | None = None
    """Zone of times without one; None: the dataset's."""
    categories_separator: Text | None = None
    """Cuts one text column into a category path."""
    kinds: MappingABC[str, str] = Field(default_factory=dict)
    """What the file calls a kind: what Vitrine calls it."""
    clean: MappingABC[str, Literal["whole_number", "upper", "lower"]] = Field(default_factory=dict)
    """Column of the table: how its text is made uniform.

    ``whole_number`` turns 17850.0 into 17850.
    """
    where: tuple[Condition, ...] = ()
    """Rows to turn away, each under the first reason that holds."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError as error:
            raise ValueError(
                f"got {value!r}, expected an encoding such as utf-8 or cp1252"
            ) from error

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            DatasetSettings(name="zone", time_zone=value)
        return value


class PictureColumn(_Files):
    """Pictures that lie in a column of Parquet files, as bytes or as a struct of bytes and path."""

    item_id: Text
    """Column of the files that names the item."""
    column: Text
    """Column of the files that holds the picture."""


class Mapping(_Model):
    """The settings of a dataset, and where each of its tables comes from."""

    settings: DatasetSettings
    items: TableMapping | None = None
    events: TableMapping | None = None
    users: TableMapping | None = None
    triples: TableMapping | None = None
    offers: TableMapping | None = None
    items_from_events: bool = False
    """Gather the items from the event file: most frequent title, median price."""
    readable_titles: bool = False
    """Turn till capitals and abbreviations into titles that people read."""
    picture_files: PictureFiles | None = None
    """Where the picture of an item lies, such as ``photos/**/{item_id}.jpg``."""
    picture_column: PictureColumn | None = None
    """Where the pictures lie in Parquet files; not with ``picture_files``."""

    @model_validator(mode="after")
    def _has_items(self) -> Self:
        if self.items_from_events and self.items:
            raise ValueError("items and items_from_events exclude each other: give one")
        if self.items_from_events and not self.events:
            raise ValueError("items_from_events needs an events table")
        if not self.items_from_events and not self.items:
            raise ValueError("no items: give an items table, or items_from_events: true")
        if self.picture_files and self.picture_column:
            raise ValueError("picture_files and picture_column exclude each other: give one")
        return self

    @model_validator(mode="after")
    def _known_columns(self) -> Self:
        for table, mapping in self.tables().items():
            known = self.targets(table)
            for field in ("columns", "constants", "clean"):
                for name in getattr(mapping, field) or {}:
                    if name not in known:
                        text = f"no such column in {table}; expected one of {', '.join(known)}"
                        raise problem_at((table, field, name), text)
            for name, source in (mapping.columns or {}).items():
                if not isinstance(source, str) and name not in SEVERAL:
                    raise problem_at((table, "columns", name), f"expected one column, got {source}")
            if mapping.columns is not None:
                missing = set(REQUIRED[table]) - {*mapping.columns, *mapping.constants}
                if missing:
                    text = f"nothing fills {min(missing)!r}; add it to columns or constants"
                    raise problem_at((table, "columns"), text)
        return self

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Mapping:
        """Read a mapping file.

        Raises:
            MappingError: It is missing, is no YAML, or has a wrong key or value; names the line.
        """
        if bare_suffix(Path(path)) in _SUFFIXES:
            raise MappingError(
                f"{path} is a file of rows, expected a mapping in YAML: give it with --items, "
                "--events or another table's option, or name it in a mapping"
            )
        document = read_yaml(Path(path))
        try:
            mapping = cls.model_validate(document.content)
        except ValidationError as error:
            raise MappingError(describe_problem(document, error, cls)) from error
        return mapping.below(Path(path).parent)

    @classmethod
    def from_flags(
        cls,
        *,
        items: str | os.PathLike[str] | None = None,
        events: str | os.PathLike[str] | None = None,
        users: str | os.PathLike[str] | None = None,
        triples: str | os.PathLike[str] | None = None,
        offers: str | os.PathLike[str] | None = None,
        kind: str | None = None,
        settings: DatasetSettings | None = None,
    ) -> Mapping:
        """A mapping for files whose columns have our names or the usual other ones.

        Args:
            items: File or pattern; without it the items are gathered from the events.
            events: File or pattern.
            users: File or pattern.
            triples: File or pattern.
            offers: File or pattern.
            kind: What every event is, where the file does not say.
            settings: Name, zone and terms; by default the name of the first file, in UTC.

        Raises:
            MappingError: Neither items nor events are given.
        """
        given = {"items": items, "events": events, "users": users, "triples": triples}
        paths = {name: os.fspath(path) for name, path in given.items() if path is not None}
        if offers is not None:
            paths["offers"] = os.fspath(offers)
        if not {"items", "events"} & paths.keys():
            raise MappingError("no file of items or of events was given: give at least one")
        tables = {name: TableMapping(files=path) for name, path in paths.items()}
        if kind is not None and "events" in tables:
            tables["events"] = TableMapping(files=paths["events"], constants={"kind": kind})
        first = Path(next(iter(paths.values())))
        return cls.model_validate(
            {
                "settings": settings or DatasetSettings(name=first.stem.strip("*") or "shop"),
                "items_from_events": items is None,
                **tables,
            }
        )

    def tables(self) -> dict[str, TableMapping]:
        """The tables that are mapped, by name."""
        named = {name: getattr(self, name) for name in TABLES}
        return {name: mapping for name, mapping in named.items() if mapping is not None}

    def targets(self, table: str) -> tuple[str, ...]:
        """Columns that a table's mapping may fill."""
        extra = ITEM_COLUMNS if table == "events" and self.items_from_events else ()
        return (*SCHEMAS[table], *extra)

    def below(self, folder: Path) -> Mapping:
        """The same mapping, its relative paths taken from a folder."""
        update: dict[str, object] = {
            name: mapping.below(folder) for name, mapping in self.tables().items()
        }
        if self.picture_files is not None:
            update["picture_files"] = below_folder(folder, self.picture_files)
        if self.picture_column is not None:
            update["picture_column"] = self.picture_column.below(folder)
        return self.model_copy(update=update)

    def with_files(self, files: MappingABC[str, str | os.PathLike[str]]) -> Mapping:
        """The same mapping, with other files for some tables.

        Raises:
            MappingError: A table is not mapped.
        """
        update = {}
        for name, path in files.items():
            mapping = self.tables().get(name)
            if mapping is None:
                known = ", ".join(self.tables())
                raise MappingError(f"a file was given for {name!r}; this mapping has {known}")
            update[name] = mapping.model_copy(update={"files": os.fspath(path)})
        return self.model_copy(update=update)


def file_format(path: Path, given: Format | None) -> Format:
    """The format of a file, by its suffix where none is given.

    Raises:
        MappingError: The suffix says nothing.
    """
    if given is not None:
        return given
    guessed = _SUFFIXES.get(bare_suffix(path))
    if guessed is None:
        raise MappingError(
            f"{path}: the suffix tells no format; expected one of {', '.join(_SUFFIXES)}, "
            "or say format: csv, jsonl, parquet or rdf. Save a sheet as CSV, unpack an archive"
        )
    return guessed
