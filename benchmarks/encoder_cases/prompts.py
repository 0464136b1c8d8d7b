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


def class_vectors(encode_texts: EncodeTexts, names: Sequence[str]) -> Float32:
    """Unit mean of each name's sentences.

    Args:
        encode_texts: Words to unit rows ``[n, D]``.
        names: C class names.

    Returns:
        Unit rows ``[C, D]`` float32.
    """
    sentences = [template.format(name) for name in names for template in TEMPLATES]
    rows = encode_texts(sentences)
    means = rows.reshape(len(names), len(TEMPLATES), -1).mean(axis=1)
    unit: Float32 = means / np.linalg.norm(means, axis=1, keepdims=True)
    return unit


def right_class(images: Float32, classes: Float32, labels: Sequence[int]) -> Float32:
    """Whether the nearest class is the right one, ``[n]`` float32 of 0 and 1."""
    nearest = (images @ classes.T).argmax(axis=1)
    right: Float32 = (nearest == np.asarray(labels)).astype(np.float32)
    return right
