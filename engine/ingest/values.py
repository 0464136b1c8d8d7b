"""Cells of a file as values of a table: text, numbers, moments, flags, paths and pairs.

Every function takes a Series ``[n]`` as a reader gives it and returns one of the table's dtype,
with null where the cell is empty or does not fit. What kind of column cannot fit at all (a list
where a number belongs) raises :class:`polars.exceptions.PolarsError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import polars as pl

from engine.dataset import SCHEMAS

_PAIRS = SCHEMAS["items"]["attributes"]
_NAMES = SCHEMAS["items"]["categories"]
_SECONDS_FROM = 1e8
"""Smaller numbers are no unix seconds (they would lie before 1973) but a date such as 20171204."""
_MILLISECONDS_FROM = 1e11
"""Numbers this large are unix milliseconds: as seconds they would lie beyond the year 5000."""

_FLAGS: Mapping[str, bool] = dict.fromkeys(("true", "t", "yes", "y", "1"), True) | dict.fromkeys(
    ("false", "f", "no", "n", "0"), False
)
_ISO_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_ISO_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z")


def text(cells: pl.Series) -> pl.Series:
    """Text without the white space around it; empty is null."""
    stripped = cells.cast(pl.String).str.strip_chars()
    return stripped.set(stripped == "", None)


def cleaned(values: pl.Series, how: str) -> pl.Series:
    """Text made uniform: ``upper``, ``lower``, or ``whole_number`` (17850.0 becomes 17850)."""
    if how == "upper":
        return values.str.to_uppercase()
    if how == "lower":
        return values.str.to_lowercase()
    return values.str.replace(r"^(-?\d+)\.0*$", "$1")


def number(cells: pl.Series) -> pl.Series:
    """Float64; NaN and infinity stay, for a check to name them."""
    if cells.dtype.is_numeric():
        return cells.cast(pl.Float64)
    return text(cells).cast(pl.Float64, strict=False)


def flag(cells: pl.Series) -> pl.Series:
    """Boolean, from true, yes, 1 and their like."""
    if cells.dtype == pl.Boolean:
        return cells
    words = text(cells).str.to_lowercase()
    return words.replace_strict(_FLAGS, default=None, return_dtype=pl.Boolean)


def moment(cells: pl.Series, zone: str, time_format: str | None) -> pl.Series:
    """Datetime in UTC, microseconds.

    Args:
        cells: Datetimes, dates, unix seconds (or milliseconds), or text.
        zone: IANA zone of times that do not say theirs. Of an hour that comes twice the first
            is taken; one that the clocks leap over is null.
        time_format: As in ``strptime``; None for ISO 8601 or unix seconds.
    """
    if isinstance(cells.dtype, pl.Datetime):
        if cells.dtype.time_zone:
            return cells.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        return _in_utc(cells, zone)
    if cells.dtype == pl.Date:
        return _in_utc(cells.cast(pl.Datetime("us")), zone)
    if cells.dtype.is_numeric():
        return _from_unix(cells.cast(pl.Float64))
    written = text(cells)
    if time_format is not None:
        return _strptime(written, time_format, zone)
    return _from_iso(written, zone)


def names(cells: pl.Series, separator: str | None) -> pl.Series:
    """List of names in their order; from a list, a JSON list, or text with a separator."""
    if isinstance(cells.dtype, pl.List):
        parts = cells.cast(_NAMES)
    elif separator is not None:
        parts = text(cells).str.split(separator)
    else:
        parts = _from_json(text(cells), "[", _names_from_json, _NAMES)
    kept = pl.element().str.strip_chars()
    return parts.list.eval(kept.filter(kept != ""))


def pictures(cells: pl.Series) -> pl.Series:
    """List of paths and URLs; from a list, a JSON list, or text that ``|`` cuts."""
    if isinstance(cells.dtype, pl.List):
        return names(cells, None)
    written = text(cells)
    return names(written, None).zip_with(written.str.starts_with("["), names(written, "|"))


def names_of(columns: list[pl.Series]) -> pl.Series:
    """List of names from one column a place; empty places are left out."""
    levels = pl.DataFrame([text(column).alias(str(at)) for at, column in enumerate(columns)])
    return levels.select(pl.concat_list(pl.all()).list.drop_nulls()).to_series()


def pairs(cells: pl.Series) -> pl.Series:
    """List of key and value; from a struct, a list of structs, or a JSON map."""
    if isinstance(cells.dtype, pl.List):
        return cells.cast(_PAIRS)
    if isinstance(cells.dtype, pl.Struct):
        return pairs_of(cells.struct.unnest().get_columns())
    return _from_json(text(cells), "{", _pairs_from_json, _PAIRS)


def pairs_of(columns: list[pl.Series]) -> pl.Series:
    """List of key and value from one column a key; empty cells are left out."""
    values = pl.DataFrame([text(column) for column in columns])
    each = [
        pl.when(pl.col(name).is_not_null()).then(
            pl.struct(pl.lit(name).alias("key"), pl.col(name).alias("value"))
        )
        for name in values.columns
    ]
    return values.select(pl.concat_list(each).list.drop_nulls()).to_series().cast(_PAIRS)


def _in_utc(naive: pl.Series, zone: str) -> pl.Series:
    local = naive.dt.cast_time_unit("us")
    aware = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return aware.dt.convert_time_zone("UTC")


def _from_unix(numbers: pl.Series) -> pl.Series:
    size = pl.col("unix").abs()
    seconds = pl.when(size >= _SECONDS_FROM).then(
        pl.when(size >= _MILLISECONDS_FROM).then(pl.col("unix") / 1000).otherwise(pl.col("unix"))
    )
    micros = (seconds * 1e6).round().cast(pl.Int64, strict=False)
    frame = numbers.alias("unix").to_frame()
    return frame.select(micros.cast(pl.Datetime("us", "UTC"))).to_series()


def _strptime(written: pl.Series, time_format: str, zone: str) -> pl.Series:
    if "%z" in time_format or "%:z" in time_format:
        parsed = written.str.to_datetime(time_format, strict=False, time_unit="us")
        return parsed.dt.convert_time_zone("UTC")
    return _in_utc(written.str.to_datetime(time_format, strict=False, time_unit="us"), zone)


def _from_iso(written: pl.Series, zone: str) -> pl.Series:
    tidy = written.str.replace(r"^(\d{4}-\d\d-\d\d) +", "${1}T").str.replace("[Zz]$", "+00:00")
    moments = pl.Series(written.name, [None] * len(written), dtype=pl.Datetime("us", "UTC"))
    for time_format in (*_ISO_ZONED, *_ISO_FORMATS):
        if moments.null_count() == written.null_count():
            return moments
        moments = moments.zip_with(moments.is_not_null(), _strptime(tidy, time_format, zone))
    numbers = written.cast(pl.Float64, strict=False)
    return moments.zip_with(moments.is_not_null(), _from_unix(numbers))


def _from_json(
    written: pl.Series, start: str, read: Callable[[str], object], dtype: pl.DataType
) -> pl.Series:
    values = [None if cell is None else _decoded(cell, start, read) for cell in written]
    return pl.Series(written.name, values, dtype=dtype)


def _decoded(cell: str, start: str, read: Callable[[str], object]) -> object:
    if start == "[" and not cell.startswith(start):
        return [cell]
    try:
        return read(cell)
    except (ValueError, AttributeError, RecursionError):
        return None


def _names_from_json(cell: str) -> list[str]:
    listed = json.loads(cell)
    if not all(isinstance(name, str) for name in listed):
        raise ValueError("a name is no text")
    return list(listed)


def _pairs_from_json(cell: str) -> list[dict[str, str]]:
    return [
        {"key": key, "value": value if isinstance(value, str) else json.dumps(value)}
        for key, value in json.loads(cell).items()
        if value is not None
    ]
