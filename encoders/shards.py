"""Pieces of a long encoding: each is one file, which is there whole or not at all.

Any machine can encode a shard, and nobody has to know which did. Where all are done, they are
merged into a :class:`~encoders.cache.VectorCache`.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from encoders.base import Float32, ItemEncoder
from encoders.bulk import Rejected, encode_pictures
from encoders.cache import Modality, VectorCache, cached_texts, content_key

ReadPicture: TypeAlias = Callable[[str], bytes | None]
"""The bytes of a picture by its name; None where there is none."""

_KEY_BYTES = len(content_key(""))
_MODALITIES: tuple[Modality, ...] = ("texts", "images")


@dataclass(frozen=True, slots=True)
class Shard:
    """Some of the texts and pictures of a long encoding."""

    number: int
    texts: tuple[str, ...]
    pictures: tuple[str, ...]
    """Names."""
    stamps: tuple[str, ...]
    """Of each picture: anything that changes when the picture does, such as its size and time."""

    def __post_init__(self) -> None:
        if len(self.pictures) != len(self.stamps):
            raise ValueError(
                f"shard {self.number} has {len(self.pictures)} pictures and {len(self.stamps)} "
                "stamps, expected one for each"
            )

    def file_name(self, fingerprint: str) -> str:
        """Its number, and a hash of what is encoded and by which encoder."""
        parts = [fingerprint, self.texts, self.pictures, self.stamps]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return f"shard-{self.number:06d}-{digest[:16]}.safetensors"


def encode_shard(
    shard: Shard, folder: Path, encoder: ItemEncoder, read: ReadPicture, known: VectorCache
) -> Path:
    """Encode a shard, unless its file is there.

    Args:
        shard: What to encode.
        folder: Where its file is written.
        encoder: Makes the vectors.
        read: Opens a picture.
        known: What it holds is not encoded again; nothing is added to it.

    Returns:
        The shard's file.
    """
    path = folder / shard.file_name(encoder.fingerprint)
    if path.is_file():
        return path
    added = _Additions(known.folder)
    cached_texts(added, encoder, shard.texts)
    found = encode_pictures(added, encoder, shard.pictures, read)
    tensors: dict[str, NDArray[np.generic]] = {}
    for modality in _MODALITIES:
        rows = added.rows[modality]
        keys = np.frombuffer(b"".join(rows), dtype=np.uint8)
        vectors = np.array(list(rows.values()), dtype=np.float32)
        tensors[f"{modality}.keys"] = keys.reshape(len(rows), _KEY_BYTES)
        tensors[f"{modality}.vectors"] = vectors.reshape(len(rows), encoder.dim)
    rejected = json.dumps([[one.name, one.reason] for one in found.rejected])
    _write(path, tensors, {"rejected": rejected})
    return path


def merge_shard(path: Path, cache: VectorCache, encoder: ItemEncoder) -> tuple[Rejected, ...]:
    """Add a shard's vectors to a cache, and give back what was rejected.

    Raises:
        ValueError: The file cannot be read.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            rejected = json.loads(file.metadata()["rejected"])
            for modality in _MODALITIES:
                keys = [row.tobytes() for row in file.get_tensor(f"{modality}.keys")]
                _add(cache, encoder, modality, keys, file.get_tensor(f"{modality}.vectors"))
    except (SafetensorError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"{path} cannot be read ({error}): delete it, and run again") from error
    return tuple(Rejected(name, reason) for name, reason in rejected)


def _add(
    cache: VectorCache,
    encoder: ItemEncoder,
    modality: Modality,
    keys: Sequence[bytes],
    vectors: Float32,
) -> None:
    _, known = cache.read(encoder, modality, keys)
    new = np.flatnonzero(~known).tolist()
    cache.append(encoder, modality, [keys[row] for row in new], vectors[new])


def _write(path: Path, tensors: dict[str, NDArray[np.generic]], said: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A worker that was taken for dead may still be writing the same shard.
    fresh = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with fresh.open("wb") as file:
            file.write(save(tensors, metadata=said))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


class _Additions(VectorCache):
    """What a folder holds, and in memory what is not in it yet."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.rows: dict[Modality, dict[bytes, Float32]] = {name: {} for name in _MODALITIES}

    def read(
        self, encoder: ItemEncoder, modality: Modality, keys: Sequence[bytes]
    ) -> tuple[Float32, NDArray[np.bool_]]:
        vectors, known = super().read(encoder, modality, keys)
        for row, key in enumerate(keys):
            if key in self.rows[modality]:
                vectors[row], known[row] = self.rows[modality][key], True
        return vectors, known

    def append(
        self, encoder: ItemEncoder, modality: Modality, keys: Sequence[bytes], vectors: Float32
    ) -> None:
        self.rows[modality].update(zip(keys, vectors.copy(), strict=True))
