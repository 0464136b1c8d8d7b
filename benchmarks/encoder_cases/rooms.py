"""Photos of rooms: which products of the catalogue stand in them.

A room photo shows a dozen things at once, so it may be asked whole or in crops: every window of a
fixed grid at three scales. An item's score is then the mean of its best crops' cosines. How many
crops count was chosen on the rooms of the training split.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.encoder_cases.figures import (
    Bool,
    EncodeImages,
    EncodeTexts,
    Figure,
    Float32,
    figure,
    recall_at,
)
from encoders import fuse
from engine import room_photo

PRODUCTS = "ikea_products.parquet"
ROOMS = "ikea_rooms.parquet"
PAIRS = "ikea_room_items.parquet"

K = 20


def best_crops(scores: Float32, best: int = room_photo.BEST_CROPS) -> Float32:
    """Mean of each item's best crops: ``[crops, I]`` to ``[I]`` float32."""
    return room_photo.best_crops(scores.T, best)


def rooms(
    encode_images: EncodeImages,
    encode_texts: EncodeTexts | None,
    data: Path,
    split: str = "test",
) -> list[Figure]:
    """Measure Recall@20: the mean over rooms of the share of the room's items that are found.

    The gallery is all 2,187 products, as photos and (``fused``) as the fusion of photo and words;
    the room photo is asked whole and in crops. ``rooms_r20`` is crops against photos.

    Args:
        encode_images: Picture files to unit rows.
        encode_texts: Words to unit rows; None leaves out the fused rows.
        data: Folder of the Parquet files.
        split: Which rooms.
    """
    products = pl.read_parquet(data / PRODUCTS)
    photos = pl.read_parquet(data / ROOMS).filter(pl.col("split") == split)
    pairs = pl.read_parquet(data / PAIRS).filter(pl.col("room").is_in(photos["room"].implode()))
    photos = photos.filter(pl.col("room").is_in(pairs["room"].implode()))
    relevant = _relevant(photos["room"].to_list(), products["item_id"].to_list(), pairs)
    pieces = [encode_images(room_photo.crops(photo)) for photo in photos["image"]]
    galleries = {"": encode_images(products["image"].to_list())}
    if encode_texts is not None:
        galleries["_fused"] = _fused(galleries[""], encode_texts(product_words(products)))
    figures = []
    for name, items in galleries.items():
        asked = [piece @ items.T for piece in pieces]  # each [crops, I]
        whole = np.stack([scores[0] for scores in asked])
        cropped = np.stack([best_crops(scores) for scores in asked])
        for way, scores in (("", cropped), ("_whole", whole)):
            found = recall_at(scores, relevant, K)
            figures.append(figure(f"rooms_r20{name}{way}", found, len(items)))
    return figures


def product_words(products: pl.DataFrame) -> list[str]:
    """Name, type, colour and description of each product."""
    return [
        f"{name} {kind}, {colour}. {description or ''}".strip()
        for name, kind, colour, description in products.select(
            "name", "type", "color", "description"
        ).rows()
    ]


def _fused(images: Float32, words: Float32) -> Float32:
    both = np.ones(len(images), dtype=bool)
    return fuse(images, both, words, both)


def _relevant(rooms: Sequence[str], items: Sequence[str], pairs: pl.DataFrame) -> Bool:
    room_row = {room: row for row, room in enumerate(rooms)}
    item_row = {item: row for row, item in enumerate(items)}
    relevant = np.zeros((len(rooms), len(items)), dtype=bool)
    for room, item in pairs.select("room", "item_id").rows():
        relevant[room_row[room], item_row[item]] = True
    return relevant
