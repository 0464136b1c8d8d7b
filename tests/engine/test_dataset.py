from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataset import (
    SCHEMAS,
    Dataset,
    DatasetSettings,
    conform,
    item_records,
    write_dataset,
)
from engine.errors import DataError, UnknownIdError
from engine.types import EventKind, Item
from engine.vocabulary import UNKNOWN_PLACE_ROW, Ids, Vocabulary, load_interactions

SETTINGS = DatasetSettings(name="corner shop", time_zone="Europe/London", country="GB")
START = datetime(2020, 1, 1, tzinfo=UTC)


def items(*ids):
    return pl.DataFrame({"item_id": ids, "title": [f"Title of {id_}" for id_ in ids]})


def events(*rows, **extra):
    """Rows of (user, item, minutes after the start)."""
    return pl.DataFrame(
        {
            "user_id": [row[0] for row in rows],
            "item_id": [row[1] for row in rows],
            "kind": ["purchase"] * len(rows),
            "timestamp": [START + timedelta(minutes=row[2]) for row in rows],
            **extra,
        }
    )


def test_a_dataset_comes_back_as_it_was_written(tmp_path):
    shop = pl.DataFrame(
        {
            "item_id": ["a"],
            "title": ["Apple"],
            "categories": [["Food", "Fruit"]],
            "price": [3],
            "attributes": [[{"key": "colour", "value": "red"}]],
        }
    )
    write_dataset(tmp_path / "shop", SETTINGS, items=shop, events=events(("u", "a", 0)))
    dataset = Dataset.open(tmp_path / "shop")
    assert dataset.settings == SETTINGS
    assert item_records(dataset) == [
        Item(
            item_id="a",
            title="Apple",
            categories=("Food", "Fruit"),
            price=3.0,
            attributes={"colour": "red"},
        )
    ]
    for name, schema in SCHEMAS.items():
        assert getattr(dataset, name).schema == schema
    assert dataset.users.is_empty()


def test_the_hash_follows_tables_and_settings_and_nothing_else(tmp_path):
    def hash_of(name, settings=SETTINGS, **tables):
        given = {"items": items("a", "b"), "events": events(("u", "a", 0))} | tables
        return write_dataset(tmp_path / name, settings, **given).hash

    original = hash_of("one")
    assert hash_of("two") == original
    assert hash_of("three", items=items("a")) != original
    assert hash_of("four", DatasetSettings(name="corner shop")) != original
    reject = pl.DataFrame({"table": "items", "file": "f", "line": 1, "reason": "r", "value": None})
    assert hash_of("five", rejects=reject) == original


def test_a_refused_table_leaves_the_older_dataset_alone(tmp_path):
    before = write_dataset(tmp_path / "d", SETTINGS, items=items("a"), events=events())
    with pytest.raises(DataError, match="title"):
        write_dataset(
            tmp_path / "d", SETTINGS, items=pl.DataFrame({"item_id": ["b"]}), events=events()
        )
    assert Dataset.open(tmp_path / "d").hash == before.hash
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_crash_while_writing_leaves_the_older_dataset_alone(tmp_path, monkeypatch):
    before = write_dataset(tmp_path / "d", SETTINGS, items=items("a"), events=events())
    written = pl.DataFrame.write_parquet

    def breaks_on_rejects(frame, path, *args, **kwargs):
        if path.name == "rejects.parquet":
            raise OSError("disk full")
        return written(frame, path, *args, **kwargs)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", breaks_on_rejects)
    with pytest.raises(OSError, match="disk full"):
        write_dataset(tmp_path / "d", SETTINGS, items=items("b"), events=events())
    assert Dataset.open(tmp_path / "d").hash == before.hash
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_replacing_keeps_the_pictures_and_drops_tables_that_are_gone(tmp_path):
    settings = SETTINGS.model_copy(update={"pictures": "pictures"})
    folder = tmp_path / "d"
    users = pl.DataFrame({"user_id": ["u"]})
    write_dataset(folder, settings, items=items("a"), events=events(), users=users)
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"png")
    dataset = write_dataset(folder, settings, items=items("b"), events=events())
    assert (folder / "pictures" / "a.png").read_bytes() == b"png"
    assert dataset.items["item_id"].to_list() == ["b"]
    assert dataset.users.is_empty()


def test_a_folder_of_other_files_is_not_replaced(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match=r"thesis\.tex"):
        write_dataset(tmp_path, SETTINGS, items=items("a"), events=events())
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"item_id": ["a"]}), "no column 'title'"),
        (pl.DataFrame({"item_id": ["a"], "title": [None]}), "items.title: 1 rows are empty"),
        (items("a").with_columns(colour=pl.lit("red")), "unknown column 'colour'"),
        (items("a").with_columns(price=pl.lit("cheap")), "does not fit its dtype"),
    ],
)
def test_conform_says_what_is_wrong(frame, message):
    with pytest.raises(DataError, match=message):
        conform("items", frame)


def test_conform_fills_what_may_be_absent():
    row = conform("triples", pl.DataFrame({"head": ["a"], "relation": ["r"], "tail": ["b"]}))
    assert row.row(0) == ("a", "r", "b", 1.0)
    offer = pl.DataFrame({"item_id": ["a"], "starts_at": [START], "ends_at": [START]})
    assert conform("offers", offer)["kind"].to_list() == ["discount"]
    assert conform("items", items("a")).select("available", "attributes").row(0) == (True, [])


def test_open_refuses_what_is_no_dataset(tmp_path):
    with pytest.raises(DataError, match=r"no dataset\.json"):
        Dataset.open(tmp_path)
    folder = tmp_path / "d"
    write_dataset(folder, SETTINGS, items=items("a"), events=events())
    (folder / "events.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match=r"events\.parquet is not a readable"):
        Dataset.open(folder)
    items("a").write_parquet(folder / "events.parquet")
    with pytest.raises(DataError, match=r"has title String, expected Schema"):
        Dataset.open(folder)
    (folder / "dataset.json").write_text('{"format": 99, "settings": {}}')
    with pytest.raises(DataError, match="format 99, expected 1"):
        Dataset.open(folder)


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_zone": "Mars/Olympus"},
        {"country": "gb"},
        {"pictures": "../elsewhere"},
        {"pictures": ".."},
        {"colour": "red"},
    ],
)
def test_settings_refuse(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DatasetSettings(name="x", **wrong)


@given(st.lists(st.text(max_size=5), unique=True))
def test_ids_and_rows_are_inverse(listed):
    ids = Ids.of("item", listed)
    assert ids.rows(listed).tolist() == list(range(len(listed)))
    assert [ids.id(row) for row in range(len(ids))] == listed
    assert all(ids.row(id_) == ids.find(id_) for id_ in listed)


def test_ids_name_what_they_do_not_know():
    ids = Ids.of("item", ["a", "b"])
    assert ids.find("c") is None
    with pytest.raises(UnknownIdError, match="unknown item 'c'"):
        ids.row("c")
    with pytest.raises(UnknownIdError, match="unknown item 'c'"):
        ids.rows(["a", "c", "d"])
    with pytest.raises(IndexError):
        ids.id(-1)
    with pytest.raises(DataError, match="'a' comes twice"):
        Ids.of("item", ["a", "b", "a"])


def test_a_vocabulary_comes_back_as_it_was_saved(tmp_path):
    dataset = write_dataset(
        tmp_path / "d",
        SETTINGS,
        items=items("z", "a"),
        events=events(("v", "a", 0), ("u", "z", 1), place=["west", None]),
        users=pl.DataFrame({"user_id": ["w"]}),
    )
    Vocabulary.of(dataset).save(tmp_path / "vocabulary.parquet")
    back = Vocabulary.open(tmp_path / "vocabulary.parquet")
    assert back.items.ids == ("z", "a")
    assert back.users.ids == ("u", "v", "w")
    assert back.places.ids == ("", "west")
    assert back.items.kind == "item"
    with pytest.raises(DataError, match="readable vocabulary"):
        Vocabulary.open(tmp_path / "nothing.parquet")


def test_interactions_are_sorted_by_user_time_and_arrival(tmp_path):
    table = events(
        ("u2", "b", 5),
        ("u1", "b", 9),
        ("u1", "a", 3),
        ("u1", "b", 3),
        place=["west", None, "east", "west"],
        value=[2.0, None, 3.0, 4.0],
    )
    dataset = write_dataset(tmp_path / "d", SETTINGS, items=items("a", "b"), events=table)
    found = load_interactions(dataset, Vocabulary.of(dataset))
    at = int(START.timestamp())
    assert found.user.tolist() == [0, 0, 0, 1]
    assert found.item.tolist() == [0, 1, 1, 1]
    assert found.at_unix_s.tolist() == [at + 180, at + 180, at + 540, at + 300]
    assert found.value.tolist() == [3.0, 4.0, 1.0, 2.0]
    assert found.place.tolist() == [1, 2, UNKNOWN_PLACE_ROW, 2]
    assert found.kind.tolist() == [list(EventKind).index(EventKind.PURCHASE)] * 4
    assert found.user_offsets().tolist() == [0, 3, 4]
    dtypes = {found.user.dtype, found.item.dtype, found.at_unix_s.dtype, found.session.dtype}
    assert dtypes == {np.dtype(np.int64)}
    assert found.value.dtype == np.float32


def test_sessions_are_named_or_end_after_half_an_hour(tmp_path):
    table = events(
        ("u1", "a", 0),
        ("u1", "a", 30),  # exactly the gap: the same visit
        ("u1", "a", 61),  # one minute more: another
        ("u1", "a", 62),  # named: never part of a visit
        ("u1", "a", 63),  # two minutes after the visit's last
        ("u2", "a", 63),  # another user with the same name
        ("u2", "a", 999),  # a name holds however long it takes
        session_id=[None, None, None, "s", None, "s", "s"],
    )
    dataset = write_dataset(tmp_path / "d", SETTINGS, items=items("a"), events=table)
    found = load_interactions(dataset, Vocabulary.of(dataset))
    assert found.session.tolist() == [0, 0, 1, 2, 1, 3, 3]


def test_the_vocabulary_does_not_depend_on_the_order_of_events(tmp_path):
    table = events(("v", "a", 0), ("u", "b", 1), ("w", "a", 2), place=["y", "x", None])
    one = write_dataset(tmp_path / "1", SETTINGS, items=items("a", "b"), events=table)
    two = write_dataset(tmp_path / "2", SETTINGS, items=items("a", "b"), events=table.reverse())
    assert Vocabulary.of(one).users.ids == Vocabulary.of(two).users.ids
    assert Vocabulary.of(one).places.ids == Vocabulary.of(two).places.ids


def test_an_event_of_a_strange_kind_is_named(tmp_path):
    table = events(("u", "a", 0)).with_columns(kind=pl.lit("stared at"))
    dataset = write_dataset(tmp_path / "d", SETTINGS, items=items("a"), events=table)
    with pytest.raises(DataError, match="'stared at'"):
        load_interactions(dataset, Vocabulary.of(dataset))


def test_a_file_in_the_datasets_place_is_kept_and_named(tmp_path):
    (tmp_path / "shop").write_text("mine")
    with pytest.raises(DataError, match="shop is a file, expected a folder"):
        write_dataset(tmp_path / "shop", SETTINGS, items=items("a"), events=events())
    assert (tmp_path / "shop").read_text() == "mine"
