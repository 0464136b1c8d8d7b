"""Captioned photographs: five captions of each of 1,000 test photos, and the way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.encoder_cases.figures import EncodeImages, EncodeTexts, Figure, figure, first_ranks

FILE = "captioned_photos.parquet"
CAPTIONS = 5


def captions(
    encode_images: EncodeImages, encode_texts: EncodeTexts, data: Path, limit: int | None = None
) -> list[Figure]:
    """Measure on the test split.

    Every caption is a query among all photos (``captions_t2i_r10``); every photo is one among all
    captions, and right when any of its five is found. Intervals resample photos, as the captions
    of one photo are no independent draws.
    """
    photos = (
        pl.scan_parquet(data / FILE).filter(pl.col("split") == "test").slice(0, limit).collect()
    )
    n = photos.height
    images = encode_images(photos["image"].to_list())
    words = encode_texts(photos["captions"].explode().to_list())
    belongs = np.repeat(np.eye(n, dtype=bool), CAPTIONS, axis=0)  # [5 n, n]
    scores = words @ images.T
    there = first_ranks(scores, belongs).reshape(n, CAPTIONS)
    back = first_ranks(scores.T, belongs.T)
    return [
        figure("captions_t2i_r10", (there <= 10).mean(axis=1), n, queries=there.size),
        figure("captions_t2i_r1", (there <= 1).mean(axis=1), n, queries=there.size),
        figure("captions_t2i_r5", (there <= 5).mean(axis=1), n, queries=there.size),
        figure("captions_i2t_r10", back <= 10, n * CAPTIONS),
    ]
