"""The sets of pictures with words that a recipe learns from.

Each set is one Parquet file in a folder given by the caller. Only the parts that the file marks
as train and val are ever read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import polars as pl

from encoders.training.captions import (
    fashion_captions,
    fashion_class,
    grocery_captions,
    grocery_class,
    photo_captions,
)

Split: TypeAlias = Literal["train", "val"]


@dataclass(frozen=True, slots=True, eq=False)
class PairSet:
    """Pictures, each with sentences that are true of it.

    Attributes:
        name: Of the file.
        pictures: n files, as bytes.
        captions: n groups of sentences; the first of a group tells the picture best.
        classes: n names of a class, or empty where the set has none.
    """

    name: str
    pictures: tuple[bytes, ...]
    captions: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pictures)


def read_fashion(folder: Path, split: Split) -> PairSet:
    """Catalogue photos of clothes and accessories, with title and attributes (MIT)."""
    table = _read(folder / "fashion.parquet", split)
    rows = table.drop("image").to_dicts()
    return PairSet(
        name="fashion",
        pictures=tuple(table["image"]),
        captions=tuple(fashion_captions(row) for row in rows),
        classes=tuple(fashion_class(row) for row in rows),
    )


def read_grocery(folder: Path, split: Split) -> PairSet:
    """Phone photos of shelves, and with `train` the shop's own pictures of the goods (MIT)."""
    products = pl.read_parquet(folder / "grocery_products.parquet")
    photos = _read(folder / "grocery_photos.parquet", split)
    about = dict(products.select("class_id", "description").iter_rows())
    columns = ["class_id", "class_name", "coarse_name", "image"]
    table = photos.select(columns)
    if split == "train":
        table = pl.concat([table, products.select(columns)])
    rows = table.drop("image").to_dicts()
    return PairSet(
        name="grocery",
        pictures=tuple(table["image"]),
        captions=tuple(grocery_captions(row, about[row["class_id"]]) for row in rows),
        classes=tuple(grocery_class(row) for row in rows),
    )


def read_photos(folder: Path, split: Split) -> PairSet:
    """Photographs of people and animals with five captions each (research and education).

    The file marks no validation part; the last 500 pictures of its train part are taken.
    """
    table = _read(folder / "captioned_photos.parquet", "train")
    table = table.head(-500) if split == "train" else table.tail(500)
    return PairSet(
        name="photos",
        pictures=tuple(table["image"]),
        captions=tuple(photo_captions(group) for group in table["captions"].to_list()),
        classes=(),
    )


def _read(file: Path, split: Split) -> pl.DataFrame:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing: name the folder of the training sets")
    return pl.read_parquet(file).filter(pl.col("split") == split)
