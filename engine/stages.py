"""Stages of a training, cached by the hash of what they read.

A second training after a small change redoes only what changed; a killed one resumes after the
last stage that it finished.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from engine.artifacts import whole_folder

STAGE_VERSION = 4
"""Part of every key: raised when a stage's code changes what it writes."""


class Reporter(Protocol):
    """Told how far a long job is."""

    def begin(self, stage: str, *, cached: bool) -> None:
        """A stage begins, or is taken from the cache."""

    def advance(self, done: int, total: int) -> None:
        """The running stage has done so much of its work."""

    def note(self, text: str) -> None:
        """Something worth reading about the running stage."""


class Silent:
    """A reporter for callers that do not watch."""

    def begin(self, stage: str, *, cached: bool) -> None:
        """Pass over it."""

    def advance(self, done: int, total: int) -> None:
        """Pass over it."""

    def note(self, text: str) -> None:
        """Pass over it."""


class StageCache:
    """Finished stages, one folder each, named by stage and key."""

    def __init__(self, folder: Path, reporter: Reporter) -> None:
        """Use a folder for the stages; it is made when the first one finishes."""
        self.folder = folder
        self.reporter = reporter
        self.seconds: dict[str, float] = {}
        """Of every stage asked for, when it was made: a cached one tells what it took then."""

    def run(self, stage: str, reads: Mapping[str, str], make: Callable[[Path], None]) -> Path:
        """The folder of a finished stage, made now unless it is there.

        Args:
            stage: Its name.
            reads: Hash or value of everything that decides what it writes.
            make: Writes the stage's files into the folder that it is given.
        """
        target = self.folder / f"{stage}-{key_of(stage, reads)}"
        cached = target.is_dir()
        self.reporter.begin(stage, cached=cached)
        started = time.perf_counter()
        clock = target.with_name(f"{target.name}.seconds")
        if not cached:
            with whole_folder(target) as fresh:
                make(fresh)
            clock.write_text(f"{time.perf_counter() - started:.1f}", encoding="utf-8")
        self.seconds[stage] = float(clock.read_text(encoding="utf-8")) if clock.is_file() else 0.0
        return target

    def forget(self, stage: Path) -> None:
        """Remove a stage whose output only a finished later stage needed."""
        shutil.rmtree(stage, ignore_errors=True)
        stage.with_name(f"{stage.name}.seconds").unlink(missing_ok=True)


def key_of(stage: str, reads: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits over a stage's name and everything that it reads."""
    text = json.dumps([STAGE_VERSION, stage, dict(reads)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
