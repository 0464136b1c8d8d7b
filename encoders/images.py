"""Decoding pictures that strangers made.

Every file is untrusted: it may be cut off, be no picture at all, or unpack to gigabytes. What
comes out is an upright RGB picture, or an :class:`ImageError` that says what is wrong.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 40_000_000
MAX_BYTES = 20_000_000

# Decoders that the shop needs. EPS would start Ghostscript, and rarely used ones are rarely
# hardened.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")


class ImageError(ValueError):
    """A picture cannot be read.

    Attributes:
        reason: What is wrong with it.
        position: Its index in the batch, if it came in one.
    """

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason if position is None else f"image {position}: {reason}")
        self.reason = reason
        self.position = position


def decode_image(
    data: bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Image.Image:
    """Decode one picture file to RGB.

    The first frame of an animation is taken, rotation by EXIF is applied, transparency is laid
    over white, 16-bit samples are scaled to 8 bits, and CMYK and palettes are converted.

    Args:
        data: The file's bytes (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or PPM).
        max_pixels: Larger pictures are rejected before they are unpacked.
        max_bytes: Larger files are rejected before they are opened.

    Returns:
        A picture of mode RGB, at least 1 x 1 pixel.

    Raises:
        ImageError: Not a picture, cut off, or too large.
    """
    if not data:
        raise ImageError("0 bytes, expected a picture file")
    if len(data) > max_bytes:
        raise ImageError(f"{len(data):,} bytes, at most {max_bytes:,} are read: shrink the file")
    try:
        with Image.open(BytesIO(data), formats=_formats()) as picture:
            _check_pixels(picture.size, max_pixels)
            picture.load()
            return _to_rgb(ImageOps.exif_transpose(picture))
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"too many pixels: {error}") from error
    except Exception as error:  # On hostile bytes, Pillow's decoders raise whatever they like.
        raise ImageError(f"{_what_is_wrong(data)} ({type(error).__name__}: {error})") from error


@cache
def _formats() -> tuple[str, ...]:
    Image.init()  # AVIF is not in every build of Pillow.
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"{width} x {height} pixels, expected at least 1 x 1")
    if width * height > max_pixels:
        raise ImageError(
            f"{width} x {height} pixels, at most {max_pixels:,} are unpacked: shrink the picture"
        )


def _what_is_wrong(data: bytes) -> str:
    head = data[:512].lstrip().lower()
    if head.startswith((b"<svg", b"<?xml")):
        return "an SVG drawing: rasterise it to PNG first"
    if head.startswith((b"<!doctype", b"<html")):
        return "an HTML page instead of a picture"
    return "not a readable picture, or cut off; expected JPEG, PNG, WebP, GIF, BMP or TIFF"


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return _deep_grey_to_rgb(picture)
    if "A" in picture.getbands() or "transparency" in picture.info or picture.mode == "La":
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")


def _deep_grey_to_rgb(picture: Image.Image) -> Image.Image:
    # Pillow clips deeper grey at 255 when it converts, which turns most pictures white.
    samples = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    top = float(samples.max(initial=0.0))
    white = 1.0 if picture.mode == "F" and top <= 1.0 else 255.0
    if top > 255.0:
        white = 65535.0 if top <= 65535.0 else top
    if picture.mode.startswith("I"):
        white = max(white, 65535.0)
    grey = np.clip(samples / white * 255.0, 0, 255).round().astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
