"""Vectors on disk, so that nothing is encoded twice.

One append-only file per encoder fingerprint and modality. A file is a row of records of one
size: the content hash (16 bytes), the vector (D float32, little endian) and a CRC of both. A
crash can only leave a last record that is too short, which is cut off by the next append, or
one whose CRC fails, which is ignored; so what was flushed is never lost, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from encoders.base import Float32, ItemEncoder
from encoders.images import ImageError

try:
    import fcntl
except ImportError:  # Windows: one writer at a time is then up to the caller.
    fcntl = None  # type: ignore[assignment]

Modality: TypeAlias = Literal["texts", "images"]
OnProgress: TypeAlias = Callable[[int, int], None]

_Content = TypeVar("_Content", str, bytes)

_KEY_BYTES = 16
_SCAN = 8192  # Records read at once.
_FINGERPRINT = re.compile(r"[0-9A-Za-z_-]{1,128}")


@dataclass(slots=True)
class _Shelf:
    """What is known of one file: which record holds which key, up to a size."""

    path: Path
    dim: int
    rows: dict[bytes, int]
    bytes_read: int = 0

    @property
    def record(self) -> np.dtype[np.void]:
        return np.dtype(
            [("key", "u1", (_KEY_BYTES,)), ("vector", "<f4", (self.dim,)), ("crc", "<u4")]
        )


@dataclass(frozen=True, slots=True)
class _Pace:
    """How often a long encoding is saved, and who is told how far it is."""

    flush_every: int
    on_progress: OnProgress | None

    def __post_init__(self) -> None:
        if self.flush_every < 1:
            raise ValueError(f"flush_every is {self.flush_every}, expected at least 1")

    def tell(self, done: int, total: int) -> None:
        if self.on_progress is not None:
            self.on_progress(done, total)


class VectorCache:
    """Vectors by encoder fingerprint and content hash.

    Several processes may share a folder: appends are whole and locked, and each lookup sees what
    others have added.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._shelves: dict[Path, _Shelf] = {}

    def read(
        self, encoder: ItemEncoder, modality: Modality, keys: Sequence[bytes]
    ) -> tuple[Float32, NDArray[np.bool_]]:
        """Look keys up.

        Returns:
            Vectors ``[n, D]`` float32, zero where unknown, and the bool mask ``[n]`` of the known.
        """
        shelf = self._shelf(encoder, modality)
        _catch_up(shelf)
        vectors = np.zeros((len(keys), shelf.dim), dtype=np.float32)
        rows = np.array([shelf.rows.get(key, -1) for key in keys], dtype=np.int64)
        known = rows >= 0
        if known.any():
            records = np.memmap(
                shelf.path, dtype=shelf.record, mode="r", shape=(int(rows.max()) + 1,)
            )
            vectors[known] = records["vector"][rows[known]]
        return vectors, known

    def holds(self, encoder: ItemEncoder, modality: Modality, key: bytes) -> bool:
        """Whether a vector is there for a key."""
        shelf = self._shelf(encoder, modality)
        if key not in shelf.rows:
            _catch_up(shelf)
        return key in shelf.rows

    def append(
        self, encoder: ItemEncoder, modality: Modality, keys: Sequence[bytes], vectors: Float32
    ) -> None:
        """Add vectors ``[n, D]`` under n keys; they are on disk when this returns.

        Raises:
            ValueError: The vectors are not ``[n, D]``.
        """
        shelf = self._shelf(encoder, modality)
        if vectors.shape != (len(keys), shelf.dim):
            raise ValueError(f"vectors are {vectors.shape}, expected {(len(keys), shelf.dim)}")
        if not keys:
            return
        records = np.zeros(len(keys), dtype=shelf.record)
        records["key"] = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, _KEY_BYTES)
        records["vector"] = vectors
        records["crc"] = _crcs(records)
        shelf.path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(shelf.path) as file:
            torn = os.fstat(file).st_size % shelf.record.itemsize
            if torn:
                os.ftruncate(file, os.fstat(file).st_size - torn)
            _write_all(file, records.tobytes())
            os.fsync(file)

    def _shelf(self, encoder: ItemEncoder, modality: Modality) -> _Shelf:
        if not _FINGERPRINT.fullmatch(encoder.fingerprint):
            raise ValueError(
                f"fingerprint {encoder.fingerprint!r} cannot name a folder: "
                "expected letters, digits, '-' and '_'"
            )
        path = self.folder / encoder.fingerprint / f"{modality}-{encoder.dim}.vectors"
        if path not in self._shelves:
            self._shelves[path] = _Shelf(path, encoder.dim, {})
        return self._shelves[path]


def content_key(content: str | bytes) -> bytes:
    """The key of a text or a picture: the first 16 bytes of its SHA-256."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(data).digest()[:_KEY_BYTES]


def cached_texts(
    cache: VectorCache,
    encoder: ItemEncoder,
    texts: Sequence[str],
    *,
    on_progress: OnProgress | None = None,
    flush_every: int = 4096,
) -> Float32:
    """Encode texts, each different one at most once ever.

    Args:
        cache: Where vectors are kept.
        encoder: Encodes what the cache lacks.
        texts: n texts.
        on_progress: Told ``(done, total)`` of the different texts, first with what was found.
        flush_every: How many new vectors an interruption can cost.

    Returns:
        Unit rows ``[n, D]`` float32 in the order of `texts`.
    """
    pace = _Pace(flush_every, on_progress)
    return _cached(cache, encoder, "texts", texts, encoder.encode_texts, pace)


def cached_images(
    cache: VectorCache,
    encoder: ItemEncoder,
    images: Sequence[bytes],
    *,
    on_progress: OnProgress | None = None,
    flush_every: int = 1024,
) -> Float32:
    """Encode picture files, each different one at most once ever; as :func:`cached_texts`.

    Raises:
        ImageError: A picture cannot be read; its position is the one in `images`.
    """
    pace = _Pace(flush_every, on_progress)
    return _cached(cache, encoder, "images", images, encoder.encode_images, pace)


def _cached(
    cache: VectorCache,
    encoder: ItemEncoder,
    modality: Modality,
    contents: Sequence[_Content],
    encode: Callable[[Sequence[_Content]], Float32],
    pace: _Pace,
) -> Float32:
    keys = [content_key(content) for content in contents]
    first = {key: position for position, key in reversed(list(enumerate(keys)))}
    order = sorted(first.values())
    vectors, known = cache.read(encoder, modality, [keys[position] for position in order])
    missing = np.flatnonzero(~known)
    done = len(order) - len(missing)
    pace.tell(done, len(order))
    for start in range(0, len(missing), pace.flush_every):
        chunk = missing[start : start + pace.flush_every]
        positions = [order[row] for row in chunk]
        vectors[chunk] = _encode_chunk(encode, contents, positions)
        cache.append(encoder, modality, [keys[position] for position in positions], vectors[chunk])
        done += len(chunk)
        pace.tell(done, len(order))
    row_of = {keys[position]: row for row, position in enumerate(order)}
    return vectors[[row_of[key] for key in keys]]


def _encode_chunk(
    encode: Callable[[Sequence[_Content]], Float32],
    contents: Sequence[_Content],
    positions: Sequence[int],
) -> Float32:
    try:
        return encode([contents[position] for position in positions])
    except ImageError as error:
        if error.position is None:
            raise
        raise ImageError(error.reason, positions[error.position]) from error


def _catch_up(shelf: _Shelf) -> None:
    """Read the keys of the records that were added since the last look."""
    if not shelf.path.exists():
        return
    record = shelf.record
    with shelf.path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for start in range(shelf.bytes_read, size - record.itemsize + 1, _SCAN * record.itemsize):
            file.seek(start)
            count = min(_SCAN, (size - start) // record.itemsize)
            records = np.frombuffer(file.read(count * record.itemsize), dtype=record)
            sound = np.flatnonzero(_crcs(records) == records["crc"])
            base = start // record.itemsize
            shelf.rows.update(
                (records["key"][row].tobytes(), base + int(row)) for row in sound.tolist()
            )
            shelf.bytes_read = start + count * record.itemsize


def _crcs(records: NDArray[np.void]) -> NDArray[np.uint32]:
    body = records.dtype.itemsize - 4
    data = memoryview(records.tobytes())
    size = records.dtype.itemsize
    return np.array(
        [zlib.crc32(data[start : start + body]) for start in range(0, len(data), size)],
        dtype=np.uint32,
    )


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)  # Gives the lock back, too.


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
