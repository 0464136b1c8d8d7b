"""A dataset: one folder of Parquet tables that a model can be trained on.

``items`` and ``events`` are always there; ``users``, ``triples`` and ``offers`` may be absent and
are then empty frames with the right columns. :data:`SCHEMAS` fixes every name and dtype.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from engine.errors import DataError
from engine.replacing import replacing
from engine.types import Item

FORMAT_VERSION = 1
SETTINGS_FILE = "dataset.json"
REJECTS_FILE = "rejects.parquet"

_TEXT: pl.DataType = pl.String()
_NUMBER: pl.DataType = pl.Float64()
_FLAG: pl.DataType = pl.Boolean()
_LIST: pl.DataType = pl.List(pl.String)
_MOMENT: pl.DataType = pl.Datetime("us", "UTC")
_PAIRS: pl.DataType = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))

SCHEMAS: Mapping[str, pl.Schema] = MappingProxyType(
    {
        "items": pl.Schema(
            {
                "item_id": _TEXT,
                "title": _TEXT,
                "description": _TEXT,
                "categories": _LIST,
                "brand": _TEXT,
                "price": _NUMBER,
                "currency": _TEXT,
                "image": _TEXT,
                "images": _LIST,
                "attributes": _PAIRS,
                "available": _FLAG,
                "created_at": _MOMENT,
            }
        ),
        "events": pl.Schema(
            {
                "user_id": _TEXT,
                "item_id": _TEXT,
                "kind": _TEXT,
                "timestamp": _MOMENT,
                "value": _NUMBER,
                "session_id": _TEXT,
                "place": _TEXT,
                "device": _TEXT,
                "weather": _TEXT,
                "occasion": _TEXT,
                "request_id": _TEXT,
                "country": _TEXT,
                "companions": _TEXT,
                "temperature": _NUMBER,
                "attributes": _PAIRS,
            }
        ),
        "users": pl.Schema({"user_id": _TEXT, "attributes": _PAIRS}),
        "triples": pl.Schema({"head": _TEXT, "relation": _TEXT, "tail": _TEXT, "weight": _NUMBER}),
        "offers": pl.Schema(
            {
                "item_id": _TEXT,
                "starts_at": _MOMENT,
                "ends_at": _MOMENT,
                "place": _TEXT,
                "kind": _TEXT,
                "value": _NUMBER,
            }
        ),
    }
)
"""Columns and dtypes of each table.

``image`` of an item is the picture that is shown, ``images`` are further ones. ``ends_at`` of an
offer is exclusive. From ``place`` on, an event tells of its scene: ``temperature`` in degrees
Celsius, ``attributes`` for whatever has no column.
"""

ADDED_LATER = frozenset(
    {
        ("items", "images"),
        ("events", "country"),
        ("events", "companions"),
        ("events", "temperature"),
        ("events", "attributes"),
    }
)
"""Columns, by table, that older datasets of the same format lack; there they are empty."""

REQUIRED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "items": ("item_id", "title"),
        "events": ("user_id", "item_id", "kind", "timestamp"),
        "users": ("user_id",),
        "triples": ("head", "relation", "tail"),
        "offers": ("item_id", "starts_at", "ends_at"),
    }
)
"""Columns that every row must fill."""

DEFAULTS: Mapping[tuple[str, str], object] = MappingProxyType(
    {
        ("items", "categories"): [],
        ("items", "images"): [],
        ("items", "attributes"): [],
        ("items", "available"): True,
        ("events", "attributes"): [],
        ("users", "attributes"): [],
        ("triples", "weight"): 1.0,
        ("offers", "kind"): "discount",
    }
)
"""What an absent value of a column that is never null becomes, by table and column."""

OFFER_KINDS = ("display", "mailer", "coupon", "discount")
"""What ``kind`` may be in the ``offers`` table."""

REJECT_SCHEMA = pl.Schema(
    {"table": _TEXT, "file": _TEXT, "line": pl.Int64(), "reason": _TEXT, "value": _TEXT}
)
"""A row that ingest refused: ``line`` starts at 1 and is null for a picture that is a
file of its own; ``value`` is cut to 200 characters."""


class DatasetSettings(BaseModel):
    """What holds for a whole dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    time_zone: str = "UTC"
    """IANA name of the shop's zone; weekdays, seasons and hours are told in it."""
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    """ISO 3166 code, for holidays."""
    currency: str | None = None
    """ISO 4217 code of the prices."""
    terms: str = ""
    """Under which terms the data may be used."""
    attribution: str = ""
    """Whom to name beside the data and its pictures."""
    pictures: Annotated[str, Field(pattern=r"^[^./\\][^/\\]*$")] | None = None
    """Folder of the pictures, inside the dataset's own."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(
                f"got {value!r}, expected an IANA zone such as Europe/London"
            ) from error
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """The tables of one folder, checked against :data:`SCHEMAS`."""

    folder: Path
    settings: DatasetSettings
    items: pl.DataFrame
    events: pl.DataFrame
    users: pl.DataFrame
    triples: pl.DataFrame
    offers: pl.DataFrame
    hash: str
    """sha256 over the settings' and tables' own sha256: equal hash, equal training input."""

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Dataset:
        """Read a dataset folder.

        Raises:
            DataError: A file is missing or unreadable, or a table has another schema.
        """
        root = Path(folder)
        settings = _read_settings(root)
        tables = {name: _read_table(root, name) for name in SCHEMAS}
        return cls(folder=root, settings=settings, hash=_hash_files(root), **tables)


def write_dataset(
    folder: str | os.PathLike[str],
    settings: DatasetSettings,
    *,
    items: pl.DataFrame,
    events: pl.DataFrame,
    users: pl.DataFrame | None = None,
    triples: pl.DataFrame | None = None,
    offers: pl.DataFrame | None = None,
    rejects: pl.DataFrame | None = None,
) -> Dataset:
    """Write a dataset whole or not at all, and open it.

    Columns may come in any order; optional ones may be absent; dtypes are cast where nothing is
    lost. An older dataset in ``folder`` is replaced once the new one is complete; its folder of
    pictures, named by ``settings.pictures``, is kept.

    Raises:
        DataError: A table cannot be brought to its schema, or ``folder`` holds files that are
            not a dataset's.
    """
    given = {"items": items, "events": events, "users": users, "triples": triples, "offers": offers}
    tables = {name: conform(name, frame) for name, frame in given.items() if frame is not None}
    turned_away = pl.DataFrame(schema=REJECT_SCHEMA) if rejects is None else rejects
    document = {"format": FORMAT_VERSION, "settings": settings.model_dump(mode="json")}
    target = Path(folder)
    own = {SETTINGS_FILE, REJECTS_FILE, *(f"{name}.parquet" for name in SCHEMAS)}
    with replacing(target, own=own, keep=settings.pictures) as fresh:
        for name, frame in tables.items():
            frame.write_parquet(fresh / f"{name}.parquet")
        turned_away.select(REJECT_SCHEMA.names()).write_parquet(fresh / REJECTS_FILE)
        (fresh / SETTINGS_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return Dataset.open(target)


def conform(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with exactly the columns of a table, in order, absent ones filled.

    Raises:
        DataError: A required column is absent or has nulls, a column is unknown, or a value
            does not fit its dtype.
    """
    schema = SCHEMAS[table]
    missing = [name for name in REQUIRED[table] if name not in frame.columns]
    if missing:
        raise DataError(f"{table}: no column {missing[0]!r}; got {', '.join(frame.columns)}")
    unknown = [name for name in frame.columns if name not in schema]
    if unknown:
        raise DataError(f"{table}: unknown column {unknown[0]!r}; expected {', '.join(schema)}")
    try:
        cast = frame.select(_column(table, name, frame) for name in schema)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{table}: a column does not fit its dtype: {error}") from error
    for name in REQUIRED[table]:
        if nulls := cast[name].null_count():
            raise DataError(f"{table}.{name}: {nulls} rows are empty; every row must have one")
    return cast


def item_records(dataset: Dataset) -> list[Item]:
    """The items table as records, in the table's order."""
    return [
        Item(
            item_id=row[0],
            title=row[1],
            description=row[2],
            categories=tuple(row[3]),
            brand=row[4],
            price=row[5],
            currency=row[6],
            image=row[7],
            images=tuple(row[8]),
            attributes={pair["key"]: pair["value"] for pair in row[9]},
            available=row[10],
            created_at=row[11],
        )
        for row in dataset.items.iter_rows()
    ]


def _column(table: str, name: str, frame: pl.DataFrame) -> pl.Expr:
    dtype = SCHEMAS[table][name]
    column = pl.col(name) if name in frame.columns else pl.lit(None)
    column = column.cast(dtype, strict=True).alias(name)
    if (table, name) in DEFAULTS:
        column = column.fill_null(pl.lit(DEFAULTS[table, name], dtype=dtype))
    return column


def _read_settings(root: Path) -> DatasetSettings:
    path = root / SETTINGS_FILE
    if not path.is_file():
        raise DataError(f"{root} is not a dataset: no {SETTINGS_FILE}; make one with ingest")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = document["format"]
        if found != FORMAT_VERSION:
            raise DataError(f"{path}: format {found!r}, expected {FORMAT_VERSION}: ingest again")
        return DatasetSettings.model_validate(document["settings"])
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error!r}): ingest again") from error
    except ValidationError as error:
        raise DataError(f"{path}: {error}") from error


def _read_table(root: Path, name: str) -> pl.DataFrame:
    path = root / f"{name}.parquet"
    schema = SCHEMAS[name]
    if not path.is_file():
        if name in ("items", "events"):
            raise DataError(f"{path} is missing: a dataset needs its {name}; ingest again")
        return pl.DataFrame(schema=schema)
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}") from error
    older = pl.Schema({c: dtype for c, dtype in schema.items() if (name, c) not in ADDED_LATER})
    if frame.schema == older != schema:
        return conform(name, frame)
    if frame.schema != schema:
        strange = [f"{name} {dtype}" for name, dtype in set(frame.schema.items() - schema.items())]
        raise DataError(
            f"{path}: has {', '.join(sorted(strange)) or frame.columns}, expected {schema}: "
            "write it with write_dataset"
        )
    return frame


def _hash_files(root: Path) -> str:
    digest = hashlib.sha256()
    for name in (SETTINGS_FILE, *(f"{table}.parquet" for table in SCHEMAS)):
        path = root / name
        if path.is_file():
            with path.open("rb") as file:
                digest.update(name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
