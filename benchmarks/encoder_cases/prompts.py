"""Class names as sentences: one list of templates for every case, fixed before measuring."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.encoder_cases.figures import EncodeTexts, Float32

TEMPLATES = (
    "{}",
    "a photo of {}.",
    "a picture of {}.",
    "a product photo of {}.",
    "a photo of {}, taken with a phone.",
)
"""Averaged for every class of every case, whatever its pictures are."""


def class_vectors(encode_texts: EncodeTexts, classes: Sequence[str | tuple[str, ...]]) -> Float32:
    """Unit mean of the sentences about each class.

    Args:
        encode_texts: Words to unit rows ``[n, D]``.
        classes: The name of each of C classes, or all the names that people give it.

    Returns:
        Unit rows ``[C, D]`` float32.
    """
    names = [(given,) if isinstance(given, str) else given for given in classes]
    sentences = [t.format(name) for group in names for name in group for t in TEMPLATES]
    starts = np.cumsum([0, *(len(group) * len(TEMPLATES) for group in names[:-1])])
    sums = np.add.reduceat(encode_texts(sentences), starts, axis=0)
    unit: Float32 = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return unit


def right_class(images: Float32, classes: Float32, labels: Sequence[int]) -> Float32:
    """Whether the nearest class is the right one, ``[n]`` float32 of 0 and 1."""
    nearest = (images @ classes.T).argmax(axis=1)
    right: Float32 = (nearest == np.asarray(labels)).astype(np.float32)
    return right
