"""Decoding pictures that strangers made.

Every file is untrusted: it may be cut off, be no picture at all, or unpack to gigabytes. What
comes out is an upright sRGB picture, or an :class:`ImageError` that says what is wrong.

Memory is bounded: whatever the file, decoding it takes at most :data:`MAX_MEMORY` bytes beside
the file itself. Where the caller says how many pixels it needs, a photo (JPEG) costs what its
reduced size costs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

MAX_PIXELS: Final = 40_000_000
"""Pixels that one picture may unpack to."""
MAX_BYTES: Final = 20_000_000
"""Bytes that one file may have."""
MAX_MEMORY: Final = 512 << 20
"""Bytes that decoding one file may take, with the limits above; tested with the worst files."""

# Decoders that the shop needs. EPS would start Ghostscript, and rarely used ones are rarely
# hardened. That of AVIF unpacks what the stream says, whatever the file's header claims: 3 KB
# that claim 16 x 16 pixels take gigabytes, and Pillow has no means to limit it.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_HUNGRY = "WEBP"  # Its decoder has several buffers of its own: half as many pixels.
_WHOLE_TO_REDUCED = 4  # How many pixels a JPEG may have for each that it is reduced to.
_MAX_SCANS = 500  # A progressive JPEG has about ten; each can cost a pass over all pixels.
_MAX_EXIF_BLOCKS = 16  # A photo has one, and one more for each photo that it holds.
_MAX_EXIF_BYTES = 1 << 20
_MAX_TIFF_NUMBERS_BYTES = 2 << 20  # Of tags; Pillow makes an object of each number.
_TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_SIZES = np.array([0, 0, 0, 2, 4, 8, 1, 0, 2, 4, 8, 4, 8, 4, 0, 0, 8], dtype=np.uint64)
"""Bytes of a number by TIFF type; 0 for text and raw bytes."""
_TIFF_BLOCKS = (0x8769, 0x8825, 0xA005)  # Exif, GPS, interoperability.
_TILE_SIDE = 1024  # Deep grey is scaled in squares of this side.
_MAX_PROFILE_BYTES = 4 << 20
_PROFILE_SPACES = {"RGB": "RGB ", "CMYK": "CMYK", "L": "GRAY"}
_TILE_SIZE_TAGS = (0x0142, 0x0143)
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_QUARTER_TURNS = {_TURNS[orientation] for orientation in (5, 6, 7, 8)}
_NO_PICTURES = (
    (b"<svg", "an SVG drawing: rasterise it to PNG first"),
    (b"<?xml", "an SVG drawing or other XML: rasterise it to PNG first"),
    (b"<!doctype", "an HTML page instead of a picture: check the address that it came from"),
    (b"<html", "an HTML page instead of a picture: check the address that it came from"),
    (b"%pdf", "a PDF document: save its page as PNG or JPEG first"),
    (b"%!ps", "a PostScript drawing: rasterise it to PNG first"),
)
_BRANDS = {
    b"avif": "an AVIF picture, whose decoder knows no limit of memory: save it as WebP or JPEG",
    b"avis": "an AVIF animation: save a frame of it as WebP or JPEG",
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
        "a HEIC photo: save it as JPEG first",
    ),
}


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
    data: bytes,
    *,
    at_least: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
) -> Image.Image:
    """Decode one picture file to RGB.

    The first frame of an animation is taken, rotation by EXIF is applied, transparency is laid
    over white, 16-bit samples are scaled to 8 bits, CMYK and palettes are converted, and colours
    under an embedded ICC profile (Display P3, Adobe RGB, a press's CMYK) are brought to sRGB; a
    profile that makes no sense is passed over.

    Args:
        data: The file's bytes (JPEG, PNG, WebP, GIF, BMP, TIFF or PPM).
        at_least: Width and height in pixels that will be needed of the upright picture. A JPEG
            is then unpacked at 1/2, 1/4 or 1/8 of its size where that leaves at least as much on
            both sides. Other formats are not affected.
        max_pixels: A picture that unpacks to more is rejected before it is unpacked. WebP
            takes twice the memory, and may unpack to half as many.
        max_bytes: Larger files are rejected before they are opened.

    Returns:
        A picture of mode RGB, at least 1 x 1 pixel.

    Raises:
        ImageError: Not a picture, cut off, or too large.
        ValueError: ``at_least`` is not positive.
    """
    if at_least is not None and min(at_least) < 1:
        raise ValueError(f"at_least is {at_least}, expected 1 x 1 pixel or more")
    if not data:
        raise ImageError("0 bytes, expected a picture file")
    if len(data) > max_bytes:
        raise ImageError(f"{len(data):,} bytes, at most {max_bytes:,} are read: shrink the file")
    try:
        picture, turn = _decode(data, at_least, max_pixels)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"too many pixels, shrink the picture: {error}") from error
    except UnidentifiedImageError as error:
        raise ImageError(_what_is_wrong(data, error)) from error
    except Exception as error:  # On hostile bytes, Pillow's decoders raise whatever they like.
        reason = f"{_what_is_wrong(data, error)} ({type(error).__name__}: {error})"
        raise ImageError(reason) from error
    return picture if turn is None else picture.transpose(turn)


def _decode(
    data: bytes, at_least: tuple[int, int] | None, max_pixels: int
) -> tuple[Image.Image, Image.Transpose | None]:
    """The picture as it lies in the file, and how to turn it.

    The turning is left to the caller, when what the decoder held has been let go.
    """
    _check_metadata(data)
    with Image.open(BytesIO(data), formats=_FORMATS) as picture:
        if at_least is not None and isinstance(picture, JpegImageFile):
            _reduce(picture, at_least, data, max_pixels)
        _check_pixels(picture, data, max_pixels)
        picture.load()
        turn = _turn(picture)
        return _to_srgb(_flatten(picture), picture.info.get("icc_profile")), turn


def _check_metadata(data: bytes) -> None:
    """Pillow reads metadata on opening: refuse what would become millions of objects."""
    if data.startswith(b"\xff\xd8") and data.count(b"Exif\0\0") > _MAX_EXIF_BLOCKS:
        raise ImageError("more metadata than picture: save the JPEG without its metadata")
    if data[:2] not in (b"II", b"MM"):
        return
    order = _TIFF_ORDERS.get(data[:4])
    if order is None:
        raise ImageError("not a picture, or an unusual TIFF: save it as PNG first")
    (offset,) = struct.unpack_from(f"{order}L", data, 4)
    (n_tags,) = struct.unpack_from(f"{order}H", data, offset)
    entry = [("tag", "u2"), ("type", "u2"), ("count", "u4"), ("value", "u4")]
    kind = np.dtype([(name, f"{order}{size}") for name, size in entry])
    tags = np.frombuffer(data, kind, n_tags, offset + 2)
    tags = tags[tags["type"] < len(_TIFF_SIZES)]
    if (tags["count"] * _TIFF_SIZES[tags["type"]]).sum() > _MAX_TIFF_NUMBERS_BYTES:
        raise ImageError("more metadata than picture: save the TIFF without its metadata")


def _reduce(
    picture: JpegImageFile, at_least: tuple[int, int], data: bytes, max_pixels: int
) -> None:
    """Have a JPEG unpacked at a fraction of its size, if that leaves enough.

    One scan of all colours is unpacked row by row; of anything else, the decoder keeps every
    coefficient of the whole picture, so its whole size counts.
    """
    width, height = picture.size
    layers = len(picture.getbands())
    header = struct.pack(">HB", 6 + 2 * layers, layers)  # Of the first scan: it was read last.
    read = picture.fp.tell() if picture.fp else 0
    in_one_scan = data.startswith(header, read - 6 - 2 * layers)
    if "progressive" in picture.info or not in_one_scan:
        _check_size(width, height, max_pixels)
    _check_size(width, height, _WHOLE_TO_REDUCED * max_pixels)
    upright = (at_least[1], at_least[0]) if _turn(picture) in _QUARTER_TURNS else at_least
    picture.draft(None, upright)


def _check_pixels(picture: Image.Image, data: bytes, max_pixels: int) -> None:
    width, height = picture.size
    _check_size(width, height, max_pixels // 2 if picture.format == _HUNGRY else max_pixels)
    if isinstance(picture, TiffImageFile):  # A tile is unpacked whole, and may exceed the picture.
        tile_width, tile_height = (int(picture.tag_v2.get(tag, 1)) for tag in _TILE_SIZE_TAGS)
        _check_size(tile_width, tile_height, max_pixels)
        exif = picture.getexif()
        for block in _TIFF_BLOCKS:  # They would be read with the pixels.
            if block in exif:
                del exif[block]
    if "progressive" in picture.info and data.count(b"\xff\xda") > _MAX_SCANS:
        raise ImageError(f"more than {_MAX_SCANS} scans, expected about 10: save the JPEG again")


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{width} x {height} pixels, expected at least 1 x 1")
    if width * height > max_pixels:
        raise ImageError(
            f"{width} x {height} pixels, at most {max_pixels:,} are unpacked: shrink the picture"
        )


def _turn(picture: Image.Image) -> Image.Transpose | None:
    if len(picture.info.get("exif") or b"") > _MAX_EXIF_BYTES:
        return None
    try:
        return _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # Broken EXIF raises whatever it likes, and leaves a good picture as it lies.
        return None


def _flatten(picture: Image.Image) -> Image.Image:
    """The picture without transparency, palette or deep grey: mode L, RGB, CMYK or the like."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return _deep_grey_to_grey(picture)
    if picture.mode != "LA" and picture.has_transparency_data:
        picture = picture.convert("RGBA")
    if picture.mode in ("LA", "RGBA"):
        white = Image.new(picture.mode.removesuffix("A"), picture.size, "white")
        white.paste(picture, mask=picture.getchannel("A"))
        return white
    return picture.convert("RGB") if picture.mode == "P" else picture


def _deep_grey_to_grey(picture: Image.Image) -> Image.Image:
    # Pillow clips deeper grey at 255 when it converts, which turns most pictures white.
    top = max(float(samples.max()) for _, samples in _tiles(picture))
    white = 1.0 if picture.mode == "F" and top <= 1.0 else 255.0
    if top > 255.0:
        white = 65535.0 if top <= 65535.0 else top
    if picture.mode.startswith("I"):
        white = max(white, 65535.0)
    grey = Image.new("L", picture.size)
    for corner, samples in _tiles(picture):
        levels = np.clip(samples / white * 255.0, 0, 255).round().astype(np.uint8)
        grey.paste(Image.fromarray(levels), corner)
    return grey


def _tiles(picture: Image.Image) -> Iterator[tuple[tuple[int, int], NDArray[np.float64]]]:
    """Squares of samples with their upper left corners; all at once they would be float64."""
    width, height = picture.size
    for top in range(0, height, _TILE_SIDE):
        for left in range(0, width, _TILE_SIDE):
            box = (left, top, min(left + _TILE_SIDE, width), min(top + _TILE_SIDE, height))
            samples = np.asarray(picture.crop(box), dtype=np.float64)
            yield (left, top), np.nan_to_num(samples, posinf=0.0, neginf=0.0)


def _to_srgb(picture: Image.Image, profile: object) -> Image.Image:
    """A new picture of mode RGB, from any colours."""
    transform = None
    if picture.mode == "LAB":
        transform = _transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")
    elif isinstance(profile, bytes) and 128 <= len(profile) <= _MAX_PROFILE_BYTES:
        transform = _from_profile(profile, picture.mode)
    rgb = picture.convert("RGB") if transform is None else transform.apply(picture)
    rgb.info.clear()  # What it said of the file's colours and position holds no more.
    return rgb


@lru_cache(maxsize=8)
def _from_profile(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What brings a mode's colours to sRGB; None where nothing must be done, or nothing can."""
    if profile[16:20] != _PROFILE_SPACES.get(mode, "").encode():
        return None
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        if "sRGB" in (opened.profile.profile_description or ""):
            return None
        return _transform(opened, mode)
    except Exception:  # A profile that makes no sense; or Pillow was built without LittleCMS.
        return None


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.ImageCmsTransform(
        profile,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _what_is_wrong(data: bytes, error: Exception) -> str:
    head = data[:512].lstrip().lower()
    for beginning, reason in _NO_PICTURES:
        if head.startswith(beginning):
            return reason
    if data[4:8] == b"ftyp" and data[8:12] in _BRANDS:
        return _BRANDS[data[8:12]]
    if "MAX_TEXT" in str(error) or "text chunks" in str(error):
        return "more metadata than picture: save the PNG without its metadata"
    return "not a readable picture, or cut off; expected JPEG, PNG, WebP, GIF, BMP or TIFF"
