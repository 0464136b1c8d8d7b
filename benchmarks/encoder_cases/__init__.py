"""What an encoder is measured on: one module per family of cases.

Every case takes two functions, pictures to unit rows and words to unit rows, so any model can be
measured, also one that is still being trained.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.encoder_cases.captions import captions
from benchmarks.encoder_cases.clothing import clothing
from benchmarks.encoder_cases.fashion import fashion
from benchmarks.encoder_cases.figures import EncodeImages, EncodeTexts, Figure
from benchmarks.encoder_cases.grocery import grocery
from benchmarks.encoder_cases.rooms import rooms
from benchmarks.encoder_cases.words import words

__all__ = [
    "EncodeImages",
    "EncodeTexts",
    "Figure",
    "captions",
    "clothing",
    "evaluate_pictures",
    "fashion",
    "grocery",
    "rooms",
    "words",
]


def evaluate_pictures(
    encode_images: EncodeImages, encode_texts: EncodeTexts, data: Path, limit: int | None = None
) -> list[Figure]:
    """Every case that compares pictures with words.

    Args:
        encode_images: Picture files to unit rows ``[n, D]`` float32.
        encode_texts: Words to unit rows ``[n, D]`` float32.
        data: Folder of the Parquet files.
        limit: Only so many test photos of each set, for a quick look.
    """
    return [
        figure
        for cases in (fashion, grocery, clothing, captions)
        for figure in cases(encode_images, encode_texts, data, limit)
    ]
