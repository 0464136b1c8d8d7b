"""Fashion photos: titles to photos, and the article type among all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.encoder_cases.figures import EncodeImages, EncodeTexts, Figure, figure, first_ranks
from benchmarks.encoder_cases.prompts import class_vectors, right_class

FILE = "fashion.parquet"
TITLES = 2000
SEED = 0


def distinct_titles(photos: pl.DataFrame, n: int = TITLES) -> pl.DataFrame:
    """Up to n rows with different titles: the first row of each title, then a draw (seed 0)."""
    first = photos.unique("title", keep="first", maintain_order=True)
    drawn = np.random.default_rng(SEED).permutation(first.height)[:n]
    return first[np.sort(drawn)]


def fashion(
    encode_images: EncodeImages, encode_texts: EncodeTexts, data: Path, limit: int | None = None
) -> list[Figure]:
    """Measure on the test split.

    Cases: ``fashion_t2i_r10`` (2,000 different titles, each to its photo among the 2,000) with
    R@1, R@5 and the way back; ``_unseen`` counts only the titles that no row outside the test
    split bears. ``fashion_zeroshot_type``: each test photo's article type, as the file names it,
    among all types of the whole file.

    Args:
        encode_images: Picture files to unit rows.
        encode_texts: Words to unit rows.
        data: Folder of the Parquet files.
        limit: Only so many test photos, for a quick look.
    """
    every = pl.read_parquet(data / FILE, columns=["title", "article_type", "split"])
    photos = (
        pl.scan_parquet(data / FILE).filter(pl.col("split") == "test").slice(0, limit).collect()
    )
    images = encode_images(photos["image"].to_list())
    chosen = distinct_titles(photos.with_row_index("row"))
    known = every.filter(pl.col("split") != "test")["title"].unique()
    unseen = ~chosen["title"].is_in(known.implode()).to_numpy()
    scores = encode_texts(chosen["title"].to_list()) @ images[chosen["row"].to_numpy()].T
    there = first_ranks(scores, np.eye(len(scores), dtype=bool))
    back = first_ranks(scores.T, np.eye(len(scores), dtype=bool))
    types = every["article_type"].unique().sort().to_list()
    right = right_class(
        images,
        class_vectors(encode_texts, types),
        [types.index(name) for name in photos["article_type"]],
    )
    n = len(scores)
    return [
        figure("fashion_t2i_r10", there <= 10, n),
        figure("fashion_t2i_r10_unseen", there[unseen] <= 10, n),
        figure("fashion_t2i_r1", there <= 1, n),
        figure("fashion_t2i_r5", there <= 5, n),
        figure("fashion_i2t_r10", back <= 10, n),
        figure("fashion_zeroshot_type", right, len(types)),
    ]
