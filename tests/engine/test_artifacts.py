import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from engine import artifacts
from engine.artifacts import (
    Manifest,
    load_arrays,
    load_record,
    place,
    save_arrays,
    save_record,
    whole_folder,
)
from engine.errors import ManifestError


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def write_half(target: Path, error: type[BaseException]) -> None:
    with whole_folder(target) as fresh:
        (fresh / "half").write_text("half")
        raise error


def seal(folder: Path) -> Manifest:
    return Manifest.seal(
        folder,
        dataset_hash="d",
        dataset_name="shop",
        as_of_unix_s=1,
        settings={},
        metrics={},
        seconds={},
    )


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / "run" / "part").mkdir(parents=True)
    (tmp_path / "run" / "one.bin").write_bytes(bytes(range(50)))
    (tmp_path / "run" / "part" / "two.bin").write_bytes(b"two")
    seal(tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_inside_leaves_nothing_but_what_was_there(tmp_path, error):
    target = tmp_path / "run"
    with pytest.raises(error):
        write_half(target, error)
    assert names(tmp_path) == []
    with whole_folder(target) as fresh:
        (fresh / "whole").write_text("1")
    with pytest.raises(error):
        write_half(target, error)
    assert names(tmp_path) == ["run"]
    assert (target / "whole").read_text() == "1"


def test_the_name_stands_for_the_old_folder_until_the_new_one_is_complete(tmp_path):
    target = tmp_path / "run"
    with whole_folder(target) as fresh:
        (fresh / "a").write_text("old")
    with whole_folder(target) as fresh:
        (fresh / "a").write_text("new")
        assert (target / "a").read_text() == "old"
    assert (target / "a").read_text() == "new"
    assert names(tmp_path) == ["run"]


def test_the_state_moves_along_with_a_new_run(tmp_path):
    target = tmp_path / "run"
    (target / "state").mkdir(parents=True)
    (target / "state" / "events").write_text("promised")
    with whole_folder(target) as fresh:
        (fresh / "a").write_text("new")
    assert (target / "state" / "events").read_text() == "promised"
    assert names(target) == ["a", "state"]


@pytest.mark.parametrize("moved", [False, True], ids=["state not yet moved", "state moved"])
def test_the_state_survives_a_death_in_the_middle_of_the_switch(tmp_path, moved):
    # What a kill between the steps of a switch leaves: the name is free, both folders are not.
    old, fresh = tmp_path / ".run.old", tmp_path / ".run.part"
    old.mkdir()
    fresh.mkdir()
    (old / "a").write_text("old")
    (fresh / "a").write_text("new")
    holder = fresh if moved else old
    (holder / "state").mkdir()
    (holder / "state" / "events").write_text("promised")
    target = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        write_half(target, KeyboardInterrupt)
    assert (target / "a").read_text() == "old"
    assert (target / "state" / "events").read_text() == "promised"
    with whole_folder(target) as part:
        (part / "a").write_text("newer")
    assert (target / "state" / "events").read_text() == "promised"
    assert (target / "a").read_text() == "newer"
    assert names(tmp_path) == ["run"]


def test_a_sealed_folder_verifies(sealed):
    found = Manifest.verify(sealed)
    assert sorted(found.files) == ["one.bin", "part/two.bin"]
    assert found.dataset_name == "shop"


def test_the_run_id_follows_from_the_files_alone(sealed, tmp_path):
    first = Manifest.verify(sealed).run_id
    (sealed / "manifest.json").unlink()
    assert seal(sealed).run_id == first
    (sealed / "manifest.json").unlink()
    (sealed / "one.bin").write_bytes(b"other")
    assert seal(sealed).run_id != first


@pytest.mark.parametrize("name", ["one.bin", "part/two.bin"])
def test_one_flipped_bit_is_found_and_named(sealed, name):
    data = bytearray((sealed / name).read_bytes())
    data[-1] ^= 1
    (sealed / name).write_bytes(data)
    with pytest.raises(ManifestError, match=f"{name}: altered"):
        Manifest.verify(sealed)


def test_checked_files_are_not_hashed_again_unless_somebody_wrote_to_them(sealed, monkeypatch):
    checked = Manifest.check(sealed)
    hashed = []
    monkeypatch.setattr(artifacts, "file_hash", lambda path: hashed.append(path.name) or "another")
    assert Manifest.verify(sealed, checked).files
    assert hashed == []
    one = sealed / "one.bin"
    os.utime(one, ns=(0, one.stat().st_mtime_ns + 1))
    with pytest.raises(ManifestError, match=r"one\.bin: altered"):
        Manifest.verify(sealed, checked)
    assert hashed == ["one.bin"]
    one.unlink()
    with pytest.raises(ManifestError, match=r"one\.bin: missing"):
        Manifest.verify(sealed, checked)


@pytest.mark.parametrize("check", [Manifest.check, Manifest.verify])
def test_a_missing_file_is_found_and_named(sealed, check):
    (sealed / "part" / "two.bin").unlink()
    with pytest.raises(ManifestError, match=r"two\.bin: missing"):
        check(sealed)


def test_another_format_is_refused_with_a_way_out(sealed):
    path = sealed / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(ManifestError, match="format 99, this version reads 1; train again"):
        Manifest.verify(sealed)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"format": 1}', '{"format": 1, "strange": 2}']
)
def test_a_broken_manifest_is_a_manifest_error(sealed, text):
    (sealed / "manifest.json").write_text(text)
    with pytest.raises(ManifestError, match="train again"):
        Manifest.verify(sealed)


def test_a_folder_without_a_manifest_is_no_run(tmp_path):
    with pytest.raises(ManifestError, match="is not a run"):
        Manifest.verify(tmp_path)


def test_arrays_come_back_with_their_dtypes_even_if_they_were_views(tmp_path):
    arrays = {
        "turned": np.arange(6, dtype=np.int64).reshape(2, 3).T,
        "flags": np.array([True, False]),
        "half": np.array([0.5, np.nan], dtype=np.float16),
        "none": np.zeros((0, 4), dtype=np.float32),
        "one": np.asarray(7, dtype=np.int64),
    }
    save_arrays(tmp_path / "a.safetensors", arrays)
    found = load_arrays(tmp_path / "a.safetensors")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name].reshape(array.shape), array)
        assert found[name].dtype == array.dtype


def test_a_record_comes_back_as_itself(tmp_path):
    @dataclass(frozen=True, slots=True)
    class Pair:
        left: np.ndarray
        right: np.ndarray

    save_record(tmp_path / "p.safetensors", Pair(np.arange(3), np.ones(2, np.float32)))
    found = load_record(tmp_path / "p.safetensors", Pair)
    assert found.left.tolist() == [0, 1, 2]
    assert found.right.tolist() == [1, 1]


@pytest.mark.parametrize("content", [None, b"", b"no tensors here"])
def test_a_file_that_cannot_be_read_is_a_manifest_error(tmp_path, content):
    path = tmp_path / "a.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ManifestError, match="cannot be read"):
        load_arrays(path)


def test_a_stage_is_linked_into_a_run_not_copied(tmp_path):
    (tmp_path / "stage" / "deep").mkdir(parents=True)
    (tmp_path / "stage" / "deep" / "x").write_text("x")
    place(tmp_path / "stage", tmp_path / "run" / "graph")
    linked = tmp_path / "run" / "graph" / "deep" / "x"
    assert os.path.samefile(linked, tmp_path / "stage" / "deep" / "x")


def test_a_file_that_cannot_be_linked_is_copied(tmp_path, monkeypatch):
    def another_device(*_: object) -> None:
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr(os, "link", another_device)
    (tmp_path / "x").write_text("x")
    place(tmp_path / "x", tmp_path / "run" / "x")
    assert (tmp_path / "run" / "x").read_text() == "x"
    assert not os.path.samefile(tmp_path / "x", tmp_path / "run" / "x")
