"""CSV, row by row, with right line numbers and no row lost.

The standard reader splits the cells; what is added here is what a shop's exports need: a cell
may hold newlines, a quote that is never closed costs one row and not the rest of the file, and a
cell of any size is refused without ending the reading.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from engine.errors import DataError
from engine.ingest.opened import opened

CELL_BYTES = 100_000
"""Longest cell that is taken."""

_SKIPPED_CHARS = 64 * 1024 * 1024
"""How far the end of an oversized cell is searched for."""


class Row(NamedTuple):
    """One row, and the line on which it begins, from 1."""

    line: int
    cells: Sequence[str]


class BadRow(NamedTuple):
    """A row that could not be split, and the line on which it begins, from 1."""

    line: int
    reason: str
    text: str


class _UnclosedQuoteError(Exception):
    """The file ended inside a quoted cell."""


@dataclass(slots=True)
class _Lines:
    """The lines of a file, of which those of the present row can be put back."""

    file: TextIO
    waiting: deque[str]
    taken: list[str]
    number: int = 1
    """Line on which the present row begins."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.waiting.popleft() if self.waiting else self.file.readline()
        if not line:
            if self.taken:
                raise _UnclosedQuoteError
            raise StopIteration
        self.taken.append(line)
        return line

    def finish(self) -> None:
        """Begin the next row."""
        self.number += len(self.taken)
        self.taken.clear()

    def keep_first(self) -> str:
        """Put back all lines of the present row but its first."""
        first, *rest = self.taken
        self.waiting.extendleft(reversed(rest))
        self.taken[:] = [first]
        return first


def csv_rows(
    path: Path, delimiter: str, encoding: str, *, width: int | None = None
) -> Iterator[Row | BadRow]:
    """The rows of a CSV file, the header first; blank lines are skipped.

    Args:
        path: The file, packed by gzip where its name ends in ``.gz``; lines may end in LF, CRLF
            or CR, and a byte order mark is passed over.
        delimiter: Between cells.
        encoding: Of the text; bytes that are none are a bad row.
        width: How many cells a row must have; None takes any number.

    Raises:
        DataError: The file cannot be read, or is UTF-16 where UTF-8 is expected.
    """
    with _text_of(path, encoding) as file:
        lines = _Lines(file, deque(), [])
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _UnclosedQuoteError) as error:
                yield _refused(lines, delimiter, error)
                reader = csv.reader(lines, delimiter=delimiter, strict=True)
            else:
                if cells:
                    yield _checked(lines, cells, width, encoding)
            lines.finish()


@contextmanager
def _text_of(path: Path, encoding: str) -> Iterator[TextIO]:
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    with opened(path) as file:
        if encoding == "utf-8" and file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(f"{path} is UTF-16: save it as UTF-8, or say encoding: utf-16")
        file.seek(0)
        yield io.TextIOWrapper(file, encoding=codec, errors="surrogateescape", newline="")


def _checked(lines: _Lines, cells: list[str], width: int | None, encoding: str) -> Row | BadRow:
    if width is not None and len(cells) != width:
        text = lines.keep_first().rstrip("\r\n")
        return BadRow(lines.number, "wrong number of cells", text)
    if not all(map(_is_text, lines.taken)):
        return BadRow(lines.number, f"not {encoding.upper()}", "".join(lines.taken).rstrip("\r\n"))
    return Row(lines.number, cells)


def _is_text(line: str) -> bool:
    """Whether a line was decoded without a broken byte."""
    if line.isascii():
        return True
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(lines: _Lines, delimiter: str, error: Exception) -> BadRow:
    if "field limit" in str(error) and _skip_cell(lines, delimiter):
        text = lines.taken[0]
        return BadRow(lines.number, f"cell over {CELL_BYTES:,} bytes", text)
    reason = "quote that is never closed" if _is_open(error) else "malformed quotes"
    return BadRow(lines.number, reason, lines.keep_first().rstrip("\r\n"))


def _is_open(error: Exception) -> bool:
    return isinstance(error, _UnclosedQuoteError) or "field limit" in str(error)


def _skip_cell(lines: _Lines, delimiter: str) -> bool:
    """Take the lines up to the end of a row that is too long; False where it has no end."""
    quotes = sum(line.count('"') for line in lines.taken)
    chars = sum(map(len, lines.taken))
    line = lines.taken[-1]
    while quotes % 2 and chars < _SKIPPED_CHARS:
        try:
            line = next(lines)
        except _UnclosedQuoteError:
            return False
        quotes += line.count('"')
        chars += len(line)
    closes = '",' in line.replace(delimiter, ",") or line.rstrip().endswith('"')
    return quotes % 2 == 0 and (closes or quotes == 0)
