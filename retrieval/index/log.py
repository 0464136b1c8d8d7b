"""Changes beside an index: on disk before they are acknowledged, replayed when it is opened.

A file is a header and records. A record is its length and CRC-32 (little-endian uint32 each),
then the payload: kind and number of rows (uint32 each), the rows (int64), and for an addition the
vectors (float32). What follows the last whole record was never acknowledged and is cut off.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from threading import Condition

import numpy as np

from retrieval.index.base import IndexFormatError, Rows, Vectors
from retrieval.index.files import sync

_MAGIC = b"VTRNLOG1"
_HEADER = struct.Struct("<8sII")
_FRAME = struct.Struct("<II")
_PAYLOAD = struct.Struct("<II")


class ChangeKind(IntEnum):
    """What a change does; the number stands in the file."""

    PUT = 1
    TAKE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One call of ``add``, ``update`` or ``remove``."""

    kind: ChangeKind
    rows: Rows
    """int64 ``[n]``, distinct."""
    vectors: Vectors
    """float32 ``[n, D]``; ``[0, D]`` where rows are taken out."""

    def encode(self) -> bytes:
        """The record, with its length and checksum."""
        payload = b"".join(
            (
                _PAYLOAD.pack(self.kind, len(self.rows)),
                self.rows.astype("<i8", copy=False).tobytes(),
                self.vectors.astype("<f4", copy=False).tobytes(),
            )
        )
        return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


class LogFailedError(OSError):
    """The log could not be written, so that no further change can be acknowledged."""


class ChangeLog:
    """An append-only file that many threads write to and one at a time brings to disk.

    Threads that wait at the same moment share one ``fsync`` (group commit). The file is locked:
    a second writer is refused.
    """

    def __init__(self, path: Path, dim: int) -> None:
        """Use :meth:`open`."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._condition = Condition()
        self._waiting: list[bytes] = []
        self._written = self._synced = 0
        self._flushing = False
        self._failure: OSError | None = None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise LogFailedError(
                f"{path}: another index writes to it; close that one, or open this one to read"
            ) from error

    @classmethod
    def open(cls, path: Path, dim: int) -> tuple[ChangeLog, list[Change]]:
        """Open or begin a log, cut off a torn end, and give the changes in it.

        Raises:
            LogFailedError: Another process writes to it.
            IndexFormatError: It is of another kind or width.
        """
        log = cls(path, dim)
        changes, whole = read_changes(path, dim)
        os.ftruncate(log._file, whole)
        if not whole:
            os.write(log._file, _HEADER.pack(_MAGIC, dim, 0))
        os.fsync(log._file)
        sync(path.parent)
        log._written = log._synced = len(changes)
        return log, changes

    @property
    def records(self) -> int:
        """Changes in the log."""
        return self._written

    def append(self, change: Change) -> int:
        """Queue a change and give the ticket to wait for; the order of calls is kept.

        Raises:
            LogFailedError: An earlier write failed.
        """
        record = change.encode()
        with self._condition:
            self._check()
            self._waiting.append(record)
            self._written += 1
            return self._written

    def wait(self, ticket: int) -> None:
        """Return once the change of a ticket is on disk.

        Raises:
            LogFailedError: It could not be written.
        """
        with self._condition:
            while self._synced < ticket:
                self._check()
                if self._flushing:
                    self._condition.wait()
                else:
                    self._flush()

    def close(self) -> None:
        """Bring everything to disk and let go of the file."""
        self.wait(self._written)
        with self._condition:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def _flush(self) -> None:
        """Write what waits; called with the condition held, which is let go meanwhile."""
        records, upto = b"".join(self._waiting), self._written
        self._waiting.clear()
        self._flushing = True
        self._condition.release()
        failure = None
        try:
            _write_all(self._file, records)
            os.fsync(self._file)
        except OSError as error:
            failure = error
        finally:
            self._condition.acquire()
            self._flushing = False
            self._condition.notify_all()
        self._failure = failure
        if failure is None:
            self._synced = upto

    def _check(self) -> None:
        if self._file < 0:
            raise LogFailedError("the log of changes is closed; open the index again to change it")
        if self._failure is not None:
            raise LogFailedError(
                f"the log of changes could not be written ({self._failure}); make room on the "
                "disk and open the index again"
            ) from self._failure


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def read_changes(path: Path, dim: int) -> tuple[list[Change], int]:
    """Changes of a log and the number of bytes that hold them; none if there is no file.

    Raises:
        IndexFormatError: The file is no log, or of vectors of another width.
    """
    data = path.read_bytes() if path.exists() else b""
    if len(data) < _HEADER.size:  # a crash while it was begun
        return [], 0
    magic, width, _ = _HEADER.unpack_from(data)
    if (magic, width) != (_MAGIC, dim):
        raise IndexFormatError(
            f"{path}: got {magic!r} of width {width}, expected {_MAGIC!r} of width {dim}; "
            "it belongs to another index"
        )
    changes, at = [], _HEADER.size
    while (payload := _payload_at(data, at)) is not None:
        changes.append(_decode(payload, dim))
        at += _FRAME.size + len(payload)
    return changes, at


def _payload_at(data: bytes, at: int) -> bytes | None:
    if at + _FRAME.size > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, at)
    payload = data[at + _FRAME.size : at + _FRAME.size + length]
    if len(payload) < max(length, _PAYLOAD.size) or zlib.crc32(payload) != checksum:
        return None
    return payload


def _decode(payload: bytes, dim: int) -> Change:
    kind, n = _PAYLOAD.unpack_from(payload)
    rows = np.frombuffer(payload, "<i8", n, _PAYLOAD.size).astype(np.int64)
    vectors = np.frombuffer(payload, "<f4", offset=_PAYLOAD.size + 8 * n).astype(np.float32)
    return Change(ChangeKind(kind), rows, vectors.reshape(-1, dim))
