"""One vector for an item from its picture and its words, either of which may be missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from encoders.base import Float32


def fuse(
    image: Float32,
    has_image: NDArray[np.bool_],
    text: Float32,
    has_text: NDArray[np.bool_],
    *,
    image_weight: float = 0.35,
) -> Float32:
    r"""Mix picture and words: ``normalise(w * image + (1 - w) * text)``.

    An item with one modality keeps that row as it is, so its place does not depend on the
    weight. An item with neither gets the zero row, whose cosine with everything is 0.

    Shapes:
        - image, text ``[n, D]`` float32, unit rows where the mask is true (anything elsewhere)
        - has_image, has_text ``[n]`` bool
        - returns ``[n, D]`` float32, unit rows, or zero where both masks are false

    Args:
        image: Picture rows.
        has_image: Which picture rows mean something.
        text: Word rows.
        has_text: Which word rows mean something.
        image_weight: Share w of the picture, in [0, 1].

    Raises:
        ValueError: Shapes disagree, or the weight is outside [0, 1].
    """
    _check(image, has_image, text, has_text, image_weight)
    image_share = np.where(has_text, image_weight, 1.0).astype(np.float32)
    text_share = np.where(has_image, 1.0 - image_weight, 1.0).astype(np.float32)
    mixed: Float32 = np.zeros_like(image, dtype=np.float32)
    # Masked rows may hold NaN, so they are left out instead of multiplied by zero.
    mixed[has_image] += image_share[has_image, None] * image[has_image]
    mixed[has_text] += text_share[has_text, None] * text[has_text]
    length = np.linalg.norm(mixed, axis=1, keepdims=True)
    np.divide(mixed, length, out=mixed, where=length > 0)
    return mixed


def _check(
    image: Float32,
    has_image: NDArray[np.bool_],
    text: Float32,
    has_text: NDArray[np.bool_],
    image_weight: float,
) -> None:
    if image.ndim != 2 or image.shape != text.shape:
        raise ValueError(
            f"image is {image.shape} and text is {text.shape}: both must be the same [n, D]"
        )
    for name, mask in (("has_image", has_image), ("has_text", has_text)):
        if mask.dtype != np.bool_ or mask.shape != image.shape[:1]:
            raise ValueError(
                f"{name} is {mask.dtype} {mask.shape}, expected bool ({image.shape[0]},)"
            )
    if not 0.0 <= image_weight <= 1.0:
        raise ValueError(f"image_weight is {image_weight}, expected a share from 0 to 1")
