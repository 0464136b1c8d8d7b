"""Pictures found by the ids of items, and packed files read as they lie there."""

import gzip

import polars as pl
import pytest
from pydantic import ValidationError

from engine.dataset import Dataset
from engine.errors import DataError
from engine.ingest import Mapping, ingest
from engine.ingest.pictures import gather_pictures

SHOP = """\
settings:
  name: shop
picture_files: photos/{item_id}.*
items:
  files: items.csv.gz
  header: [Code, Name]
  columns: {item_id: Code, title: Name}
"""


def items(*ids, **columns):
    return pl.DataFrame({"item_id": list(ids), "title": ["x"] * len(ids), **columns})


def images(frame):
    return frame["image"].to_list()


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"a")
    (folder / "b.PNG").write_bytes(b"b")
    (folder / "b.png").write_bytes(b"b")
    return folder


def test_a_mapping_finds_packed_files_without_a_header_and_pictures(tmp_path, photos):
    (tmp_path / "items.csv.gz").write_bytes(gzip.compress(b"a,Apple\nc,Cherry\nd\n"))
    (tmp_path / "shop.yaml").write_text(SHOP)
    report = ingest(Mapping.open(tmp_path / "shop.yaml"), tmp_path / "out")
    dataset = Dataset.open(tmp_path / "out")
    assert images(dataset.items) == ["pictures/a.jpg", None]
    assert dataset.settings.pictures == "pictures"
    assert (dataset.folder / "pictures" / "a.jpg").read_bytes() == b"a"
    [reason] = report.table("items").reasons
    assert (reason.reason, reason.line) == ("wrong number of cells", 3)


def test_ingesting_again_takes_the_new_picture(tmp_path, photos):
    for content in (b"old", b"new"):
        (photos / "a.jpg").unlink()
        (photos / "a.jpg").write_bytes(content)
        gather_pictures(items("a"), str(photos / "{item_id}.jpg"), tmp_path / "pictures")
        assert (tmp_path / "pictures" / "a.jpg").read_bytes() == content


def test_part_of_an_id_may_name_a_folder(tmp_path):
    (tmp_path / "010").mkdir()
    (tmp_path / "010" / "01087.jpg").write_bytes(b"x")
    pattern = str(tmp_path / "{item_id:.3}" / "{item_id}.jpg")
    found = gather_pictures(items("01087", "02087"), pattern, tmp_path / "pictures")
    assert images(found) == ["pictures/01087.jpg", None]


def test_a_picture_that_is_given_stays(tmp_path, photos):
    given = items("a", "b", image=["http://x/1.jpg", None])
    found = gather_pictures(given, str(photos / "{item_id}.*"), tmp_path / "pictures")
    assert images(found) == ["http://x/1.jpg", "pictures/b.png"]


def test_an_id_cannot_lead_out_of_the_folder(tmp_path, photos):
    (tmp_path / "secret.jpg").write_bytes(b"s")
    pattern = str(photos / "{item_id}.jpg")
    found = gather_pictures(items("../secret", "a"), pattern, tmp_path / "pictures")
    assert images(found) == [None, "pictures/a.jpg"]


@pytest.mark.parametrize(
    "pattern", ["photos/a.jpg", "photos/{sku}.jpg", "photos/{item_id", "photos/{item_id.x}.jpg"]
)
def test_a_pattern_must_name_the_item(pattern):
    table = {"files": "items.csv"}
    with pytest.raises(ValidationError, match=r"expected (a path|one) .*\{item_id\}"):
        Mapping.model_validate(
            {"settings": {"name": "x"}, "items": table, "picture_files": pattern}
        )


def test_a_packed_file_that_is_none_is_told(tmp_path):
    (tmp_path / "items.csv.gz").write_bytes(b"item_id,title\na,Apple\n")
    mapping = Mapping.from_flags(items=tmp_path / "items.csv.gz")
    with pytest.raises(DataError, match=r"items\.csv\.gz cannot be read: Not a gzipped file"):
        ingest(mapping, tmp_path / "out")


def test_packed_json_lines(tmp_path):
    text = '{"item_id": "a", "title": "Apple"}\nnonsense\n'
    (tmp_path / "items.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    report = ingest(Mapping.from_flags(items=tmp_path / "items.jsonl.gz"), tmp_path / "out")
    assert report.table("items").kept == 1
    assert [(r.reason, r.line) for r in report.table("items").reasons] == [("malformed JSON", 2)]


def test_a_table_that_was_made_tells_the_lines_of_the_file_it_was_made_from(tmp_path):
    made = pl.DataFrame({"item_id": ["a", None], "title": ["Apple", "?"], "\0line": [7, 12]})
    made.write_parquet(tmp_path / "made.parquet")
    table = {"files": str(tmp_path / "made.parquet"), "told_as": ["stock.txt"]}
    mapping = Mapping.model_validate({"settings": {"name": "x"}, "items": table})
    report = ingest(mapping, tmp_path / "out")
    [reason] = report.table("items").reasons
    assert (reason.file, reason.line) == ("stock.txt", 12)


def test_more_names_than_files_are_refused(tmp_path):
    items("a").write_parquet(tmp_path / "made.parquet")
    table = {"files": str(tmp_path / "made.parquet"), "told_as": ["a.txt", "b.txt"]}
    mapping = Mapping.model_validate({"settings": {"name": "x"}, "items": table})
    with pytest.raises(DataError, match="more files than there are"):
        ingest(mapping, tmp_path / "out")
