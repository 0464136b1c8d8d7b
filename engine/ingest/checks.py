"""What a row must be to be kept; each check names a reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

import polars as pl

from engine.dataset import OFFER_KINDS, REJECT_SCHEMA, REQUIRED
from engine.ingest.columns import FILE, Filling
from engine.ingest.csv_rows import CELL_BYTES
from engine.ingest.mapping import Condition
from engine.ingest.readers import LINE, VALUE_CHARS
from engine.pseudonyms import Pseudonyms
from engine.types import EventKind

_NOTHING = pl.lit(None, dtype=pl.String)
CELSIUS = (-80.0, 70.0)
"""Bounds of a temperature, as a scene has them."""

UNIQUE = {"items": "item_id", "users": "user_id"}
"""Tables in which an id comes once."""


@dataclass(frozen=True, slots=True)
class Check:
    """Rows that are turned away."""

    reason: str
    bad: pl.Expr
    """True for the rows to turn away; null counts as False."""
    value: pl.Expr
    """What the reject shows."""


@dataclass(frozen=True, slots=True)
class Known:
    """What rows are checked against."""

    now: datetime
    """Aware; a later event is in the future."""
    item_ids: pl.Series | None
    """Ids that events and offers may name; None where the events themselves say."""
    pseudonyms: Pseudonyms | None = None
    """What users are called from here on; None is by their ids."""


def row_checks(frame: pl.DataFrame, filling: Filling, known: Known) -> list[Check]:
    """Every check of a table, in the order in which they claim a row."""
    return [
        *_size_checks(frame),
        *(_condition_check(test, frame) for test in filling.mapping.where),
        *_empty_checks(filling),
        *_fit_checks(frame, filling),
        *_sense_checks(frame, filling, known),
    ]


def sift(
    frame: pl.DataFrame, checks: Sequence[Check], table: str, file: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that pass every check, and the rejects, each under the first check it fails."""

    def first_of(outcomes: Iterable[tuple[pl.Expr, pl.Expr]]) -> pl.Expr:
        return reduce(
            lambda rest, outcome: pl.when(outcome[0]).then(outcome[1]).otherwise(rest),
            reversed(list(outcomes)),
            _NOTHING,
        )

    marked = frame.with_columns(
        first_of((check.bad, pl.lit(check.reason)) for check in checks).alias("\x00reason")
    )
    bad = marked.filter(pl.col("\x00reason").is_not_null())
    rejects = bad.select(
        pl.lit(table).alias("table"),
        pl.lit(file).alias("file"),
        pl.col(LINE).alias("line"),
        pl.col("\x00reason").alias("reason"),
        first_of((check.bad, check.value.str.slice(0, VALUE_CHARS)) for check in checks).alias(
            "value"
        ),
    )
    kept = marked.filter(pl.col("\x00reason").is_null()).drop("\x00reason")
    return kept, rejects.cast(REJECT_SCHEMA)


def duplicates(
    frame: pl.DataFrame, table: str, file_column: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The first row of each id, and the later ones as rejects."""
    key = UNIQUE.get(table)
    if key is None:
        return frame, pl.DataFrame(schema=REJECT_SCHEMA)
    first = frame[key].is_first_distinct()
    if first.all():
        return frame, pl.DataFrame(schema=REJECT_SCHEMA)
    rejects = frame.select(
        pl.lit(table).alias("table"),
        pl.col(file_column).alias("file"),
        pl.col(LINE).alias("line"),
        pl.lit(f"duplicate {key}").alias("reason"),
        _twin(key, frame.columns).str.slice(0, VALUE_CHARS).alias("value"),
    ).filter(~first)
    return frame.filter(first), rejects.cast(REJECT_SCHEMA)


def _twin(key: str, columns: Collection[str]) -> pl.Expr:
    """The id of a later row, with both titles where they differ."""
    if "title" not in columns:
        return pl.col(key)
    kept = pl.col("title").first().over(key)
    both = pl.format("{}: {} (kept: {})", pl.col(key), pl.col("title"), kept)
    return pl.when(pl.col("title") == kept).then(pl.col(key)).otherwise(both)


def _raw(name: str, frame: pl.DataFrame) -> pl.Expr:
    """A file's cell as text, for a reject; null where it is a list or a map."""
    if frame.schema[name].is_nested() or frame.schema[name] == pl.Binary:
        return _NOTHING
    return pl.col(name).cast(pl.String)


def _size_checks(frame: pl.DataFrame) -> list[Check]:
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    return [
        Check(
            f"cell over {CELL_BYTES:,} bytes",
            pl.col(name).str.len_bytes() > CELL_BYTES,
            pl.col(name),
        )
        for name in texts
        if name.startswith(FILE)
    ]


def _condition_check(test: Condition, frame: pl.DataFrame) -> Check:
    name = f"{FILE}{test.column}"
    written = _raw(name, frame).str.strip_chars()
    if test.missing:
        bad = written.is_null() | (written == "")
    elif test.equals is not None:
        options = [test.equals] if isinstance(test.equals, str) else list(test.equals)
        bad = written.is_in(options)
    elif test.starts_with is not None:
        bad = written.str.starts_with(test.starts_with)
    elif test.matches is not None:
        bad = written.str.contains(test.matches)
    else:
        bad = _number_condition(test, written.cast(pl.Float64, strict=False))
    return Check(test.reason, bad, _raw(name, frame))


def _number_condition(test: Condition, number: pl.Expr) -> pl.Expr:
    if test.at_most is not None:
        return number <= test.at_most
    if test.below is not None:
        return number < test.below
    return number.is_finite() & (number > pl.lit(test.above))


def _empty_checks(filling: Filling) -> list[Check]:
    """Ids and titles must be there; times have a check of their own."""
    return [
        Check(f"empty {name}", pl.col(name).is_null(), _NOTHING)
        for name in REQUIRED[filling.table]
        if name not in _FITS
    ]


_FITS = {
    "price": "price is not a number",
    "value": "value is not a number",
    "weight": "weight is not a number",
    "temperature": "temperature is not a number",
    "available": "available is neither true nor false",
    "timestamp": "timestamp is not a time",
    "created_at": "created_at is not a time",
    "starts_at": "starts_at is not a time",
    "ends_at": "ends_at is not a time",
    "categories": "categories are not a list of names",
    "images": "images are not a list of paths",
    "attributes": "attributes are not a map",
}


def _fit_checks(frame: pl.DataFrame, filling: Filling) -> list[Check]:
    """A cell that says something must have become a value."""
    checks = []
    for name, reason in _FITS.items():
        if name not in frame.columns:
            continue
        sources = filling.columns.get(name, ())
        raw = _raw(f"{FILE}{sources[0]}", frame) if sources else pl.lit(name)
        if name in REQUIRED[filling.table]:
            empty = raw.is_null() | (raw.str.strip_chars() == "")
            checks.append(Check(f"empty {name}", empty & pl.col(name).is_null(), _NOTHING))
        said = raw.is_not_null() & (raw.str.strip_chars() != "")
        checks.append(Check(reason, said & pl.col(name).is_null(), raw))
    return checks


def _sense_checks(frame: pl.DataFrame, filling: Filling, known: Known) -> list[Check]:
    """Values that are of the right type and still cannot be."""
    col = pl.col
    amounts = [name for name in ("price", "value", "weight") if name in frame.columns]
    checks = [
        Check(f"{name} is not finite", ~col(name).is_finite(), col(name).cast(pl.String))
        for name in amounts
    ]
    checks += [
        Check(f"negative {name}", col(name) < 0, col(name).cast(pl.String)) for name in amounts
    ]
    if filling.table in ("events", "offers") and known.item_ids is not None:
        unknown = ~col("item_id").is_in(known.item_ids.implode())
        checks.append(Check("unknown item", unknown, col("item_id")))
    if filling.table == "events":
        checks += _event_checks(known)
        checks += _temperature_checks(frame)
    if filling.table == "offers":
        checks += _offer_checks(frame)
    if "image" in frame.columns:
        checks.append(Check("image outside the folder", ~_inside(col("image")), col("image")))
    if "images" in frame.columns:
        outside = col("images").list.eval(pl.element().filter(~_inside(pl.element())))
        shown = outside.list.first()
        checks.append(Check("image outside the folder", shown.is_not_null(), shown))
    return checks


def _inside(image: pl.Expr) -> pl.Expr:
    """Whether a picture is a URL, or a path that stays in the dataset's folder."""
    leads_out = image.str.contains(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")
    return image.str.contains(r"^https?://") | ~leads_out


def _event_checks(known: Known) -> list[Check]:
    time, shown = pl.col("timestamp"), pl.col("timestamp").dt.to_string("iso:strict")
    kinds = [kind.value for kind in EventKind]
    return [
        Check("unknown kind", ~pl.col("kind").is_in(kinds), pl.col("kind")),
        Check("time in the future", time > pl.lit(known.now), shown),
        Check("time before 1970", time.dt.epoch("s") < 0, shown),
    ]


def _temperature_checks(frame: pl.DataFrame) -> Iterator[Check]:
    if "temperature" in frame.columns:
        celsius = pl.col("temperature")
        strange = ~celsius.is_between(*CELSIUS) & celsius.is_not_null()
        yield Check("temperature out of bounds", strange, celsius.cast(pl.String))


def _offer_checks(frame: pl.DataFrame) -> list[Check]:
    ends = pl.col("ends_at").dt.to_string("iso:strict")
    checks = [Check("offer ends before it starts", pl.col("ends_at") <= pl.col("starts_at"), ends)]
    if "kind" in frame.columns:
        unknown = ~pl.col("kind").is_in(list(OFFER_KINDS))
        checks.append(Check("unknown kind", unknown, pl.col("kind")))
    return checks
