"""Grocery shelf photos: which of 81 products, by name."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks.encoder_cases.figures import EncodeImages, EncodeTexts, Figure, figure
from benchmarks.encoder_cases.prompts import class_vectors, right_class

FILE = "grocery_photos.parquet"


def plain_name(class_name: str) -> str:
    """The file's name with spaces: "Golden-Delicious" is "Golden Delicious"."""
    return class_name.replace("-", " ")


def full_name(class_name: str, coarse_name: str) -> str:
    """The name and what it is: "Golden Delicious, Apple"; "Banana" stays as it is."""
    name, kind = plain_name(class_name), plain_name(coarse_name)
    return name if kind.lower() in name.lower() else f"{name}, {kind}"


def grocery(
    encode_images: EncodeImages, encode_texts: EncodeTexts, data: Path, limit: int | None = None
) -> list[Figure]:
    """Measure on the data set's own test split: ``grocery_top1``, and with coarse names."""
    scan = pl.scan_parquet(data / FILE)
    classes = (
        scan.select("class_id", "class_name", "coarse_name").unique().sort("class_id").collect()
    )
    photos = scan.filter(pl.col("split") == "test").slice(0, limit).collect()
    images = encode_images(photos["image"].to_list())
    labels = photos["class_id"].to_list()
    plain = [plain_name(name) for name in classes["class_name"]]
    full = [full_name(*names) for names in classes.select("class_name", "coarse_name").rows()]
    return [
        figure(case, right_class(images, class_vectors(encode_texts, names), labels), len(names))
        for case, names in (("grocery_top1", plain), ("grocery_top1_coarse", full))
    ]
