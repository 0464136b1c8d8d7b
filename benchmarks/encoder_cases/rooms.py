"""Photos of rooms: which products of the catalogue stand in them.

A room photo shows a dozen things at once, so it may be asked whole or in crops: every window of a
fixed grid at three scales. An item's score is then the mean of its best crops' cosines. How many
crops count was chosen on the rooms of the training split.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

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

PRODUCTS = "ikea_products.parquet"
ROOMS = "ikea_rooms.parquet"
PAIRS = "ikea_room_items.parquet"

SCALES = (1.0, 1 / 2, 1 / 3)
BEST_CROPS = 2
K = 20


def windows(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Crops (left, top, right, bottom) of a picture: 1 + 3x3 + 5x5, each half over the next."""
    boxes = []
    for scale in SCALES:
        across, down = round(width * scale), round(height * scale)
        steps = 2 * round(1 / scale) - 1
        for top in np.linspace(0, height - down, steps).round().astype(int).tolist():
            for left in np.linspace(0, width - across, steps).round().astype(int).tolist():
                boxes.append((left, top, left + across, top + down))
    return boxes


def crops(photo: bytes) -> list[bytes]:
    """Every window of a photo as a PNG file; the first is the whole photo."""
    with Image.open(BytesIO(photo)) as picture:
        upright = picture.convert("RGB")
    files = []
    for box in windows(*upright.size):
        file = BytesIO()
        upright.crop(box).save(file, "PNG", compress_level=1)
        files.append(file.getvalue())
    return files


def best_crops(scores: Float32, best: int = BEST_CROPS) -> Float32:
    """Mean of each item's best crops: ``[crops, I]`` to ``[I]`` float32."""
    mean: Float32 = np.sort(scores, axis=0)[-best:].mean(axis=0)
    return mean


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
    pieces = [encode_images(crops(photo)) for photo in photos["image"]]
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
