"""People's own photos of clothes: ten classes by name. No recipe may train on them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks.encoder_cases.figures import EncodeImages, EncodeTexts, Figure, figure
from benchmarks.encoder_cases.prompts import class_vectors, right_class

FILE = "clothing.parquet"
NAMES = {
    "dress": "dress",
    "hat": "hat",
    "longsleeve": "long sleeve shirt",
    "outwear": "outerwear, a jacket or coat",
    "pants": "pants",
    "shirt": "shirt",
    "shoes": "shoes",
    "shorts": "shorts",
    "skirt": "skirt",
    "t-shirt": "t-shirt",
}
"""The labels of the file, the contracted ones written out."""


def clothing(
    encode_images: EncodeImages, encode_texts: EncodeTexts, data: Path, limit: int | None = None
) -> list[Figure]:
    """Measure ``clothing_zeroshot`` on the test split, and on all 3,781 photos."""
    photos = pl.read_parquet(data / FILE)
    photos = pl.concat(
        [photos.filter(pl.col("split") == "test"), photos.filter(pl.col("split") != "test")]
    ).slice(0, limit)
    labels = [list(NAMES).index(label) for label in photos["label"]]
    images = encode_images(photos["image"].to_list())
    right = right_class(images, class_vectors(encode_texts, list(NAMES.values())), labels)
    test = (photos["split"] == "test").to_numpy()
    return [
        figure("clothing_zeroshot", right[test], len(NAMES)),
        figure("clothing_zeroshot_all", right, len(NAMES)),
    ]
