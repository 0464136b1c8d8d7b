"""From a picture file to the pixels that a model sees.

Pixels stay bytes until they are on the model's device, where a batch is scaled in one step: a
quarter of the memory while they wait, and a quarter of the way to a GPU.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from encoders.base import Preprocessing
from encoders.images import decode_image

Box: TypeAlias = tuple[float, float, float, float]

_SPARE = 2
"""Photos are unpacked at the smallest size that still has so many times the pixels per side: at
2,000 pixels a quarter of the time, at a mean cosine of 0.999 to the bundled model's full row."""
_GAP = 3.0
"""Other pictures are first averaged down to so many times the size or more, then resampled."""

_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


def prepare_picture(data: bytes, how: Preprocessing) -> NDArray[np.uint8]:
    """Decode a picture file and bring it to the model's size, as open_clip's transform does.

    Differs from that transform only where a photo is much larger than the model's input: then it
    is reduced while it is unpacked.

    Returns:
        Pixels ``[height, width, 3]`` uint8.

    Raises:
        ImageError: The file cannot be read.
    """
    height, width = how.size
    picture = decode_image(data, at_least=(_SPARE * width, _SPARE * height))
    return np.array(_fit(picture, how))


def scale_pixels(pixels: Tensor, how: Preprocessing) -> Tensor:
    """Scale a batch of pixels to what the model was trained on.

    Args:
        pixels: ``[B, height, width, 3]`` uint8, on the model's device.
        how: Mean and standard deviation.

    Returns:
        ``[B, 3, height, width]`` float32. In memory the channels come last, which is how the
        pixels came, and what convolutions are quickest on.
    """
    width = pixels.shape[2]
    std = torch.tensor(how.std, device=pixels.device)
    shift = -torch.tensor(how.mean, device=pixels.device) / std
    # A whole row at a time: three channels at a time would be too short for vector instructions.
    rows = pixels.flatten(2).float()
    scaled = torch.addcmul(shift.repeat(width), rows, (1 / (255 * std)).repeat(width))
    return scaled.view(pixels.shape).permute(0, 3, 1, 2)


def _fit(picture: Image.Image, how: Preprocessing) -> Image.Image:
    height, width = how.size
    if how.resize_mode == "squash":
        return _resize(picture, (width, height), how)
    if how.resize_mode == "longest":
        ratio = max(picture.width / width, picture.height / height)
        inner = _resize(picture, (_side(picture.width, ratio), _side(picture.height, ratio)), how)
        canvas = Image.new("RGB", (width, height), (how.fill_color,) * 3)
        canvas.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
        return canvas
    return _resize(picture, (width, height), how, _centre(picture.size, how))


def _side(pixels: int, ratio: float) -> int:
    return max(1, round(pixels / ratio))


def _centre(size: tuple[int, int], how: Preprocessing) -> Box:
    """The part of the picture that remains when the resized picture's centre is cut out.

    Resampling only that part gives the same pixels for less work. Sizes and offsets are rounded
    as torchvision rounds them.
    """
    height, width = how.size
    ratio = min(size[0] / width, size[1] / height)
    box: list[float] = []
    for old, new in zip(size, (width, height), strict=True):
        resized = round(old / ratio)
        if height == width:  # Here open_clip takes torchvision's resize, which rounds down.
            resized = int(old * new / min(size))
        resized = max(new, resized)
        start = round((resized - new) / 2)
        box += [start * old / resized, (start + new) * old / resized]
    left, right, top, bottom = box
    return left, top, min(right, size[0]), min(bottom, size[1])


def _resize(
    picture: Image.Image, size: tuple[int, int], how: Preprocessing, box: Box | None = None
) -> Image.Image:
    return picture.resize(size, _FILTERS[how.interpolation], box=box, reducing_gap=_GAP)
