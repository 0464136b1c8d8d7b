"""Pictures found by the ids of items, and packed files read as they lie there."""

import glob
import gzip
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.dataset import Dataset
from engine.errors import DataError
from engine.ingest import Mapping, ingest
from engine.ingest.picture_search import PictureSearch
from engine.ingest.pictures import PICTURE_BYTES, gather_pictures

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


def images(items):
    return items["image"].to_list()


def told(gathered):
    """Reason and file of every picture that was found and not taken."""
    return list(gathered.rejects.select("reason", "file").iter_rows())


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
        gathered = gather_pictures(items("a"), str(photos / "{item_id}.jpg"), tmp_path / "pictures")
        assert gathered.n_found == 1
        assert (tmp_path / "pictures" / "a.jpg").read_bytes() == content


def test_part_of_an_id_may_name_a_folder(tmp_path):
    (tmp_path / "010").mkdir()
    (tmp_path / "010" / "01087.jpg").write_bytes(b"x")
    pattern = str(tmp_path / "{item_id:.3}" / "{item_id}.jpg")
    found = gather_pictures(items("01087", "02087"), pattern, tmp_path / "pictures")
    assert images(found.items) == ["pictures/01087.jpg", None]


def test_a_picture_that_is_given_stays(tmp_path, photos):
    given = items("a", "b", image=["http://x/1.jpg", None])
    found = gather_pictures(given, str(photos / "{item_id}.*"), tmp_path / "pictures")
    assert images(found.items) == ["http://x/1.jpg", "pictures/b.png"]


def test_an_id_cannot_lead_out_of_the_folder(tmp_path, photos):
    (tmp_path / "secret.jpg").write_bytes(b"s")
    pattern = str(photos / "{item_id}.jpg")
    found = gather_pictures(items("../secret", "a"), pattern, tmp_path / "pictures")
    assert images(found.items) == [None, "pictures/a.jpg"]
    outside = str(photos / "../secret.jpg")
    assert told(found) == [("picture outside the folder", outside)]


@pytest.fixture
def tree(tmp_path):
    """Photos in folders, some of them below others: each file's content is its path."""
    root = tmp_path / "photos"
    for path in ("top.jpg", "bed/b.jpg", "bed/b.png", "chair/old/c.jpg", "chair/c2.jpg"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        ("**", ["top.jpg", "b.jpg", "c.jpg", "c2.jpg"]),
        ("*", ["b.jpg", "c2.jpg"]),
        ("*/*", ["c.jpg"]),
        ("ch*", ["c2.jpg"]),
        ("chair/**", ["c.jpg", "c2.jpg"]),
        ("**/old", ["c.jpg"]),
    ],
)
def test_stars_stand_for_folders(tmp_path, tree, folders, found):
    ids = ("top", "b", "c", "c2", "none")
    pattern = str(tree / folders / "{item_id}.*")
    gathered = gather_pictures(items(*ids), pattern, tmp_path / "pictures")
    taken = [image for image in images(gathered.items) if image is not None]
    assert taken == [f"pictures/{name}" for name in found]
    assert gathered.n_found == len(found)
    assert told(gathered) == []
    if folders == "**":
        assert (tmp_path / "pictures" / "c.jpg").read_text() == "chair/old/c.jpg"


def test_a_search_finds_what_the_direct_path_finds(tmp_path, tree):
    direct = gather_pictures(items("b", "x"), str(tree / "bed/{item_id}.*"), tmp_path / "one")
    searched = gather_pictures(items("b", "x"), str(tree / "b*d/{item_id}.*"), tmp_path / "two")
    assert images(direct.items) == ["one/b.jpg", None]
    assert images(searched.items) == ["two/b.jpg", None]


NAMES = st.sampled_from(["a", "ab", "b", "[x]"])
TREES = st.sets(st.lists(NAMES, max_size=3).map(tuple), min_size=1, max_size=6)
PATTERNS = st.lists(st.sampled_from(["**", "*", "a", "a*", "*b", "[x]"]), max_size=3)


@given(tree=TREES, parts=PATTERNS)
def test_stars_mean_what_they_mean_to_glob(tree, parts):
    with tempfile.TemporaryDirectory() as root:
        for folders in tree:
            folder = Path(root, *folders)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "7.jpg").touch()
        own = Path(root) / "pictures"
        search = PictureSearch.of(str(Path(root, *parts, "{item_id}.jpg")), but_not=own)
        wanted = (part.replace("[", "[[]") for part in parts)
        told = glob.glob(str(Path(root, *wanted, "7.jpg")), recursive=True)
        assert [str(path) for path in search.places("7")] == sorted(set(told), key=Path)


def test_pictures_that_differ_are_told_with_both_paths_and_those_that_do_not_are_one(
    tmp_path, tree
):
    (tree / "chair" / "b.jpg").write_text("another")
    (tree / "bed" / "c2.jpg").write_text("chair/c2.jpg")
    pattern = str(tree / "**" / "{item_id}.jpg")
    gathered = gather_pictures(items("b", "c2"), pattern, tmp_path / "pictures")
    assert images(gathered.items) == [None, "pictures/c2.jpg"]
    assert told(gathered) == [("several pictures of one item", str(tree / "bed" / "b.jpg"))]
    assert gathered.rejects["value"].to_list() == ["bed/b.jpg, chair/b.jpg"]


def test_a_search_stays_in_its_folder(tmp_path, tree):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "s.jpg").write_text("secret")
    (outside / "t.jpg").write_text("secret")
    (tree / "bed" / "s.jpg").symlink_to(outside / "s.jpg")
    (tree / "way").symlink_to(outside, target_is_directory=True)
    ids = items("s", "t", "../elsewhere/s", "bed/b")
    gathered = gather_pictures(ids, str(tree / "**" / "{item_id}.jpg"), tmp_path / "pictures")
    assert images(gathered.items) == [None, None, None, None]
    assert told(gathered) == [("picture outside the folder", str(tree / "bed" / "s.jpg"))]


def test_the_datasets_own_pictures_are_not_found_by_a_search(tmp_path, tree):
    own = tree / "shop" / "pictures"
    own.mkdir(parents=True)
    (own / "b.jpg").write_text("from an earlier time")
    gathered = gather_pictures(items("b"), str(tree / "**" / "{item_id}.jpg"), own)
    assert told(gathered) == []
    assert (own / "b.jpg").read_text() == "bed/b.jpg"


def test_pictures_that_lie_in_the_dataset_already_stay(tmp_path, photos):
    gathered = gather_pictures(items("a"), str(photos / "{item_id}.*"), photos)
    assert images(gathered.items) == ["photos/a.jpg"]
    assert (photos / "a.jpg").read_bytes() == b"a"


def test_pictures_that_cannot_be_one_are_told(tmp_path, photos):
    (photos / "none.jpg").touch()
    with (photos / "large.jpg").open("wb") as file:
        file.truncate(PICTURE_BYTES + 1)
    pattern = str(photos / "{item_id}.jpg")
    gathered = gather_pictures(items("none", "large", "a"), pattern, tmp_path / "pictures")
    assert images(gathered.items) == [None, None, "pictures/a.jpg"]
    assert told(gathered) == [
        ("empty picture", str(photos / "none.jpg")),
        ("picture over 20,000,000 bytes", str(photos / "large.jpg")),
    ]


def test_a_shops_folder_may_have_braces_in_its_name(tmp_path):
    folder = tmp_path / "shop {2}"
    (folder / "photos" / "x").mkdir(parents=True)
    (folder / "photos" / "x" / "a.jpg").write_bytes(b"a")
    (folder / "items.csv").write_text("item_id,title\na,Apple\n")
    for pattern in ("photos/x/{item_id}.jpg", "photos/*/{item_id}.jpg"):
        (folder / "shop.yaml").write_text(
            f"settings: {{name: x}}\npicture_files: '{pattern}'\nitems: {{files: items.csv}}\n"
        )
        ingest(Mapping.open(folder / "shop.yaml"), tmp_path / "out")
        assert images(Dataset.open(tmp_path / "out").items) == ["pictures/a.jpg"]


@pytest.mark.parametrize(
    "pattern",
    [
        "photos/a.jpg",
        "photos/{sku}.jpg",
        "photos/{item_id",
        "photos/{item_id.x}.jpg",
        "photos/*{item_id}.jpg",
        "photos/*/{item_id}/front.jpg",
    ],
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
