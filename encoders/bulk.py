"""Many pictures to vectors: reading, decoding and the model overlap, and nothing is done twice.

Files are read ahead by some threads and prepared by others, in the order of the names, into
windows of bounded size, while the model runs on what is ready. What is in a batch depends on the
names and the cache alone, never on which thread was first, so the same call gives the same bits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from encoders.base import Float32, ItemEncoder, Pixels, StagedEncoder
from encoders.batches import cores
from encoders.cache import OnProgress, VectorCache, content_key
from encoders.images import ImageError
from encoders.lookahead import Room, map_ahead, threads

_READERS = 8
_MOST_PREPARERS = 16
_FILES_AHEAD = 256
_BATCHES_AHEAD = 3
_PLAIN_BATCH = 32
_FIRST_GUESS_BYTES = 1 << 20

_Content: TypeAlias = Pixels | bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A picture that is there and could not be encoded."""

    name: str
    """What the caller calls the picture: an item's id, a path."""
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPictures:
    """What came of n names, in their order."""

    vectors: Float32
    """float32 ``[n, D]``: unit rows, zero where not known."""
    known: NDArray[np.bool_]
    """bool ``[n]``: whether there is a picture, and it could be encoded."""
    rejected: tuple[Rejected, ...]


def encode_pictures(
    cache: VectorCache,
    encoder: ItemEncoder,
    names: Sequence[str],
    read: Callable[[str], bytes | None],
    *,
    on_progress: OnProgress | None = None,
    flush_every: int = 1024,
    memory_bytes: int = 1 << 30,
) -> EncodedPictures:
    """Encode the pictures of n names; identical files at most once ever.

    Args:
        cache: Where vectors are kept; a killed run goes on from what it holds.
        encoder: Encodes what the cache lacks. A :class:`~encoders.base.StagedEncoder` prepares
            pictures in threads while its model runs; any other is asked in batches.
        names: What to ask `read` for, and to call pictures by.
        read: The bytes of a name's file, or None where there is no picture. Called from several
            threads at once. Where it raises OSError or ValueError (:class:`ImageError` is one),
            the picture is rejected for that reason.
        on_progress: Told ``(done, total)`` of the names.
        flush_every: How many new vectors a kill can cost; an exception costs none.
        memory_bytes: What files and prepared pictures may take while they wait. Decoding one
            picture on each core comes on top (:data:`encoders.images.MAX_MEMORY` at most).

    Raises:
        ValueError: ``flush_every`` or ``memory_bytes`` is below 1.
    """
    if flush_every < 1 or memory_bytes < 1:
        raise ValueError(
            f"flush_every is {flush_every} and memory_bytes {memory_bytes}, expected at least 1"
        )
    stages = _stages_of(encoder)
    size = min(stages.batch, flush_every)
    ledger = _Ledger([None] * len(names))
    unsaved = _Unsaved(cache, encoder, flush_every)
    tell = on_progress or _tell_nobody
    tell(0, len(names))
    with threads(_READERS) as readers, threads(min(_MOST_PREPARERS, cores())) as preparers:
        unread = Room(_FILES_AHEAD, memory_bytes // 2, ledger.expected_cost)
        files = map_ahead(readers, partial(_read, read), enumerate(names), unread)
        fresh = _fresh(files, ledger, lambda key: cache.holds(encoder, "images", key))
        unprepared = Room(_BATCHES_AHEAD * size, memory_bytes // 4, stages.cost)
        ready = map_ahead(preparers, partial(_prepare, stages), fresh, unprepared)
        try:
            for batch in _batches(ready, ledger, size, memory_bytes // 8):
                for keys, rows in _encode(stages, batch, ledger):
                    unsaved.add(keys, rows)
                tell(batch[-1].position + 1, len(names))
        finally:
            unsaved.save()
    tell(len(names), len(names))
    return ledger.settle(cache, encoder, names)


@dataclass(frozen=True, slots=True)
class _File:
    """What reading gave: no key where there is no picture, a reason where it failed."""

    position: int
    key: bytes | None = None
    data: bytes = b""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    position: int
    key: bytes
    content: _Content
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Stages:
    """An encoder as two functions."""

    prepare: Callable[[bytes], _Content]
    encode: Callable[[Sequence[_Content]], Float32]
    batch: int
    picture_bytes: int

    def cost(self, file: _File) -> int:
        return max(len(file.data), self.picture_bytes)


@dataclass(slots=True)
class _Ledger:
    """What became of each name."""

    keys: list[bytes | None]
    unread: dict[int, str] = field(default_factory=dict)
    """Why reading failed, by position."""
    unsound: dict[bytes, str] = field(default_factory=dict)
    """Why encoding failed, by key."""
    recent_bytes: deque[int] = field(
        default_factory=lambda: deque([_FIRST_GUESS_BYTES], maxlen=_FILES_AHEAD)
    )

    def expected_cost(self, _: tuple[int, str]) -> int:
        """What a file that is not read yet may take: the most that a recent one took."""
        return max(self.recent_bytes)

    def settle(
        self, cache: VectorCache, encoder: ItemEncoder, names: Sequence[str]
    ) -> EncodedPictures:
        rejected = []
        for position, key in enumerate(self.keys):
            reason = self.unread.get(position) if key is None else self.unsound.get(key)
            if reason is not None:
                rejected.append(Rejected(names[position], reason))
        there = [position for position, key in enumerate(self.keys) if key is not None]
        vectors = np.zeros((len(names), encoder.dim), dtype=np.float32)
        known = np.zeros(len(names), dtype=bool)
        keys = [key for key in self.keys if key is not None]
        vectors[there], known[there] = cache.read(encoder, "images", keys)
        return EncodedPictures(vectors, known, tuple(rejected))


@dataclass(slots=True)
class _Unsaved:
    """Vectors on their way to the cache."""

    cache: VectorCache
    encoder: ItemEncoder
    most: int
    keys: list[bytes] = field(default_factory=list)
    rows: list[Float32] = field(default_factory=list)

    def add(self, keys: Sequence[bytes], rows: Float32) -> None:
        if len(self.keys) + len(keys) > self.most:
            self.save()
        self.keys += keys
        self.rows.append(rows)
        if len(self.keys) == self.most:
            self.save()

    def save(self) -> None:
        if self.keys:
            self.cache.append(self.encoder, "images", self.keys, np.concatenate(self.rows))
            self.keys, self.rows = [], []


def _tell_nobody(done: int, total: int) -> None:
    del done, total


def _stages_of(encoder: ItemEncoder) -> _Stages:
    height, width = encoder.preprocessing.size
    if isinstance(encoder, StagedEncoder):
        staged = encoder
        return _Stages(
            prepare=staged.prepare_image,
            encode=lambda pictures: staged.encode_prepared(np.stack(cast(list[Pixels], pictures))),
            batch=staged.image_batch,
            picture_bytes=3 * height * width,
        )
    return _Stages(
        prepare=bytes,
        encode=lambda files: encoder.encode_images(cast(list[bytes], files)),
        batch=_PLAIN_BATCH,
        picture_bytes=3 * height * width,
    )


def _read(read: Callable[[str], bytes | None], numbered: tuple[int, str]) -> _File:
    position, name = numbered
    try:
        data = read(name)
    except (OSError, ValueError) as error:
        return _File(position, reason=str(error) or type(error).__name__)
    return _File(position) if data is None else _File(position, content_key(data), data)


def _fresh(
    files: Iterable[_File], ledger: _Ledger, is_known: Callable[[bytes], bool]
) -> Iterator[_File]:
    """The files that must be encoded, each content once; the others go to the ledger only."""
    begun: set[bytes] = set()
    for file in files:
        ledger.keys[file.position] = file.key
        ledger.recent_bytes.append(len(file.data))
        if file.reason is not None:
            ledger.unread[file.position] = file.reason
        elif file.key is not None and file.key not in begun and not is_known(file.key):
            begun.add(file.key)
            yield file


def _prepare(stages: _Stages, file: _File) -> _Ready:
    if file.key is None:
        raise ValueError(f"file {file.position} has no content to prepare")
    try:
        return _Ready(file.position, file.key, stages.prepare(file.data))
    except ImageError as error:
        return _Ready(file.position, file.key, b"", error.reason)


def _batches(
    ready: Iterable[_Ready], ledger: _Ledger, size: int, room_bytes: int
) -> Iterator[list[_Ready]]:
    batch: list[_Ready] = []
    held = 0
    for picture in ready:
        if picture.reason is not None:
            ledger.unsound[picture.key] = picture.reason
            continue
        batch.append(picture)
        content = picture.content
        held += len(content) if isinstance(content, bytes) else content.nbytes
        if len(batch) == size or held >= room_bytes:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _encode(
    stages: _Stages, batch: Sequence[_Ready], ledger: _Ledger
) -> Iterator[tuple[list[bytes], Float32]]:
    """Keys and rows of a batch; without the pictures that the encoder finds to be bad."""
    if not batch:
        return
    try:
        rows = stages.encode([picture.content for picture in batch])
    except ImageError as error:
        bad = 0 if len(batch) == 1 else error.position
        if bad is None:  # It does not say which: each is asked alone.
            for picture in batch:
                yield from _encode(stages, [picture], ledger)
            return
        ledger.unsound[batch[bad].key] = error.reason
        yield from _encode(stages, [*batch[:bad], *batch[bad + 1 :]], ledger)
    else:
        yield [picture.key for picture in batch], rows
