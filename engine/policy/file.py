"""The policy file: read with its lines, written whole or not at all, read again when it changes."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from engine.errors import DataError, RunError
from engine.ingest.yaml_file import describe_problem, read_yaml
from engine.policy_rules import Policy

LOOK_EVERY_S = 1.0
SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"
LOG = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)
Stamp = tuple[int, int, int]


def read_model(path: Path, model: type[Model]) -> Model:
    """What a YAML file says, as a model.

    Raises:
        DataError: The file cannot be read, or a key or value cannot be used: names the file, the
            line, what was got, and for a wrong key the nearest right one.
    """
    document = read_yaml(path)
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        raise DataError(describe_problem(document, error, model)) from error


def read_policy(path: Path) -> Policy:
    """A policy file.

    Raises:
        DataError: As :func:`read_model`.
    """
    return read_model(path, Policy)


def write_policy(policy: Policy, path: Path) -> None:
    """Put a policy in a file's place at once; only what differs from the defaults is written.

    Raises:
        RunError: The file cannot be written.
    """
    rules = policy.model_dump(mode="json", exclude_defaults=True, exclude={"wish_weight"})
    named = {"name": policy.name, **rules}
    text = yaml.safe_dump(named, sort_keys=False, allow_unicode=True)
    if yaml.safe_load(text) != named:  # odd line breaks only survive when they are escaped
        text = yaml.safe_dump(named, sort_keys=False)
    draft = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}") from error


def policy_schema() -> str:
    """JSON schema of a policy file, for editors that check as one types."""
    schema = {"$schema": SCHEMA_ID, **Policy.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


class WatchedFile(Generic[Model]):
    """A file that may appear, change and vanish while a server runs. Safe for threads.

    A change is met within a second. One that cannot be used is logged, and the last good one
    stays in force: a slip of the keyboard must not stop a shop.
    """

    def __init__(
        self, path: Path, read: Callable[[Path], Model], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the file, if it is there.

        Raises:
            DataError: It cannot be used: told at the start, when somebody is looking.
        """
        self.path = path
        self.problem: str | None = None
        """What is wrong with the file as it is now, if anything."""
        self._read, self._clock = read, clock
        self._lock = threading.Lock()
        self._stamp = _stamp(path)
        self._looked_at_s = clock()
        self._current = read(path) if self._stamp else None

    def current(self) -> Model | None:
        """What the file last said; None where there is none."""
        now = self._clock()
        if now - self._looked_at_s >= LOOK_EVERY_S and self._lock.acquire(blocking=False):
            try:
                self._looked_at_s = now
                self._look()
            finally:
                self._lock.release()
        return self._current

    def look_again(self) -> None:
        """Look now, as one who has just written the file wants."""
        with self._lock:
            self._looked_at_s = self._clock()
            self._look()

    def _look(self) -> None:
        stamp = _stamp(self.path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._current = self._read(self.path) if stamp else None
            self.problem = None
        except DataError as error:
            self.problem = str(error)
            LOG.error("the last good version stays in force: %s", error)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
