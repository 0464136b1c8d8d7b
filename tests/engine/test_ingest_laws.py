"""What holds for any file: no row is lost."""

import csv
import io
import tempfile
from pathlib import Path

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.dataset import Dataset
from engine.errors import DataError
from engine.ingest import Mapping, ingest

CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=6
) | st.sampled_from(
    ["a", "b", " a ", "1.5", "NaN", "-1", 'x"y', "x,y", "x\ny", "x\r\ny", "\r", '"', "é"]
)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=12)
HEADER = ("item_id", "title", "price")
# Python also strips four control characters that Unicode does not call white space.
BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace() and c not in "\x1c\x1d\x1e\x1f")
KEPT = ("kept-id", "A row that is kept", "1")


def account(content: bytes, suffix: str = "csv"):
    """The report, the kept ids, and the rejects of an items file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"items.{suffix}"
        path.write_bytes(content)
        report = ingest(Mapping.from_flags(items=path), Path(folder) / "out")
        dataset = Dataset.open(Path(folder) / "out")
        rejects = pl.read_parquet(Path(folder) / "out" / "rejects.parquet")
        return report.table("items"), dataset.items, rejects


@settings(max_examples=120, deadline=None)
@given(ROWS, st.sampled_from(["\n", "\r\n"]))
@example([["", "", ""], ["a", "A", ""], ["a", "B", "x\ny"]], "\n")
@example([["0", "0", "\x1f"], ["1\x1f", "0", "1"]], "\n")
def test_every_row_of_a_csv_is_kept_or_rejected(rows, newline):
    page = io.StringIO(newline="")
    writer = csv.writer(page, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerows([HEADER, *rows, KEPT])
    report, items, rejects = account(page.getvalue().encode())
    assert report.read == len(rows) + 1
    assert report.read == report.kept + report.rejected
    assert (items.height, rejects.height) == (report.kept, report.rejected)
    expected = {row[0].strip(BLANKS) for row in rows if _is_good(row)} | {KEPT[0]}
    assert set(items["item_id"]) == expected


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_a_reject_stands_on_the_line_it_names(rows):
    page = io.StringIO(newline="")
    csv.writer(page, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([HEADER, *rows, KEPT])
    _, items, rejects = account(page.getvalue().encode())
    starts, line = [], 2
    for row in rows:
        starts.append(line)
        line += 1 + sum(map(_line_ends, row))
    assert set(rejects["line"]) <= set(starts)
    assert len(rejects["line"].unique()) == rejects.height
    assert items.height + rejects.height == len(rows) + 1


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 3))
@example(b'x,"open\n', 0)
@example(b'"' * 3 + b"\n", 1)
@example(b"\xff\xfe,\x00\n", 2)
def test_any_bytes_end_in_an_account_or_a_clear_error(noise, place):
    lines = [b"item_id,title,price\n", b"a,A,1\n", b"b,B,2\n", b"c,C,3\n"]
    content = b"".join([*lines[:place], noise, *lines[place:]])
    for suffix in ("csv", "jsonl"):
        try:
            report, items, rejects = account(content, suffix)
        except DataError as error:
            assert "items" in str(error)  # noqa: PT017 - one of two good ends
        else:
            assert report.read == report.kept + report.rejected
            assert (items.height, rejects.height) == (report.kept, report.rejected)


def _is_good(row):
    id_, title, price = (cell.strip(BLANKS) for cell in row)
    if not id_ or not title:
        return False
    try:
        return not price or 0 <= float(price) < float("inf")
    except ValueError:
        return False


def _line_ends(cell):
    return cell.replace("\r\n", "\n").replace("\r", "\n").count("\n")
