"""Which of a shop's runs is served: published, and rolled back.

A *family* is a folder that holds runs, a link ``current`` to the one that is served, and
``published.jsonl``, which says what was done and when. A server that serves a family follows the
link; the runs themselves are never touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from engine.artifacts import MANIFEST_FILE, Manifest, read_json
from engine.errors import RunError

CURRENT = "current"
LOG_FILE = "published.jsonl"
LOCK_FILE = ".published.lock"
STATE_FOLDER = "state"


@dataclass(frozen=True, slots=True)
class Published:
    """A change of the run that is served."""

    action: Literal["publish", "rollback"]
    run: str
    """Name of its folder in the family."""
    run_id: str
    at_unix_s: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A run of a family."""

    name: str
    run_id: str
    as_of_unix_s: int
    created_at: str
    """ISO 8601."""
    current: bool


def publish(run: Path) -> Published:
    """Make a run the one that its family serves; every file of it is checked first.

    Args:
        run: A run folder; its parent is the family.

    Raises:
        ManifestError: A file of the run is missing or altered.
        RunError: The run is the link itself.
    """
    if run.name == CURRENT or run.is_symlink():
        raise RunError(f"got {str(run)!r}, a link: name the run that it is to point to")
    run = run.resolve()
    manifest = Manifest.verify(run)
    with _locked(run.parent):
        return _point(run.parent, Published("publish", run.name, manifest.run_id, _now()))


def rollback(family: Path) -> Published:
    """Serve again what was served before the last publication.

    Raises:
        RunError: Nothing was published before.
        ManifestError: A file of the run before is missing or altered.
    """
    with _locked(family):
        served = _served(family)
        if len(served) < 2:
            raise RunError(f"{family}: nothing was published before the present run")
        before = served[-2]
        manifest = Manifest.verify(family / before)
        return _point(family, Published("rollback", before, manifest.run_id, _now()))


def family_of(path: Path) -> Path | None:
    """The family that a path names: its folder, or its link ``current``; None for a plain run."""
    family = path.parent if path.name == CURRENT else path
    return family if (family / CURRENT).is_symlink() else None


def current_run(family: Path) -> Path:
    """The run that a family serves.

    Raises:
        RunError: Nothing is published, or it is gone.
    """
    link = family / CURRENT
    run = link.resolve()
    if not link.is_symlink() or not run.is_dir():
        raise RunError(f"{family}: no run is published; publish one with `vitrine publish RUN`")
    return run


def served_run(path: Path) -> Path:
    """The run that a path serves: itself, or what its family has published; resolved.

    Raises:
        RunError: As :func:`current_run`.
    """
    family = family_of(path)
    return (path if family is None else current_run(family)).resolve()


def runs_of(family: Path) -> tuple[Listed, ...]:
    """The runs of a family, the newest first."""
    link = family / CURRENT
    current = link.resolve().name if link.is_symlink() else None
    found = [
        _listed(folder, current=folder.name == current)
        for folder in family.iterdir()
        if not folder.is_symlink() and (folder / MANIFEST_FILE).is_file()
    ]
    return tuple(sorted(found, key=lambda run: (run.as_of_unix_s, run.created_at), reverse=True))


def history_of_family(family: Path) -> tuple[Published, ...]:
    """What was done, the oldest first.

    Raises:
        RunError: A line of the record cannot be read.
    """
    path = family / LOG_FILE
    if not path.is_file():
        return ()
    try:
        lines = path.read_text("utf-8").splitlines()
        return tuple(Published(**json.loads(line)) for line in lines)
    except (TypeError, ValueError) as error:
        raise RunError(f"{path}: not a record of publications ({error})") from error


def store_url_of(path: Path) -> str:
    """URL of the SQLite store of a run or a family, whose runs share one; the folder is made."""
    state = (family_of(path) or path).resolve() / STATE_FOLDER
    state.mkdir(exist_ok=True)
    return f"sqlite:///{state / 'events.sqlite'}"


def _served(family: Path) -> list[str]:
    """Names of the runs that would be served if each publication were taken back in turn."""
    names: list[str] = []
    for done in history_of_family(family):
        if done.action == "rollback":
            names.pop()
        elif not names or names[-1] != done.run:
            names.append(done.run)
    return names


def _point(family: Path, done: Published) -> Published:
    """Record first: a link without its record could not be taken back."""
    with (family / LOG_FILE).open("a", encoding="utf-8") as log:
        log.write(json.dumps(asdict(done)) + "\n")
        log.flush()
        os.fsync(log.fileno())
    draft = family / f".{CURRENT}-{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(done.run, target_is_directory=True)
    draft.replace(family / CURRENT)
    return done


@contextmanager
def _locked(family: Path) -> Iterator[None]:
    """One change at a time, whichever process makes it."""
    with (family / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _listed(folder: Path, *, current: bool) -> Listed:
    found = read_json(folder / MANIFEST_FILE)
    fields = found if isinstance(found, dict) else {}
    return Listed(
        folder.name,
        str(fields.get("run_id", "")),
        int(fields.get("as_of_unix_s", 0)),
        str(fields.get("created_at", "")),
        current,
    )


def _now() -> int:
    return int(time.time())
