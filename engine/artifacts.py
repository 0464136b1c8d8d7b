"""What training leaves behind: files that are written whole or not at all, and checked on open.

Arrays are safetensors, tables are Parquet, the rest is JSON; nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from engine.errors import ManifestError

FORMAT = 1
MANIFEST_FILE = "manifest.json"
STATE_FOLDER = "state"
"""Holds what changes while a run serves (the event store): not in the manifest."""
LIBRARIES = ("vitrine-rec", "numpy", "torch", "torch-geometric", "faiss-cpu", "open_clip_torch")

Record = TypeVar("Record")


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays into one safetensors file."""
    save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, path)


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of one file.

    Raises:
        ManifestError: It is missing or damaged.
    """
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise ManifestError(f"{path}: cannot be read ({error}); train again") from error


def save_record(path: Path, record: Any) -> None:  # noqa: ANN401 - any frozen dataclass of arrays
    """Write a dataclass whose fields are all arrays."""
    save_arrays(path, {f.name: getattr(record, f.name) for f in fields(record)})


def load_record(path: Path, cls: type[Record]) -> Record:
    """Read what :func:`save_record` wrote."""
    return cls(**load_arrays(path))


def write_json(path: Path, value: object) -> None:
    """Write JSON that people can read and diff."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON
    """Read JSON.

    Raises:
        ManifestError: It is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: cannot be read ({error}); train again") from error


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder that appears under its name only when everything in it is written.

    What stood there before stays until then; its ``state`` moves along.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.part")
    old = target.with_name(f".{target.name}.old")
    _undo_switch(target, fresh, old)
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    fresh.mkdir()
    try:
        yield fresh
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    if target.exists():
        target.rename(old)
        _move_state(old, fresh)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _undo_switch(target: Path, fresh: Path, old: Path) -> None:
    """Put back what a process that died in the middle of a switch had moved away.

    The state holds events that were promised to be durable: it must survive that too.
    """
    if old.exists() and not target.exists():
        _move_state(fresh, old)
        old.rename(target)


def _move_state(source: Path, target: Path) -> None:
    if (source / STATE_FOLDER).is_dir() and not (target / STATE_FOLDER).exists():
        (source / STATE_FOLDER).rename(target / STATE_FOLDER)


def place(source: Path, target: Path) -> None:
    """Put a finished file or folder of a stage into a run: a hard link, or a copy elsewhere."""
    if source.is_dir():
        for file in sorted(p for p in source.rglob("*") if p.is_file()):
            place(file, target / file.relative_to(source))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a run comes from that continues another."""

    parent: str
    """The run id of the run that was updated."""
    training_seconds: float | None
    """Wall clock of the full training at the root; None where its stages were cached."""
    from_store: bool = False
    """Whether the run learned from an event store: its events before ``as_of`` count once."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Files that were compared with their manifest, and how they lay on the disk then.

    Hashing a run takes a good part of the time in which it opens; a process that opens one again
    need not, while size and time of change of its files are what they were.
    """

    files: Mapping[Path, tuple[str, int, int]]
    """File to hash, bytes, and time of change in nanoseconds."""

    def covers(self, path: Path, expected: str) -> bool:
        """Whether a file was found as expected, and nobody wrote to it since."""
        return self.files.get(path) == (expected, *_stamp(path))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a run is, and the hash of every file that makes it so."""

    run_id: str
    dataset_hash: str
    dataset_name: str
    as_of_unix_s: int
    settings: Mapping[str, Any]
    metrics: Mapping[str, Any]
    seconds: Mapping[str, float]
    """Wall clock of each stage that ran; 0 where the stage was cached."""
    versions: Mapping[str, str]
    created_at: str
    files: Mapping[str, str]
    format: int = FORMAT
    lineage: Lineage | None = None
    """None for a run of a full training."""

    @classmethod
    def seal(cls, folder: Path, **what: Any) -> Manifest:  # noqa: ANN401 - fields of the manifest
        """Hash every file of a folder and write the manifest beside them."""
        paths = sorted(p for p in folder.rglob("*") if p.is_file())
        files = {str(p.relative_to(folder)): file_hash(p) for p in paths}
        draft = cls(
            run_id="",
            versions=_versions(),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            files=files,
            **what,
        )
        digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
        manifest = replace(draft, run_id=digest[:12])
        write_json(folder / MANIFEST_FILE, asdict(manifest))
        return manifest

    @classmethod
    def check(cls, folder: Path) -> Checked:
        """:meth:`verify` a run, for :meth:`verify` in another process to pass over.

        Raises:
            ManifestError: As there.
        """
        stamps = {}
        for name, expected in cls._read(folder).files.items():
            path = folder / name
            stamp = _stamp(path)  # before the hash, lest a change slips in between
            _check_file(path, expected)
            stamps[path] = (expected, *stamp)
        return Checked(stamps)

    @classmethod
    def verify(cls, folder: Path, checked: Checked | None = None) -> Manifest:
        """Read a run's manifest and check every file against it.

        Args:
            folder: The run.
            checked: Files that need not be read again.

        Raises:
            ManifestError: A file is missing or altered, or the format is another.
        """
        manifest = cls._read(folder)
        for name, expected in manifest.files.items():
            if checked is None or not checked.covers(folder / name, expected):
                _check_file(folder / name, expected)
        return manifest

    @classmethod
    def _read(cls, folder: Path) -> Manifest:
        if not (folder / MANIFEST_FILE).is_file():
            raise ManifestError(
                f"{folder} is not a run: it has no {MANIFEST_FILE}; make one with vitrine train"
            )
        found = read_json(folder / MANIFEST_FILE)
        form = found.get("format") if isinstance(found, dict) else None
        if form != FORMAT:
            raise ManifestError(
                f"{folder}: run format {form}, this version reads {FORMAT}; "
                "train again, or install the version that made it"
            )
        try:
            if found.get("lineage"):
                found["lineage"] = Lineage(**found["lineage"])
            return cls(**found)
        except TypeError as error:
            raise ManifestError(f"{folder / MANIFEST_FILE}: {error}; train again") from error


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file() or file_hash(path) != expected:
        state = "altered" if path.is_file() else "missing"
        raise ManifestError(f"{path}: {state} since training; train again or restore it")


def _stamp(path: Path) -> tuple[int, int]:
    """Bytes of a file, and when it was changed, in nanoseconds; zeros where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found
