"""What each item looks and reads like: pictures and words to one vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from encoders import Encoder, ImageError, VectorCache, cached_images, cached_texts, fuse
from engine.dataset import Dataset
from engine.errors import DataError, MissingExtraError
from engine.interactions import Floats
from engine.pictures import read_picture

MAX_WORDS_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Content:
    """Content vectors of every item."""

    vectors: Floats
    """float32 ``[I, D]``; unit rows, or zero where an item has neither picture nor words."""
    known: NDArray[np.bool_]
    """bool ``[I]``"""


def words_of(items: pl.DataFrame) -> list[str]:
    """The text that stands for each item: title, finest category, brand, description.

    What a title holds in closing parentheses ("Yogurt, 6 oz (variety 31)") tells twins apart for
    people; it says nothing of what the item is, and would have every twin encoded anew.
    """
    parts = pl.concat_str(
        pl.col("title").str.replace(r"(\S)\s*\([^()]*\)$", "${1}"),
        pl.col("categories").list.last(),
        pl.col("brand"),
        pl.col("description"),
        separator=". ",
        ignore_nulls=True,
    )
    return items.select(parts.str.slice(0, MAX_WORDS_CHARS)).to_series().to_list()


def encode_items(
    dataset: Dataset,
    encoder: Encoder,
    cache: VectorCache,
    *,
    image_weight: float,
    on_progress: Callable[[int, int], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Content:
    """Content vectors of a dataset's items; each different text and picture is encoded once.

    Args:
        dataset: Its items and pictures.
        encoder: Makes the vectors.
        cache: Keeps them, so that an interrupted run resumes.
        image_weight: Share of the picture where an item has both.
        on_progress: Called with texts and pictures done, and in all.
        on_note: Told how many pictures could not be read, if any, and why.
    """
    text = cached_texts(cache, encoder, words_of(dataset.items), on_progress=on_progress)
    image, has_image = _pictures(dataset, encoder, cache, on_note)
    has_text = np.ones(len(text), dtype=np.bool_)
    vectors = fuse(image, has_image, text, has_text, image_weight=image_weight)
    return Content(vectors, has_image | has_text)


def _pictures(
    dataset: Dataset,
    encoder: Encoder,
    cache: VectorCache,
    on_note: Callable[[str], None] | None,
) -> tuple[Floats, NDArray[np.bool_]]:
    names = dataset.items["image"].to_list()
    distinct = sorted({name for name in names if name})
    vectors, bad = {}, []
    for name in distinct:
        try:
            data = read_picture(Path(dataset.folder), name)
            if data is not None:
                vectors[name] = cached_images(cache, encoder, [data])[0]
        except (ImageError, DataError, OSError, MissingExtraError) as error:
            bad.append(f"{name}: {error}")
    if bad and on_note:
        on_note(f"{len(bad)} of {len(distinct)} pictures not encoded; the first: {bad[0]}")
    rows = np.zeros((len(names), encoder.dim), dtype=np.float32)
    known = np.array([name in vectors for name in names], dtype=np.bool_)
    for row in np.flatnonzero(known):
        rows[row] = vectors[names[row]]
    return rows, known
