"""Files of rows, read in chunks that know the line of every row.

A reader never loses a row: what it cannot split into cells comes back as a reject. Blank lines
are not rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from engine.dataset import REJECT_SCHEMA
from engine.errors import DataError
from engine.ingest import rdf
from engine.ingest.advice import advice_on
from engine.ingest.csv_rows import BadRow, Row, csv_rows
from engine.ingest.mapping import Format
from engine.ingest.opened import opened

CHUNK_ROWS = 50_000
VALUE_CHARS = 200
"""How much of a bad value a reject shows."""
LINE = "\x00line"
"""Column of a chunk: the row's line in its file, from 1.

A Parquet file that was made from another may have it too; then its rows tell that one's lines.
"""

_KEYS_SAMPLED = 1_000
"""Lines of a JSONL file that are searched for its keys."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a table."""

    table: str
    path: Path
    format: Format
    delimiter: str = ","
    encoding: str = "utf-8"
    header: tuple[str, ...] = ()
    """Names of the columns of a CSV file that does not name them itself."""
    told_as: str = ""
    """What rejects call the file; empty: by its path."""

    @property
    def name(self) -> str:
        """What rejects call the file."""
        return self.told_as or str(self.path)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a file: every row is in one of the two frames."""

    rows: pl.DataFrame
    """The file's columns, and :data:`LINE`. Cells of a text file are strings, empty if absent."""
    rejects: pl.DataFrame


def read_columns(source: Source, wanted: Iterable[str] = ()) -> list[str]:
    """Names of a file's columns.

    Of a JSONL file these are the keys of its first lines, and those of ``wanted`` that come in
    any later one.

    Raises:
        DataError: The file is empty, unreadable, or has a column twice.
    """
    if not source.path.is_file():
        raise DataError(f"{source.path}: no such file")
    if source.path.stat().st_size == 0:
        raise DataError(f"{source.path} is empty: expected a {source.format} file with rows")
    if source.format == "parquet":
        return [name for name in _parquet(source).schema_arrow.names if name != LINE]
    if source.format == "rdf":
        return list(rdf.COLUMNS)
    if source.format == "csv":
        return _csv_header(source)
    return _jsonl_keys(source, set(wanted))


def read_chunks(source: Source, columns: Sequence[str]) -> Iterator[Chunk]:
    """The rows of a file, in order, with only the columns asked for.

    Raises:
        DataError: The file as a whole is unreadable.
    """
    if source.format == "parquet":
        yield from _parquet_chunks(source, columns)
        return
    cells = {"csv": _csv_cells, "jsonl": _jsonl_cells, "rdf": _rdf_cells}
    rows = cells[source.format](source, columns)
    while batch := list(islice(rows, CHUNK_ROWS)):
        yield _chunk(source, batch, columns)


def rejects_frame(table: str, file: str, bad: Iterable[BadRow]) -> pl.DataFrame:
    """Rejects of one file, as :data:`engine.dataset.REJECT_SCHEMA`."""
    rows = [(table, file, row.line, row.reason, shown(row.text)) for row in bad]
    return pl.DataFrame(rows, schema=REJECT_SCHEMA, orient="row")


def shown(text: str) -> str:
    """As much of a text as a reject shows, without broken characters."""
    return text[:VALUE_CHARS].encode("utf-8", "replace").decode("utf-8")


def _chunk(source: Source, batch: Sequence[Row | BadRow], columns: Sequence[str]) -> Chunk:
    good = [row for row in batch if isinstance(row, Row)]
    cells = list(zip(*(row.cells for row in good), strict=True)) or [()] * len(columns)
    data = {
        name: pl.Series(name, values, dtype=pl.String)
        for name, values in zip(columns, cells, strict=True)
    }
    data[LINE] = pl.Series(LINE, [row.line for row in good], dtype=pl.Int64)
    bad = (row for row in batch if isinstance(row, BadRow))
    return Chunk(pl.DataFrame(data), rejects_frame(source.table, source.name, bad))


def _csv_header(source: Source) -> list[str]:
    if source.header:
        return list(source.header)
    first = next(csv_rows(source.path, source.delimiter, source.encoding), None)
    if first is None:
        raise DataError(f"{source.path} has no rows: expected a header line")
    if isinstance(first, BadRow):
        raise DataError(
            f"{source.path}, line {first.line}: the header cannot be read: {first.reason}. "
            f"{advice_on(first.reason) or 'Mend that line'}"
        )
    names = [cell.strip() for cell in first.cells]
    if not any(names):
        raise DataError(
            f"{source.path}, line {first.line}: no column has a name: expected a header line"
        )
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise DataError(f"{source.path}: column {min(twice)!r} comes twice: rename one")
    return names


def _csv_cells(source: Source, columns: Sequence[str]) -> Iterator[Row | BadRow]:
    names = _csv_header(source)
    places = [names.index(name) for name in columns]
    rows = csv_rows(source.path, source.delimiter, source.encoding, width=len(names))
    for row in islice(rows, 0 if source.header else 1, None):
        if isinstance(row, BadRow):
            yield row
        else:
            yield Row(row.line, [row.cells[place] for place in places])


def _jsonl_lines(source: Source) -> Iterator[tuple[int, bytes]]:
    with opened(source.path) as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if text.strip():
                yield number, text


def _jsonl_keys(source: Source, wanted: set[str]) -> list[str]:
    keys: dict[str, None] = {}
    for number, line in _jsonl_lines(source):
        if number > _KEYS_SAMPLED and wanted <= keys.keys():
            break
        row = _json_row(number, line, source.encoding)
        keys.update(dict.fromkeys(row if isinstance(row, dict) else ()))
    if not keys:
        raise DataError(f"{source.path} has no line with a JSON object: expected one a line")
    return list(keys)


def _jsonl_cells(source: Source, columns: Sequence[str]) -> Iterator[Row | BadRow]:
    for number, line in _jsonl_lines(source):
        row = _json_row(number, line, source.encoding)
        if isinstance(row, BadRow):
            yield row
        else:
            yield Row(number, [_cell(row.get(name)) for name in columns])


def _rdf_cells(source: Source, columns: Sequence[str]) -> Iterator[Row | BadRow]:
    places = [rdf.COLUMNS.index(name) for name in columns]
    for row in rdf.rdf_rows(source.path):
        if isinstance(row, BadRow):
            yield row
        else:
            yield Row(row.line, [row.cells[place] for place in places])


def _json_row(number: int, line: bytes, encoding: str) -> dict[str, object] | BadRow:
    try:
        row = json.loads(line.decode(encoding))
        if b"\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()
    except UnicodeError:
        return BadRow(number, f"not {encoding.upper()}", line.decode(encoding, "replace"))
    except (ValueError, RecursionError):
        return BadRow(number, "malformed JSON", line.decode(encoding))
    if not isinstance(row, dict):
        return BadRow(number, "not a JSON object", line.decode(encoding))
    return row


def _cell(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _parquet(source: Source) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source.path)
    except (pa.ArrowException, OSError) as error:
        told = f"{source.path} is not a readable Parquet file: {error} Get it again"
        raise DataError(told) from error


def _parquet_chunks(source: Source, columns: Sequence[str]) -> Iterator[Chunk]:
    first = 1
    try:
        file = _parquet(source)
        numbered = LINE in file.schema_arrow.names
        wanted = [*columns, LINE] if numbered else list(columns)
        for batch in file.iter_batches(CHUNK_ROWS, columns=wanted):
            rows = pl.DataFrame(pl.from_arrow(batch)).select(wanted)
            if not numbered:
                lines = pl.int_range(first, first + batch.num_rows, dtype=pl.Int64, eager=True)
                rows = rows.with_columns(lines.alias(LINE))
            yield Chunk(rows.cast({LINE: pl.Int64}), pl.DataFrame(schema=REJECT_SCHEMA))
            first += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source.path} breaks off after row {first - 1}: {error}") from error
