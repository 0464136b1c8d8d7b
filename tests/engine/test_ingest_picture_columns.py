"""Pictures unpacked from a column of Parquet files."""

import polars as pl
import pytest

from engine.dataset import Dataset
from engine.errors import DataError, MappingError
from engine.ingest import Mapping, ingest
from engine.ingest.mapping import PictureColumn
from engine.ingest.picture_columns import picture_suffix, unpack_pictures
from engine.ingest.pictures import PICTURE_BYTES

JPEG, PNG = b"\xff\xd8\xff\xe0 jpeg", b"\x89PNG\r\n\x1a\n png"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "
STRUCT = pl.Struct({"bytes": pl.Binary, "path": pl.String})


def items(*ids, **columns):
    return pl.DataFrame({"item_id": list(ids), "title": ["x"] * len(ids), **columns})


@pytest.fixture
def unpack(tmp_path):
    """Unpack the pictures of a frame with the columns id and image, for some items."""

    def run(frame, table):
        path = tmp_path / "shop.parquet"
        frame.write_parquet(path)
        source = PictureColumn(files=str(path), item_id="id", column="image")
        return unpack_pictures(table, source, tmp_path / "pictures")

    return run


def told(gathered):
    return list(gathered.rejects.select("line", "reason", "value").iter_rows())


def test_bytes_and_structs_give_the_same_pictures(unpack, tmp_path):
    ids, contents = ["a", "b", "c", "d"], [JPEG, PNG, WEBP, None]
    bare = pl.DataFrame({"id": ids, "image": contents})
    named = bare.with_columns(
        image=pl.struct(bytes="image", path=pl.lit(None, dtype=pl.String)).cast(STRUCT)
    )
    for frame in (bare, named):
        gathered = unpack(frame, items(*ids))
        assert gathered.items["image"].to_list() == [
            "pictures/a.jpg", "pictures/b.png", "pictures/c.webp", None
        ]  # fmt: skip
        assert gathered.n_found == 3
        assert told(gathered) == []
        written = [(tmp_path / image).read_bytes() for image in gathered.items["image"][:3]]
        assert written == [JPEG, PNG, WEBP]


def test_numbers_are_ids_as_the_items_have_them(unpack):
    gathered = unpack(pl.DataFrame({"id": [15970], "image": [JPEG]}), items("15970"))
    assert gathered.items["image"].to_list() == ["pictures/15970.jpg"]


def test_what_is_no_picture_is_told_with_its_row_and_its_name(unpack):
    cells = [
        {"bytes": b"GIF89a", "path": "a.gif"},
        {"bytes": None, "path": "b.jpg"},
        {"bytes": b"", "path": None},
        {"bytes": JPEG + bytes(PICTURE_BYTES), "path": None},
        None,
        {"bytes": None, "path": None},
        {"bytes": b"GIF89a", "path": "of nobody.gif"},
    ]
    frame = pl.DataFrame({"id": list("abcdefz"), "image": pl.Series(cells, dtype=STRUCT)})
    gathered = unpack(frame, items("a", "b", "c", "d", "e", "f"))
    assert gathered.items["image"].null_count() == 6
    assert told(gathered) == [
        (1, "neither JPEG nor PNG nor WebP", "a.gif"),
        (2, "picture named and not in the file", "b.jpg"),
        (3, "empty picture", "c"),
        (4, "picture over 20,000,000 bytes", "d"),
    ]
    assert gathered.n_found == 4


def test_rows_are_counted_over_many_batches(unpack):
    ids = [str(n) for n in range(150)]
    contents = [b"no" if n in (0, 63, 64, 149) else JPEG for n in range(150)]
    gathered = unpack(pl.DataFrame({"id": ids, "image": contents}), items(*ids))
    assert [line for line, *_ in told(gathered)] == [1, 64, 65, 150]
    assert gathered.items["image"].drop_nulls().len() == 146


def test_given_images_stay_and_the_first_picture_of_an_item_counts(unpack, tmp_path):
    frame = pl.DataFrame({"id": ["a", "b", "b"], "image": [JPEG, JPEG + b"1", JPEG + b"2"]})
    gathered = unpack(frame, items("a", "b", image=["http://x/1.jpg", None]))
    assert gathered.items["image"].to_list() == ["http://x/1.jpg", "pictures/b.jpg"]
    assert (tmp_path / "pictures" / "b.jpg").read_bytes() == JPEG + b"1"


def test_an_id_is_no_path_and_may_be_too_long(unpack, tmp_path):
    long = "é" * 100
    frame = pl.DataFrame({"id": ["../a/b", long], "image": [JPEG, JPEG]})
    gathered = unpack(frame, items("../a/b", long))
    assert gathered.items["image"].to_list() == ["pictures/..%2Fa%2Fb.jpg", None]
    assert (tmp_path / "pictures" / "..%2Fa%2Fb.jpg").is_file()
    assert told(gathered) == [(2, "item_id too long for the name of a picture", long)]


def test_a_link_to_somebodys_picture_is_not_written_through(unpack, tmp_path):
    theirs = tmp_path / "theirs.jpg"
    theirs.write_bytes(b"theirs")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").hardlink_to(theirs)
    unpack(pl.DataFrame({"id": ["a"], "image": [JPEG]}), items("a"))
    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (JPEG, ".jpg"),
        (PNG, ".png"),
        (WEBP, ".webp"),
        (b"RIFF\x10\x00\x00\x00WAVE", None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(content, suffix):
    assert picture_suffix(content) == suffix


def test_a_column_of_something_else_is_told(unpack):
    names = pl.DataFrame({"id": ["a"], "image": ["a.jpg"]})
    with pytest.raises(MappingError, match=r"'image' holds String, expected .* picture_files"):
        unpack(names, items("a"))
    with pytest.raises(MappingError, match=r"no column 'image' .* the file has id, photo"):
        unpack(names.rename({"image": "photo"}), items("a"))


def test_a_file_that_is_cut_off_is_told(tmp_path):
    path = tmp_path / "shop.parquet"
    pl.DataFrame({"id": ["a"], "image": [JPEG * 999]}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    source = PictureColumn(files=str(path), item_id="id", column="image")
    with pytest.raises(DataError, match=r"shop\.parquet breaks off"):
        unpack_pictures(items("a"), source, tmp_path / "pictures")


def test_a_mapping_names_the_column(tmp_path):
    (tmp_path / "data").mkdir()
    for at, (item_id, content) in enumerate([("a", JPEG), ("b", b"?")]):
        frame = pl.DataFrame({"id": [item_id], "name": ["X"], "image": [content]})
        frame.write_parquet(tmp_path / "data" / f"train-{at}.parquet")
    (tmp_path / "shop.yaml").write_text(
        "settings: {name: shop}\n"
        "items: {files: data/*.parquet, columns: {item_id: id, title: name}}\n"
        "picture_column: {files: data/*.parquet, item_id: id, column: image}\n"
    )
    report = ingest(Mapping.open(tmp_path / "shop.yaml"), tmp_path / "out")
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.items["image"].to_list() == ["pictures/a.jpg", None]
    assert dataset.settings.pictures == "pictures"
    [reason] = report.table("pictures").reasons
    assert (reason.reason, reason.line) == ("neither JPEG nor PNG nor WebP", 1)
    assert reason.file.endswith("train-1.parquet")
    rejects = pl.read_parquet(tmp_path / "out" / "rejects.parquet")
    assert rejects["table"].to_list() == ["pictures"]


def test_a_mapping_gives_pictures_in_one_way(tmp_path):
    (tmp_path / "shop.yaml").write_text(
        "settings: {name: shop}\n"
        "items: {files: i.parquet}\n"
        "picture_files: photos/{item_id}.jpg\n"
        "picture_column: {files: i.parquet, item_id: id, column: image}\n"
    )
    with pytest.raises(MappingError, match="exclude each other"):
        Mapping.open(tmp_path / "shop.yaml")
