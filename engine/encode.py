"""Encoding a dataset's pictures and words ahead of training, on one machine or on many.

What is encoded goes to the cache that training reads, so that training encodes nothing again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import polars as pl

from encoders import Encoder, EncoderError, ItemEncoder, VectorCache, cached_texts
from encoders.bulk import Rejected, encode_pictures
from encoders.ray_data import Cluster, Desk, encode_shards
from encoders.shards import Shard, merge_shard
from engine.content import attributes_of, descriptions_of, pictures_of, rejects_of, words_of
from engine.dataset import Dataset
from engine.errors import DataError, MissingExtraError, VitrineError
from engine.pictures import read_for_encoding
from engine.stages import Reporter

REJECTS_FILE = "rejects.parquet"
SHARDS_FOLDER = "shards"
SHARD_ITEMS = 1024


class EncodeEngine(StrEnum):
    """Who encodes."""

    LOCAL = "local"
    """This process."""
    RAY = "ray"
    """Workers of a Ray cluster, by Ray Data."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What an encoding left behind."""

    items: int
    texts: int
    """Different ones."""
    pictures: int
    """Different names, those that were rejected among them."""
    rejects: pl.DataFrame
    """As :data:`engine.content.REJECT_SCHEMA`: a row for every item and picture of its that could
    not be encoded. Also in ``rejects.parquet`` of the folder."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """Different texts and pictures of some items."""

    texts: list[str]
    pictures: list[str]


def encode_dataset(
    dataset: Dataset,
    out: Path,
    *,
    reporter: Reporter,
    encoder: str = "bundled",
    engine: EncodeEngine = EncodeEngine.LOCAL,
    cluster: Cluster | None = None,
) -> Encoded:
    """Encode the pictures and words of a dataset into a cache of vectors.

    Either engine goes on where it, or the other, was interrupted: what the cache holds is not
    encoded again, nor is a finished shard. Their vectors agree to a cosine above 0.9999, not bit
    for bit: the sums of a matrix product depend on how many pictures share a batch.

    Args:
        dataset: Its items and pictures. With Ray, in a folder that all machines share.
        out: Folder of the cache, likewise shared. Training of ``runs/shop`` reads
            ``runs/.stages/vectors``.
        reporter: Told how far the work is, and how many pictures were rejected.
        encoder: Name for :meth:`encoders.Encoder.open`.
        engine: Who encodes.
        cluster: With Ray, where.

    Raises:
        DataError: The encoder cannot be opened.
        MissingExtraError: Ray is not installed.
        VitrineError: Ray could not finish.
    """
    reporter.begin("encode", cached=False)
    try:
        opened = Encoder.open(encoder)
    except EncoderError as error:
        raise DataError(f"encoder {encoder!r}: {error}") from error
    cache = VectorCache(out)
    contents = _contents_of(dataset.items)
    if engine is EncodeEngine.LOCAL:
        rejected = _encode_here(contents, dataset, opened, cache, reporter)
    else:
        rejected = _encode_on_ray(dataset, encoder, opened, cache, cluster or Cluster(), reporter)
    rejects = rejects_of(pictures_of(dataset.items), rejected)
    _write_whole(rejects, out / REJECTS_FILE)
    if len(rejects):
        item_id, image, reason = rejects.row(0)
        reporter.note(
            f"{len(rejects)} pictures rejected; the first: {image} of {item_id}: {reason}"
        )
    return Encoded(len(dataset.items), len(contents.texts), len(contents.pictures), rejects)


def _encode_here(
    contents: _Contents,
    dataset: Dataset,
    encoder: ItemEncoder,
    cache: VectorCache,
    reporter: Reporter,
) -> Sequence[Rejected]:
    read = partial(read_for_encoding, Path(dataset.folder))
    cached_texts(cache, encoder, contents.texts, on_progress=reporter.advance)
    return encode_pictures(
        cache, encoder, contents.pictures, read, on_progress=reporter.advance
    ).rejected


def _encode_on_ray(
    dataset: Dataset,
    name: str,
    encoder: ItemEncoder,
    cache: VectorCache,
    cluster: Cluster,
    reporter: Reporter,
) -> Sequence[Rejected]:
    name = str(Path(name).resolve()) if Path(name).exists() else name
    desk = Desk(
        open_encoder=partial(Encoder.open, name),
        fingerprint=encoder.fingerprint,
        read=partial(read_for_encoding, Path(dataset.folder).resolve()),
        shards=(cache.folder / SHARDS_FOLDER).resolve(),
        known=cache.folder.resolve(),
    )
    shards = shards_of(dataset.items, Path(dataset.folder), SHARD_ITEMS)
    try:
        encode_shards(shards, desk, cluster, on_progress=reporter.advance)
    except ImportError as error:
        raise MissingExtraError("ray[data]", extra="scale") from error
    except (EncoderError, ValueError) as error:
        raise VitrineError(str(error)) from error
    return [one for shard in shards for one in merge_shard(desk.path(shard), cache, encoder)]


def shards_of(items: pl.DataFrame, folder: Path, size: int) -> list[Shard]:
    """The contents of each so many items, by row.

    Args:
        items: The items table.
        folder: Where its pictures are.
        size: Items of a shard.
    """
    shards = []
    for number, rows in enumerate(items.iter_slices(size)):
        contents = _contents_of(rows)
        stamps = tuple(_stamp(folder / picture) for picture in contents.pictures)
        shards.append(Shard(number, tuple(contents.texts), tuple(contents.pictures), stamps))
    return shards


def _contents_of(items: pl.DataFrame) -> _Contents:
    texts = [*words_of(items), *descriptions_of(items), *attributes_of(items)]
    different = dict.fromkeys(text for text in texts if text is not None)
    return _Contents(
        list(different), pictures_of(items)["image"].unique(maintain_order=True).to_list()
    )


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except (OSError, ValueError):  # No such file, or a URL, or no name of a file at all.
        return ""
    return f"{found.st_size}-{found.st_mtime_ns}"


def _write_whole(table: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.part")
    table.write_parquet(fresh)
    fresh.replace(path)
