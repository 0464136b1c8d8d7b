"""A photo that shows many things at once: asked in crops, an item counts by its best ones."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from encoders import ImageError
from engine.interactions import Floats

SCALES = (1.0, 1 / 2, 1 / 3)
BEST_CROPS = 2
"""Chosen on the training rooms of the benchmark of the encoders."""
MAX_SIDE = 1_200
"""Longest side of the photo that crops are cut from, in pixels; encoders see far fewer."""


def windows(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Crops (left, top, right, bottom) of a picture: 1 + 3x3 + 5x5, each half over the next."""
    boxes = []
    for scale in SCALES:
        across, down = max(round(width * scale), 1), max(round(height * scale), 1)
        steps = 2 * round(1 / scale) - 1
        for top in np.linspace(0, height - down, steps).round().astype(int).tolist():
            for left in np.linspace(0, width - across, steps).round().astype(int).tolist():
                boxes.append((left, top, left + across, top + down))
    return boxes


def crops(photo: bytes) -> list[bytes]:
    """Every window of a photo as a PNG file; the first is the whole photo.

    Raises:
        ImageError: The photo cannot be read.
    """
    try:
        with Image.open(BytesIO(photo)) as picture:
            picture.draft("RGB", (MAX_SIDE, MAX_SIDE))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise ImageError(f"the photo cannot be read: {error}") from error
    upright.thumbnail((MAX_SIDE, MAX_SIDE))
    files = []
    for box in windows(*upright.size):
        file = BytesIO()
        upright.crop(box).save(file, "PNG", compress_level=1)
        files.append(file.getvalue())
    return files


def best_crops(scores: Floats, best: int = BEST_CROPS) -> Floats:
    """Mean of each item's best crops: float32 ``[I, crops]`` to ``[I]``."""
    mean: Floats = np.sort(scores, axis=1)[:, -best:].mean(axis=1)
    return mean
