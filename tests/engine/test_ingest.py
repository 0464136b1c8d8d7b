"""Whole files in, a dataset and an account out."""

import json
import os
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from engine.dataset import Dataset
from engine.errors import DataError, MappingError
from engine.ingest import Mapping, ingest, render_report

NOW = datetime(2024, 6, 1, tzinfo=UTC)
ITEMS = "item_id,title,price\na,Apple,1.5\nb,Bread,2\n"
EVENTS = "user_id,item_id,kind,timestamp\nu,a,view,2024-01-01T10:00:00Z\n"


@pytest.fixture
def shop(tmp_path):
    """Ingest files given as text or bytes, by table; the suffix may follow the name."""

    def run(**files):
        paths = {}
        for name, content in files.items():
            table, _, suffix = name.partition("_")
            path = tmp_path / f"{table}.{suffix or 'csv'}"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths[table] = path
        report = ingest(Mapping.from_flags(**paths), tmp_path / "out", now=NOW)
        for table in report.tables:
            assert table.read == table.kept + table.rejected
        return Dataset.open(tmp_path / "out"), report

    return run


def rejects(dataset):
    frame = pl.read_parquet(dataset.folder / "rejects.parquet")
    return list(frame.select("table", "line", "reason", "value").iter_rows())


def test_good_files_are_kept_whole(shop):
    dataset, report = shop(items=ITEMS, events=EVENTS)
    assert dataset.items["title"].to_list() == ["Apple", "Bread"]
    assert dataset.items["price"].to_list() == [1.5, 2.0]
    assert dataset.events["timestamp"].to_list() == [datetime(2024, 1, 1, 10, tzinfo=UTC)]
    assert rejects(dataset) == []
    assert [(table.table, table.read, table.kept) for table in report.tables] == [
        ("items", 2, 2),
        ("events", 1, 1),
    ]


@pytest.mark.parametrize(
    ("row", "reason", "value"),
    [
        ("u,zzz,view,2024-01-01,1", "unknown item", "zzz"),
        (",a,view,2024-01-01,1", "empty user_id", None),
        ("u, ,view,2024-01-01,1", "empty item_id", None),
        ("u,a,,2024-01-01,1", "empty kind", None),
        ("u,a,stare,2024-01-01,1", "unknown kind", "stare"),
        ("u,a,view,,1", "empty timestamp", None),
        ("u,a,view,yesterday,1", "timestamp is not a time", "yesterday"),
        ("u,a,view,20240101,1", "timestamp is not a time", "20240101"),
        (
            "u,a,view,2024-06-01T00:00:01Z,1",
            "time in the future",
            "2024-06-01T00:00:01.000000+00:00",
        ),
        ("u,a,view,1969-12-31T23:59:59Z,1", "time before 1970", "1969-12-31T23:59:59.000000+00:00"),
        ("u,a,view,2024-01-01,two", "value is not a number", "two"),
        ("u,a,view,2024-01-01,NaN", "value is not finite", "NaN"),
        ("u,a,view,2024-01-01,-1", "negative value", "-1.0"),
        ("u,a,view,2024-01-01", "wrong number of cells", "u,a,view,2024-01-01"),
        ("u,a,view,2024-01-01,1,2", "wrong number of cells", "u,a,view,2024-01-01,1,2"),
        ('u,a,"view"x,2024-01-01,1', "malformed quotes", 'u,a,"view"x,2024-01-01,1'),
        ('u,a,view,2024-01-01,"1', "quote that is never closed", 'u,a,view,2024-01-01,"1'),
    ],
)
def test_a_bad_event_is_rejected_with_line_and_reason(shop, row, reason, value):
    good = "u,a,view,2024-01-01,1\n"
    text = "user_id,item_id,kind,timestamp,value\n" + good + row + "\n" + good
    dataset, report = shop(items=ITEMS, events=text)
    assert rejects(dataset) == [("events", 3, reason, value)]
    assert report.table("events").kept == 2
    assert [(count.reason, count.rows, count.line) for count in report.table("events").reasons] == [
        (reason, 1, 3)
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,Again,1,,", "duplicate item_id"),
        ("c,,1,,", "empty title"),
        (",No id,1,,", "empty item_id"),
        ("c,Cake,cheap,,", "price is not a number"),
        ("c,Cake,NaN,,", "price is not finite"),
        ("c,Cake,inf,,", "price is not finite"),
        ("c,Cake,-0.01,,", "negative price"),
        ("c,Cake,1,perhaps,", "available is neither true nor false"),
        ("c,Cake,1,,../../etc/passwd", "image outside the folder"),
        ("c,Cake,1,,/etc/passwd", "image outside the folder"),
        ("c,Cake,1,,C:\\cake.png", "image outside the folder"),
    ],
)
def test_a_bad_item_is_rejected_with_line_and_reason(shop, row, reason):
    header = "item_id,title,price,available,image\na,Apple,1,yes,pictures/a.png\n"
    dataset, _ = shop(items=f"{header}{row}\n", events=EVENTS)
    assert [found[1:3] for found in rejects(dataset)] == [(3, reason)]
    assert dataset.items["item_id"].to_list() == ["a"]


def test_broken_utf8_costs_its_row_alone(shop):
    dataset, _ = shop(items=b"item_id,title\na,Apple\nb,Caf\xe9\nc,Caf\xc3\xa9\n", events=EVENTS)
    assert dataset.items["title"].to_list() == ["Apple", "Café"]
    assert rejects(dataset) == [("items", 3, "not UTF-8", "b,Caf?")]


def test_another_encoding_can_be_said(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes("item_id,title\nb,Café\n".encode("cp1252"))
    mapping = Mapping.model_validate(
        {
            "settings": {"name": "shop"},
            "items": {"files": str(path), "encoding": "cp1252"},
        }
    )
    ingest(mapping, tmp_path / "out")
    assert Dataset.open(tmp_path / "out").items["title"].to_list() == ["Café"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_marks_change_nothing(shop, newline, bom):
    text = 'item_id,title\na,Apple\n"b",""\nc,Cake\n'
    dataset, _ = shop(items=bom + text.replace("\n", newline).encode(), events=EVENTS)
    assert dataset.items["item_id"].to_list() == ["a", "c"]
    assert rejects(dataset) == [("items", 3, "empty title", None)]


def test_line_numbers_stay_right_after_newlines_in_cells(shop):
    text = 'item_id,title,description\na,Apple,"red\n\ngreen"\nb,,x\n\nc,Cake,"5"" tall"\n,No id,\n'
    dataset, _ = shop(items=text, events=EVENTS)
    assert dataset.items["description"].to_list() == ["red\n\ngreen", '5" tall']
    assert [found[1] for found in rejects(dataset)] == [5, 8]


def test_an_inch_mark_is_no_quote(shop):
    dataset, _ = shop(items='item_id,title\na,5" nail\nb,6" nail\n', events=EVENTS)
    assert dataset.items["title"].to_list() == ['5" nail', '6" nail']


def test_an_open_quote_costs_one_row_and_not_the_rest(shop):
    rows = "".join(f"i{n},Item {n}\n" for n in range(9_000))
    text = f'item_id,title\na,Apple\nx,"never closed\n{rows}'
    dataset, report = shop(items=text, events=EVENTS)
    assert report.table("items").kept == 9_001
    assert rejects(dataset) == [("items", 3, "quote that is never closed", 'x,"never closed')]


@pytest.mark.parametrize(
    "cell", ["x" * 10_000_000, '"' + "xxxxxxxxx\n" * 1_000_000 + '"', "x" * 110_000]
)
def test_a_giant_cell_is_one_reject(shop, cell):
    text = f"item_id,title,description\na,Apple,\nb,Bread,{cell}\nc,Cake,\n"
    dataset, report = shop(items=text, events=EVENTS)
    assert dataset.items["item_id"].to_list() == ["a", "c"]
    ((_, line, reason, value),) = rejects(dataset)
    assert (line, reason) == (3, "cell over 100,000 bytes")
    assert len(value) <= 200
    assert report.table("items").read == 3


@pytest.mark.parametrize("size", [100_000, 100_001])
def test_the_longest_cell_that_is_taken(shop, size):
    text = f"item_id,title,description\na,Apple,{'é' * (size // 2)}{'x' * (size % 2)}\nb,Bread,\n"
    _, report = shop(items=text, events=EVENTS.replace(",a,", ",b,"))
    assert report.table("items").rejected == (size > 100_000)


def test_json_lines_that_are_none(shop):
    lines = [
        b'{"item_id": "a", "title": "Apple", "price": 1, "categories": ["Food", "Fruit"]}',
        b'{"item_id": "b", "title": ',
        b'["b", "Bread"]',
        b'{"item_id": "b", "title": "\xff"}',
        b'{"item_id": "b", "title": "\\ud800"}',
        b'{"item_id": "b", "title": "Bread", "price": NaN}',
        b'{"item_id": "b", "title": "Bread", "price": "cheap"}',
        b'{"item_id": "b", "title": "Bread", "attributes": {"grain": "rye", "weight": 2}}',
        b"",
        b'{"item_id": 7, "title": "Seven", "late_key": true}',
    ]
    dataset, _ = shop(items_jsonl=b"\xef\xbb\xbf" + b"\r\n".join(lines), events=EVENTS)
    assert dataset.items["item_id"].to_list() == ["a", "b", "7"]
    assert dataset.items["categories"].to_list() == [["Food", "Fruit"], [], []]
    assert dataset.items["attributes"].to_list()[1] == [
        {"key": "grain", "value": "rye"},
        {"key": "weight", "value": "2"},
    ]
    assert [found[1:3] for found in rejects(dataset)] == [
        (2, "malformed JSON"),
        (3, "not a JSON object"),
        (4, "not UTF-8"),
        (5, "not UTF-8"),
        (6, "price is not finite"),
        (7, "price is not a number"),
    ]


def test_the_same_rows_in_every_format_make_the_same_dataset(tmp_path):
    frame = pl.DataFrame(
        {
            "item_id": ["a", "b", "b", None],
            "title": ['An "apple", red', "Two\nlines", "Twice", "No id"],
            "price": [1.25, None, 2.0, 3.0],
            "available": [True, False, None, True],
        }
    )
    frame.write_csv(tmp_path / "items.csv")
    frame.write_ndjson(tmp_path / "items.jsonl")
    frame.write_parquet(tmp_path / "items.parquet")
    frame.write_csv(tmp_path / "items.tsv", separator="\t")
    hashes, accounts = set(), set()
    for suffix in ("csv", "jsonl", "parquet", "tsv"):
        mapping = Mapping.from_flags(items=tmp_path / f"items.{suffix}")
        report = ingest(mapping, tmp_path / "out")
        hashes.add(Dataset.open(tmp_path / "out").hash)
        accounts.add((report.table("items").read, report.table("items").kept))
    assert len(hashes) == 1
    assert accounts == {(4, 2)}


def test_parquet_keeps_its_own_types(tmp_path):
    local = datetime(2024, 3, 1, 12)
    frame = pl.DataFrame(
        {
            "user_id": [17850.0],
            "item_id": [3],
            "kind": pl.Series(["view"], dtype=pl.Categorical),
            "timestamp": [local],
        }
    )
    frame.write_parquet(tmp_path / "events.parquet")
    mapping = Mapping.model_validate(
        {
            "settings": {"name": "x", "time_zone": "America/New_York"},
            "events": {
                "files": str(tmp_path / "events.parquet"),
                "clean": {"user_id": "whole_number"},
            },
            "items_from_events": True,
        }
    )
    ingest(mapping, tmp_path / "out", now=NOW)
    row = Dataset.open(tmp_path / "out").events.row(0, named=True)
    assert (row["user_id"], row["item_id"], row["kind"]) == ("17850", "3", "view")
    assert row["timestamp"] == datetime(2024, 3, 1, 17, tzinfo=UTC)


def test_offers_users_and_triples(shop):
    dataset, _ = shop(
        items=ITEMS,
        events=EVENTS,
        users='user_id,attributes\nu,"{""age"": ""30-39""}"\nu,\nv,oops\nw,\n',
        triples="head,relation,tail,weight\na,made_by,acme,\na,,acme,1\na,made_of,flour,x\n",
        offers=(
            "item_id,starts_at,ends_at,kind\n"
            "a,2024-01-01,2024-01-08,coupon\n"
            "a,2024-01-08,2024-01-08,coupon\n"
            "z,2024-01-01,2024-01-08,coupon\n"
            "a,2024-01-01,2024-01-08,shouting\n"
            "b,2024-01-01,2099-01-01,\n"
        ),
    )
    assert dataset.users["user_id"].to_list() == ["u", "w"]
    assert dataset.users["attributes"].to_list() == [[{"key": "age", "value": "30-39"}], []]
    assert list(dataset.triples.iter_rows()) == [("a", "made_by", "acme", 1.0)]
    assert list(dataset.offers.select("item_id", "kind").iter_rows()) == [
        ("a", "coupon"),
        ("b", "discount"),
    ]
    assert [found[:3] for found in rejects(dataset)] == [
        ("users", 3, "duplicate user_id"),
        ("users", 4, "attributes are not a map"),
        ("triples", 3, "empty relation"),
        ("triples", 4, "weight is not a number"),
        ("offers", 3, "offer ends before it starts"),
        ("offers", 4, "unknown item"),
        ("offers", 5, "unknown kind"),
    ]


def test_items_gathered_from_events(tmp_path):
    (tmp_path / "sales.csv").write_text(
        "user,sku,name,price,when,qty\n"
        "u,b,BLUE MUG,4,2024-01-01,1\n"
        "u,a,RED MUG,1,2024-01-01,1\n"
        "v,a,damaged,2,2024-01-02,1\n"
        "v,a,RED MUG,9,2024-01-03,-1\n"
        "w,a,RED MUG,30,2024-01-03,1\n"
        "w,c,,5,2024-01-03,1\n"
    )
    mapping = Mapping.model_validate(
        {
            "settings": {"name": "mugs", "currency": "GBP"},
            "items_from_events": True,
            "readable_titles": True,
            "events": {
                "files": str(tmp_path / "sales.csv"),
                "columns": {
                    "user_id": "user",
                    "item_id": "sku",
                    "title": "name",
                    "price": "price",
                    "timestamp": "when",
                    "value": "qty",
                },
                "constants": {"kind": "purchase"},
                "where": [{"column": "qty", "below": 0, "reason": "returned"}],
            },
        }
    )
    report = ingest(mapping, tmp_path / "out", now=NOW)
    items = Dataset.open(tmp_path / "out").items
    assert list(items.select("item_id", "title", "price", "currency").iter_rows()) == [
        ("b", "Blue Mug", 4.0, "GBP"),
        ("a", "Red Mug", 2.0, "GBP"),  # of 1, 2 and 30; the returned one does not count
        ("c", "c", 5.0, "GBP"),
    ]
    assert report.table("items").gathered
    assert [(count.reason, count.rows) for count in report.table("events").reasons] == [
        ("returned", 1)
    ]


def test_without_titles_the_description_or_the_id_stands_in(tmp_path):
    (tmp_path / "a.csv").write_text(
        "user,item,time,Description\nu,a,2024-01-01,Red mug\nu,b,2024-01-01,\n"
    )
    ingest(Mapping.from_flags(events=tmp_path / "a.csv", kind="view"), tmp_path / "out", now=NOW)
    assert Dataset.open(tmp_path / "out").items["title"].to_list() == ["Red mug", "b"]


def test_a_shop_may_have_no_events_yet_but_not_no_items(shop, tmp_path):
    header = EVENTS.splitlines()[0]
    dataset, report = shop(items=ITEMS, events=header + "\n")
    assert dataset.events.is_empty()
    assert report.table("events").read == 0
    with pytest.raises(DataError, match="no item can be gathered"):
        ingest(Mapping.from_flags(events=tmp_path / "events.csv"), tmp_path / "other")


@pytest.mark.parametrize(
    ("test", "turned_away"),
    [
        ({"missing": True}, [3]),
        ({"equals": "x1"}, [2]),
        ({"equals": ["x1", "7"]}, [2, 4]),
        ({"starts_with": "x"}, [2, 5]),
        ({"matches": "^x.$"}, [2]),
        ({"at_most": 7}, [4]),
        ({"below": 7}, []),
        ({"above": 6.5}, [4]),
    ],
)
def test_where_turns_rows_away(tmp_path, test, turned_away):
    (tmp_path / "items.csv").write_text("item_id,title,note\na,A,x1\nb,B,\nc,C,7\nd,D,x22\n")
    condition = {"column": "note", "reason": "as asked"} | test
    mapping = Mapping.model_validate(
        {
            "settings": {"name": "x"},
            "items": {"files": str(tmp_path / "items.csv"), "where": [condition]},
        }
    )
    ingest(mapping, tmp_path / "out")
    found = pl.read_parquet(tmp_path / "out" / "rejects.parquet")
    assert found["line"].to_list() == turned_away
    assert found["reason"].to_list() == ["as asked"] * len(turned_away)


def test_several_files_and_patterns_are_one_table(tmp_path):
    (tmp_path / "items-1.csv").write_text("item_id,title\na,Apple\n")
    (tmp_path / "items-2.csv").write_text("title,item_id\nBread,b\nAgain,a\n")
    seen = []
    report = ingest(
        Mapping.from_flags(items=tmp_path / "items-*.csv"),
        tmp_path / "out",
        on_progress=lambda table, rows: seen.append((table, rows)),
    )
    assert Dataset.open(tmp_path / "out").items["item_id"].to_list() == ["a", "b"]
    (count,) = report.table("items").reasons
    told = "a: Again (kept: Apple)"
    assert (Path(count.file).name, count.line, count.value) == ("items-2.csv", 3, told)
    assert seen == [("items", 1), ("items", 3)]


def test_categories_and_attributes_from_several_columns(tmp_path):
    (tmp_path / "items.csv").write_text(
        "item_id,title,dept,type,colour,size\na,A,Food,Fruit,red,\nb,B,Food,,,\n"
    )
    columns = {
        "item_id": "item_id",
        "title": "title",
        "categories": ["dept", "type"],
        "attributes": ["colour", "size"],
    }
    mapping = Mapping.model_validate(
        {
            "settings": {"name": "x"},
            "items": {"files": str(tmp_path / "items.csv"), "columns": columns},
        }
    )
    ingest(mapping, tmp_path / "out")
    items = Dataset.open(tmp_path / "out").items
    assert items["categories"].to_list() == [["Food", "Fruit"], ["Food"]]
    assert items["attributes"].to_list() == [[{"key": "colour", "value": "red"}], []]


def test_further_pictures_from_every_format(shop, tmp_path):
    url = "https://example.org/a.png?x=1,2;3"
    several = {"a": ["pictures/a1.png", url], "b": ["pictures/b.png"], "c": []}
    csv = (
        f'item_id,title,image,images\na,A,pictures/a.png," pictures/a1.png | {url} |"\n'
        "b,B,,pictures/b.png\nc,C,,\n"
    )
    lines = [json.dumps({"item_id": i, "title": i, "images": s}) for i, s in several.items()]
    frame = pl.DataFrame(
        {"item_id": [*several], "title": [*several], "images": [*several.values()]},
        schema_overrides={"images": pl.List(pl.String)},
    )
    frame.write_parquet(tmp_path / "made.parquet")
    files = {
        "items": csv,
        "items_tsv": f'item_id\ttitle\tphotos\na\tA\t["pictures/a1.png", "{url}"]\n'
        "b\tB\tpictures/b.png\nc\tC\t[]\n",
        "items_jsonl": "\n".join(lines),
        "items_parquet": (tmp_path / "made.parquet").read_bytes(),
    }
    for name, content in files.items():
        dataset, _ = shop(**{name: content}, events=EVENTS)
        assert dict(dataset.items.select("item_id", "images").iter_rows()) == several, name
        assert rejects(dataset) == []


@pytest.mark.parametrize(
    ("cell", "reason", "value"),
    [
        ("pictures/b.png|../../etc/passwd", "image outside the folder", "../../etc/passwd"),
        ("C:\\cake.png|pictures/b.png", "image outside the folder", "C:\\cake.png"),
        ("[1]", "images are not a list of paths", "[1]"),
        ("[oops", "images are not a list of paths", "[oops"),
    ],
)
def test_further_pictures_are_checked_like_the_first(shop, cell, reason, value):
    text = f"item_id,title,images\na,A,pictures/a.png|pictures/a1.png\nb,B,{cell}\nc,C,\n"
    dataset, _ = shop(items=text, events=EVENTS)
    assert dataset.items["item_id"].to_list() == ["a", "c"]
    assert rejects(dataset) == [("items", 3, reason, value)]


def test_further_pictures_from_several_columns(tmp_path):
    (tmp_path / "items.csv").write_text("item_id,title,one,two,three\na,A,1.png,,3.png\nb,B,,,\n")
    columns = {"item_id": "item_id", "title": "title", "image": "one", "images": ["two", "three"]}
    mapping = Mapping.model_validate(
        {
            "settings": {"name": "x"},
            "items": {"files": str(tmp_path / "items.csv"), "columns": columns},
        }
    )
    ingest(mapping, tmp_path / "out")
    items = Dataset.open(tmp_path / "out").items
    assert items["image"].to_list() == ["1.png", None]
    assert items["images"].to_list() == [["3.png"], []]


def test_a_dataset_from_before_there_were_further_pictures_is_read(shop):
    dataset, _ = shop(items=ITEMS, events=EVENTS)
    path = dataset.folder / "items.parquet"
    pl.read_parquet(path).drop("images").write_parquet(path)
    older = Dataset.open(dataset.folder)
    assert older.items.schema == dataset.items.schema
    assert older.items.equals(dataset.items)
    pl.read_parquet(path).drop("price").write_parquet(path)
    with pytest.raises(DataError, match="expected"):
        Dataset.open(dataset.folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "expected a header line"),
        (b"item_id,title\n", "items: none of 0 rows"),
        (b"item_id,item_id,title\na,a,A\n", "'item_id' comes twice"),
        (b"item_id,price\na,1\n", "no column for items.title"),
        ("item_id,title\na,A\n".encode("utf-16"), "is UTF-16"),
        (b"item_id,title\n,A\n,B\n", r"none of 2 rows can be kept: 2 × empty item_id"),
    ],
)
def test_a_file_that_is_no_table_ends_with_a_clear_error(shop, tmp_path, content, message):
    with pytest.raises(DataError, match=message) as raised:
        shop(items=content, events=EVENTS)
    assert "items" in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match=r"no file .*nowhere\.csv"):
        ingest(Mapping.from_flags(items=tmp_path / "nowhere.csv"), tmp_path / "out")
    (tmp_path / "items.xlsx").write_text("x")
    with pytest.raises(MappingError, match="tells no format"):
        ingest(Mapping.from_flags(items=tmp_path / "items.xlsx"), tmp_path / "out")
    (tmp_path / "items.parquet").write_text("not parquet")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        ingest(Mapping.from_flags(items=tmp_path / "items.parquet"), tmp_path / "out")


def test_a_column_of_a_kind_that_cannot_fit(tmp_path):
    frame = pl.DataFrame({"item_id": ["a"], "title": ["A"], "price": [[1.0, 2.0]]})
    frame.write_parquet(tmp_path / "items.parquet")
    with pytest.raises(MappingError, match=r"price \(List\(Float64\)\) cannot fill items.price"):
        ingest(Mapping.from_flags(items=tmp_path / "items.parquet"), tmp_path / "out")


def test_a_file_on_the_command_line_takes_the_place_of_the_mappings(tmp_path):
    (tmp_path / "here.csv").write_text(ITEMS)
    mapping = Mapping.from_flags(items=tmp_path / "not-here.csv")
    report = ingest(mapping, tmp_path / "out", files={"items": tmp_path / "here.csv"})
    assert report.table("items").kept == 2
    with pytest.raises(MappingError, match="'events'; this mapping has items"):
        ingest(mapping, tmp_path / "out", files={"events": tmp_path / "here.csv"})


def test_the_printed_report_names_every_reason(shop):
    _, report = shop(items=f"{ITEMS}a,[bold]Again,1\n", events=EVENTS)
    page = StringIO()
    render_report(report, Console(file=page, width=120))
    assert "duplicate item_id" in page.getvalue()
    assert "items.csv:4 'a: [bold]Again (kept: Apple)'" in page.getvalue()


def test_numbers_of_json_keep_their_value(shop):
    rows = [{"item_id": str(n), "title": "T", "price": n / 7} for n in range(20)]
    dataset, _ = shop(
        items_jsonl="\n".join(map(json.dumps, rows)), events=EVENTS.replace(",a,", ",1,")
    )
    assert dataset.items["price"].to_list() == [n / 7 for n in range(20)]


def test_ingest_is_repeatable(shop, tmp_path):
    first, _ = shop(items=ITEMS, events=EVENTS)
    second, _ = shop(items=ITEMS, events=EVENTS)
    assert first.hash == second.hash
    assert sorted(os.listdir(tmp_path)) == ["events.csv", "items.csv", "out"]
