"""Mapping files, and what is said when one is wrong."""

from pathlib import Path

import pytest

from engine.errors import MappingError
from engine.ingest import Mapping, ingest

GOOD = """\
settings:
  name: shop
items:
  files: items.csv
  columns:
    item_id: Code
    title: Name
"""


def write(tmp_path, text):
    path = tmp_path / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_mapping_file(tmp_path, monkeypatch):
    (tmp_path / "items.csv").write_text("Code,Name\na,Apple\n")
    monkeypatch.chdir("/")
    report = ingest(Mapping.open(write(tmp_path, GOOD)), tmp_path / "out")
    assert report.table("items").kept == 1


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (GOOD.replace("columns", "colums"), 5, "items.colums: unknown key; did you mean 'columns'"),
        (GOOD.replace("name: shop", "nmae: shop"), 2, "settings.nmae: unknown key; did you mean"),
        (GOOD.replace("title: Name", "titel: Name"), 7, "items.columns.titel: no such column"),
        (GOOD.replace("    title: Name\n", ""), 5, "nothing fills 'title'"),
        (GOOD.replace("files: items.csv", "format: excel"), 4, "items.format"),
        (GOOD + "  encoding: klingon\n", 8, "expected an encoding"),
        (GOOD + "  time_zone: Mars\n", 8, "expected an IANA zone"),
        (GOOD + "  where:\n  - {column: x, reason: y}\n", 9, "expected exactly one of"),
        (GOOD + "  where:\n  - {column: x, reason: y, matches: '('}\n", 9, "no regular expression"),
        (GOOD + "    title: Other\n", 8, "'title' is already on line 7"),
        (GOOD + "    brand: [A, B]\n", 8, "expected one column"),
        ("settings:\n  name: x\n", 1, "no items"),
        (GOOD + "items_from_events: true\n", 1, "exclude each other"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, line, message):
    with pytest.raises(MappingError, match=message) as raised:
        Mapping.open(write(tmp_path, text))
    assert f"shop.yaml, line {line}:" in str(raised.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "just words", "a: &x [*x]"])
def test_files_that_are_no_mapping(tmp_path, text):
    with pytest.raises(MappingError, match=r"shop\.yaml"):
        Mapping.open(write(tmp_path, text))


def test_a_mapping_file_that_is_not_there(tmp_path):
    with pytest.raises(MappingError, match="cannot be read"):
        Mapping.open(tmp_path / "nowhere.yaml")


def test_a_column_that_the_file_lacks_is_named_with_the_nearest(tmp_path):
    (tmp_path / "items.csv").write_text("Code,Nme\na,Apple\n")
    with pytest.raises(MappingError, match=r"no column 'Name' for items\.title.*mean 'Nme'"):
        ingest(Mapping.open(write(tmp_path, GOOD)), tmp_path / "out")


def test_a_late_key_of_json_lines_is_found(tmp_path):
    rows = [f'{{"Code": "a{n}", "Name": "A"}}' for n in range(1_500)]
    rows.append('{"Code": "b", "Name": "B", "Maker": "Acme"}')
    (tmp_path / "items.jsonl").write_text("\n".join(rows))
    text = GOOD.replace("items.csv", "items.jsonl")
    found = ingest(Mapping.open(write(tmp_path, text + "    brand: Maker\n")), tmp_path / "out")
    assert found.table("items").kept == 1_501
    with pytest.raises(MappingError, match=r"no column 'Marker' for items\.brand"):
        ingest(Mapping.open(write(tmp_path, text + "    brand: Marker\n")), tmp_path / "out")


def test_dump_and_load_are_inverse(tmp_path):
    mapping = Mapping.open(write(tmp_path, GOOD))
    assert Mapping.model_validate(mapping.model_dump(mode="json")) == mapping


def test_flags_know_the_usual_names(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("Customer ID,StockCode,Invoice Date,Quantity\nu,a,2020-01-01,2\n")
    mapping = Mapping.from_flags(events=path, kind="purchase")
    assert mapping.settings.name == "orders"
    report = ingest(mapping, tmp_path / "out")
    assert (report.table("events").kept, report.table("items").kept) == (1, 1)
    with pytest.raises(MappingError, match=r"no column for events\.kind .*constants"):
        ingest(Mapping.from_flags(events=path), tmp_path / "out")


def test_flags_need_a_file():
    with pytest.raises(MappingError, match="at least one"):
        Mapping.from_flags(users="users.csv")


def test_the_example_is_a_mapping():
    example = Path(__file__).parents[2] / "examples" / "online_retail.yaml"
    assert Mapping.open(example).settings.country == "GB"
