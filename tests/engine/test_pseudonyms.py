"""User ids out of reach, from the files on."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataset import REJECTS_FILE, Dataset
from engine.errors import DataError
from engine.ingest import Mapping, ingest
from engine.pseudonyms import Pseudonyms

KEY = b"0123456789abcdef"
NAMES = Pseudonyms(KEY)


@given(st.text(min_size=1))
def test_a_pseudonym_is_the_keyed_hash_and_its_own_pseudonym(user_id):
    pseudonym = NAMES.of(user_id)
    digest = blake2b(user_id.encode("utf-8"), key=KEY, digest_size=16).hexdigest()
    assert pseudonym == f"p-{digest}"
    assert NAMES.of(pseudonym) == pseudonym


def test_another_key_gives_other_pseudonyms():
    assert NAMES.of("ann") != Pseudonyms(b"another key of sixteen").of("ann")


@pytest.mark.parametrize("key", [b"", b"x" * 15, b"x" * 65])
def test_a_key_of_another_length_is_refused(key):
    with pytest.raises(DataError, match="expected 16 to 64"):
        Pseudonyms(key)


def test_a_key_file_is_read_without_its_line_end(tmp_path: Path):
    (tmp_path / "key").write_bytes(KEY + b"\n")
    assert Pseudonyms.open(tmp_path / "key").of("ann") == NAMES.of("ann")
    with pytest.raises(DataError, match="cannot be read"):
        Pseudonyms.open(tmp_path / "none")


def test_ingest_names_nobody_in_any_file_of_the_dataset(tmp_path: Path):
    files = {
        "items": "item_id,title\na,Apple\nb,Bread\n",
        "users": "user_id,city\nann@mail,Rome\nbob@mail,Bern\n",
        "events": (
            "user_id,item_id,kind,timestamp\n"
            "ann@mail,a,view,2024-01-01T10:00:00Z\n"
            "bob@mail,b,view,2024-01-01T11:00:00Z\n"
            ",b,view,2024-01-01T11:00:00Z\n"
            "ann@mail,nothing,view,2024-01-01T10:00:00Z\n"
            "ann@mail,a,stare,2024-01-01T10:00:00Z\n"
        ),
        "triples": (
            "head,relation,tail\nuser:ann@mail,lives_in,city:Rome\na,goes_with,b\n"
            "user:eve@mail,lives_in,city:Rome\n"
        ),
    }
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text)
    mapping = Mapping.from_flags(**{name: tmp_path / f"{name}.csv" for name in files})
    out, now = tmp_path / "out", datetime(2024, 6, 1, tzinfo=UTC)

    plain = ingest(mapping, tmp_path / "plain", now=now)
    report = ingest(mapping, out, now=now, pseudonyms=NAMES)

    for named, unnamed in zip(plain.tables, report.tables, strict=True):
        assert (unnamed.read, unnamed.kept) == (named.read, named.kept)
        assert [r.reason for r in unnamed.reasons] == [r.reason for r in named.reasons]
    dataset = Dataset.open(out)
    assert dataset.events["user_id"].to_list() == [NAMES.of("ann@mail"), NAMES.of("bob@mail")]
    assert set(dataset.users["user_id"]) == {NAMES.of("ann@mail"), NAMES.of("bob@mail")}
    assert dataset.triples["head"].to_list() == [f"user:{NAMES.of('ann@mail')}", "a"]
    for table in out.glob("*.parquet"):
        assert "@mail" not in str(pl.read_parquet(table).rows()), table.name
    rejects = pl.read_parquet(out / REJECTS_FILE)
    assert rejects.filter(pl.col("table") == "events")["value"].to_list() == [None] * 3
