"""What a newcomer does wrong, and whether they are told what, where and how to mend it."""

import gzip

import polars as pl
import pytest
from typer.testing import CliRunner

from engine.cli import app

ITEMS = "item_id,title\na,Apple\nb,Bread\n"
SALES = "user_id,item_id,kind,timestamp\nu,a,purchase,2024-01-01T10:00:00\n"


@pytest.fixture
def ingest(tmp_path, monkeypatch):
    """Run the command in a folder of some files; gives the exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, **files):
        for name, content in {"items_csv": ITEMS, "sales_csv": SALES, **files}.items():
            raw = content if isinstance(content, bytes) else content.encode()
            (tmp_path / name.replace("_", ".")).write_bytes(raw)
        command = ["ingest", *arguments]
        result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
        return result.exit_code, " ".join(result.output.replace("│", " ").split())

    return run


BOTH = ("out", "--items", "items.csv", "--events", "sales.csv")


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        (
            "items_csv",
            "item_id,titel\na,Apple\n",
            ["items.csv", "items.title", "(did you mean 'titel'?)", "Rename it"],
        ),
        (
            "items_csv",
            "item_id;title\na;Apple\n",
            ["items.csv", "the file has item_id;title", "if ';' cuts its cells, say delimiter"],
        ),
        ("items_csv", "", ["items.csv is empty", "expected a csv file with rows"]),
        ("items_csv", "item_id,title\n", ["items: none of 0 rows", "no rows in items.csv"]),
        ("items_csv", "\n \n", ["items.csv, line 2: no column has a name", "a header line"]),
        (
            "items_csv",
            "item_id,título\na,Manzana\n".encode("latin-1"),
            ["items.csv, line 1", "not UTF-8. Save the file as UTF-8", "encoding: cp1252"],
        ),
        (
            "sales_csv",
            SALES.replace("2024-01-01T10:00:00", "01.02.2024 10:00"),
            ["sales.csv, line 2: '01.02.2024 10:00'", "timestamp_format", "%d.%m.%Y %H:%M"],
        ),
        (
            "sales_csv",
            SALES.replace("purchase", "bought"),
            ["sales.csv, line 2: 'bought'", "view, click, cart, purchase", "kinds: {bought"],
        ),
        (
            "sales_csv",
            "user_id,item_id,timestamp\nu,a,2024-01-01\n",
            ["sales.csv: no column for events.kind", "--kind says it"],
        ),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(ingest, file, content, told):
    code, said = ingest(*BOTH, **{file: content})
    assert code == 2
    assert [text for text in told if text not in said] == [], said


def test_a_packed_file_that_is_cut_off(ingest):
    packed = gzip.compress(SALES.encode() * 99)
    code, said = ingest(
        "out", "--items", "items.csv", "--events", "cut.csv.gz", cut_csv_gz=packed[:90]
    )
    assert code == 2
    assert "cut.csv.gz is damaged" in said
    assert "download it again" in said


def test_a_folder_in_the_place_of_a_file(ingest, tmp_path):
    (tmp_path / "sales").mkdir()
    code, said = ingest("out", "--items", "items.csv", "--events", "sales")
    assert (code, "sales is a folder and has no files" in said) == (2, True), said
    (tmp_path / "sales" / "june.jsonl").touch()
    (tmp_path / "sales" / "more").mkdir()
    code, said = ingest("out", "--items", "items.csv", "--events", "sales")
    assert code == 2
    assert "sales is a folder and has june.jsonl: give one file" in said
    assert "such as 'sales/*.jsonl'" in said


def test_a_pattern_passes_over_folders(ingest, tmp_path):
    (tmp_path / "sales").mkdir()
    (tmp_path / "sales" / "june.csv").write_text(SALES)
    (tmp_path / "sales" / "old").mkdir()
    code, said = ingest("out", "--items", "items.csv", "--events", "sales/*")
    assert code == 0, said


def test_a_zone_that_is_none(ingest):
    code, said = ingest(*BOTH, "--time-zone", "Europe/Lundon")
    assert code == 2
    assert "got 'Europe/Lundon', expected an IANA zone such as Europe/London" in said


def test_two_titles_of_one_id_are_both_told(ingest, tmp_path):
    twice = "item_id,title\na,Apple\na,Aubergine\na,Apple\nb,Bread\n"
    code, said = ingest(*BOTH, items_csv=twice)
    assert code == 0
    assert "items.csv:3 'a: Aubergine (kept: Apple)'" in said
    assert "The first row of an id was kept" in said
    rejects = pl.read_parquet(tmp_path / "out" / "rejects.parquet")
    assert rejects.select("line", "value").rows() == [(3, "a: Aubergine (kept: Apple)"), (4, "a")]


def test_some_rows_in_another_encoding(ingest):
    latin = "item_id,title\na,Apple\nb,Crème\n".encode("latin-1")
    code, said = ingest(*BOTH, items_csv=latin)
    assert code == 0
    assert "not UTF-8 items.csv:3" in said
    assert "encoding: cp1252" in said


def test_advice_is_given_once_and_only_where_it_is_needed(ingest):
    late = SALES + "u,b,purchase,2999-01-01\n" * 2 + "u,b,purchase,yesterday\n"
    _, said = ingest(*BOTH, sales_csv=late)
    assert said.count("Is the time zone the shop's own?") == 1
    assert said.count("timestamp_format") == 1
    _, said = ingest(*BOTH, sales_csv=SALES)
    assert said.endswith("Dataset: out")
    assert "mapping" not in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("items.csv", "out"), "items.csv is a file of rows, expected a mapping in YAML"),
        (("shop.yaml",), "got the mapping shop.yaml alone, expected MAPPING.yaml OUT"),
        (("sales.csv", "--items", "items.csv"), "sales.csv is a file: give the folder"),
        (("out", "--items", "nowhere.csv"), "no file 'nowhere.csv': mend the path"),
        (("out", "--items", "book.xlsx"), "Save a sheet as CSV"),
    ],
)
def test_arguments_in_the_wrong_place(ingest, arguments, told):
    code, said = ingest(*arguments, book_xlsx="PK", shop_yaml="settings: {name: x}")
    assert code == 2
    assert told in said
