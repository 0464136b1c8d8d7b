"""Pictures made to break a decoder: each comes out right, or is rejected with a way to mend it."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, features

from encoders import ImageError, decode_image
from encoders.images import MAX_MEMORY

pytestmark = [
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
]


def saved(picture: Image.Image, format: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, format=format, **options)
    return file.getvalue()


def colours() -> Image.Image:
    """Twelve squares of 16 x 16 pixels, of colours that every ink and screen can show."""
    levels = np.array([(40, 60, 200), (200, 60, 40), (60, 160, 80), (230, 220, 60)], dtype=np.uint8)
    grid = np.stack([levels, levels // 2, 255 - levels // 3])
    return Image.fromarray(grid.repeat(16, axis=0).repeat(16, axis=1))


def difference(got: Image.Image, expected: Image.Image) -> float:
    """Largest difference of levels, in the middle of each square of `colours`."""
    assert got.mode == expected.mode == "RGB"
    assert got.size == expected.size
    a, b = (np.asarray(picture, dtype=int)[8::16, 8::16] for picture in (got, expected))
    return float(np.abs(a - b).max())


def chunk(kind: bytes, body: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + crc


def png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    colour: int = 2,
    unpacks_to: int = 0,
    extra: bytes = b"",
) -> bytes:
    """A PNG whose header claims a size; its pixels are zeros, as many bytes as are asked for."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    packer = zlib.compressobj(9)
    packed = [packer.compress(bytes(1 << 20)) for _ in range(unpacks_to >> 20)]
    packed.append(packer.compress(bytes(unpacks_to % (1 << 20))) + packer.flush())
    chunks = chunk(b"IHDR", header) + extra + chunk(b"IDAT", b"".join(packed)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def tiff(*tags: tuple[int, int, int, int], tail: bytes = b"") -> bytes:
    """A little-endian TIFF of (tag, type, count, value or offset), then any bytes."""
    body = b"".join(struct.pack("<HHLL", *tag) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + body + struct.pack("<L", 0) + tail


# Animations, depths and colours


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    lossless = {"lossless": True} if format == "WEBP" else {}
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], **lossless)
    assert decode_image(data).getcolors() == [(64, (255, 0, 0))]


def test_an_animation_cut_off_after_its_first_frame_still_shows_it() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    frames = [Image.fromarray(frame).quantize() for frame in noise]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_image(data[: len(data) * 2 // 3]).size == (32, 32)


def cmyk(rgb: Image.Image) -> Image.Image:
    return Image.merge("CMYK", [*rgb.convert("CMYK").split()])


def ycck_jpeg(picture: Image.Image) -> bytes:
    """The inks as Adobe writes them: cyan, magenta and yellow turned to YCbCr, all inverted."""
    *inks, black = picture.split()
    ycc = Image.merge("RGB", inks).convert("YCbCr").split()
    inverted = [plane.point(lambda level: 255 - level) for plane in ycc]
    data = saved(Image.merge("CMYK", [*inverted, black]), "JPEG", quality=100)
    adobe = data.index(b"Adobe")
    assert data[adobe + 11] == 0  # Adobe's transform: 0 is CMYK, 2 is YCCK.
    return data[: adobe + 11] + b"\2" + data[adobe + 12 :]


@pytest.mark.parametrize("write", [lambda inks: saved(inks, "JPEG", quality=100), ycck_jpeg])
def test_inks_of_a_press_give_the_colours_of_the_screen(
    write: Callable[[Image.Image], bytes],
) -> None:
    inks = cmyk(colours())
    assert difference(decode_image(write(inks)), colours()) <= 4
    halved = decode_image(
        write(inks.resize((128, 96), Image.Resampling.NEAREST)), at_least=(64, 48)
    )
    assert difference(halved, colours()) <= 4


def test_sixteen_bits_per_channel_keep_their_levels() -> None:
    samples = np.asarray(colours(), dtype=">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    height, width, _ = samples.shape
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    body = header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert difference(decode_image(b"\x89PNG\r\n\x1a\n" + body), colours()) == 0


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_grey_is_scaled_the_same_in_and_across_strips(mode: str) -> None:
    ramp = np.linspace(0, 65535, 2100 * 1100).reshape(2100, 1100)
    kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    data = saved(Image.fromarray(ramp.astype(kinds[mode])), "TIFF")
    stored = ramp.astype(kinds[mode]).astype(np.float64)
    expected = (stored / 65535 * 255).round()
    assert np.array_equal(np.asarray(decode_image(data))[..., 1], expected)


def test_not_a_number_and_infinity_are_black() -> None:
    samples = np.array([[0.0, 0.5, 1.0, np.nan, np.inf, -np.inf]], dtype=np.float32)
    got = np.asarray(decode_image(saved(Image.fromarray(samples), "TIFF")))[0, :, 0]
    assert got.tolist() == [0, 128, 255, 0, 0, 0]


def test_one_bit_is_black_and_white() -> None:
    picture = Image.new("1", (9, 2), 1)
    picture.putpixel((3, 1), 0)
    decoded = decode_image(saved(picture, "PNG"))
    assert sorted(decoded.getcolors()) == [(1, (0, 0, 0)), (17, (255, 255, 255))]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_is_seen_through_is_white(mode: str) -> None:
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (40, 40, 40, 255))
    data = saved(picture.convert(mode), "TIFF" if mode == "LA" else "PNG")
    assert np.asarray(decode_image(data)).tolist() == [[[255] * 3, [40] * 3]]


def test_a_transparent_colour_of_sixteen_bits_is_no_obstacle() -> None:
    data = png(4, 4, depth=16, unpacks_to=4 * 25, extra=chunk(b"tRNS", b"\xff\xfe" * 3))
    assert decode_image(data).getcolors() == [(16, (0, 0, 0))]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_rotation_is_undone(orientation: int, format: str) -> None:
    # The EXIF standard names the sides of the upright picture on which the stored row 0 and the
    # stored column 0 lie.
    row_0, column_0 = [
        ("top", "left"),
        ("top", "right"),
        ("bottom", "right"),
        ("bottom", "left"),
        ("left", "top"),
        ("right", "top"),
        ("right", "bottom"),
        ("left", "bottom"),
    ][orientation - 1]
    stored = np.asarray(colours())
    if row_0 in ("left", "right"):
        stored = stored.swapaxes(0, 1)
    stored = stored[:: -1 if row_0 in ("bottom", "right") else 1]
    stored = stored[:, :: -1 if column_0 in ("bottom", "right") else 1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    quality = {"lossless": True} if format == "WEBP" else {"quality": 100, "subsampling": 0}
    picture = Image.fromarray(np.ascontiguousarray(stored))
    data = saved(picture, format, exif=exif, **quality)
    assert difference(decode_image(data), colours()) <= 4
    doubled = picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.NEAREST)
    if format == "JPEG":
        data = saved(doubled, format, exif=exif, **quality)
        assert difference(decode_image(data, at_least=colours().size), colours()) <= 4


def test_broken_exif_leaves_a_good_picture_as_it_lies() -> None:
    data = saved(colours(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage", quality=100)
    assert decode_image(data, at_least=(4, 4)).size[0] >= 4
    assert difference(decode_image(data), colours()) <= 12


# Colours that a screen of the web does not have


def profile(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


def wide_gamut(red: tuple[float, float, float] = (0.515, 0.241, -0.001)) -> bytes:
    """Display P3: the profile of sRGB with other primaries (columns of its matrix, in D50)."""

    def s15(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    green, blue = (0.292, 0.692, 0.042), (0.157, 0.067, 0.784)
    data = bytearray(profile("sRGB"))
    n_tags = struct.unpack_from(">I", data, 128)[0]
    where = {}
    for i in range(n_tags):
        tag, offset, size = struct.unpack_from(">4sII", data, 132 + 12 * i)
        where[tag] = (offset, size)
    for tag, column in {b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue}.items():
        offset, _ = where[tag]
        data[offset + 8 : offset + 20] = s15(*column)
    offset, size = where[b"desc"]
    data[offset : offset + size] = data[offset : offset + size].replace(
        b"s\0R\0G\0B", b"w\0i\0d\0e"
    )
    return bytes(data)


needs_lcms = pytest.mark.skipif(not features.check("littlecms2"), reason="Pillow without LittleCMS")


@needs_lcms
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_wide_gamut_is_brought_to_srgb(format: str) -> None:
    # Linear P3 (0.578, 0.021, 0.021), times the matrix from P3 to sRGB: (0.703, -0.002, 0.010).
    picture = Image.new("RGB", (16, 16), (200, 40, 40))
    options = {"lossless": True} if format == "WEBP" else {"quality": 100}
    with_profile = decode_image(saved(picture, format, icc_profile=wide_gamut(), **options))
    got = np.array(with_profile.getpixel((8, 8)))
    assert np.abs(got - (218, 0, 25)).max() <= 4
    without = decode_image(saved(picture, format, **options))
    assert np.abs(np.array(without.getpixel((8, 8))) - (200, 40, 40)).max() <= 2


@pytest.mark.parametrize(
    "icc", [b"", b"nonsense", bytes(200), profile("sRGB"), profile("LAB"), wide_gamut()[:300]]
)
def test_a_profile_that_says_nothing_new_or_makes_no_sense_changes_nothing(icc: bytes) -> None:
    data = saved(colours(), "PNG", icc_profile=icc)
    assert difference(decode_image(data), colours()) == 0


@needs_lcms
def test_lab_colours_become_those_of_the_screen() -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(colours(), to_lab)
    assert difference(decode_image(saved(lab, "TIFF")), colours()) <= 10  # 8 bits of a and b.


# Sizes


@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1), (1, 1)])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "TIFF"])
def test_thin_pictures_are_read_whole(size: tuple[int, int], format: str) -> None:
    data = saved(Image.new("RGB", size, "red"), format)
    assert decode_image(data).size == size
    assert decode_image(data, at_least=(224, 224)).size == size


@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    needed=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    orientation=st.integers(1, 8),
)
@settings(max_examples=60, deadline=None)
def test_a_photo_is_never_reduced_below_what_is_needed(
    width: int, height: int, needed: tuple[int, int], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.new("RGB", (width, height)), "JPEG", exif=exif)
    full = decode_image(data)
    reduced = decode_image(data, at_least=needed)
    for whole, less, least in zip(full.size, reduced.size, needed, strict=True):
        assert less >= min(whole, least)
        assert less in {-(-whole // scale) for scale in (1, 2, 4, 8)}


def test_a_large_photo_is_reduced_and_its_colours_stay() -> None:
    data = saved(colours().resize((1024, 768), Image.Resampling.NEAREST), "JPEG", quality=95)
    reduced = decode_image(data, at_least=(64, 48))
    assert reduced.size == (128, 96)
    squares = reduced.resize((64, 48), Image.Resampling.BOX)
    assert difference(squares, colours()) <= 12
    assert decode_image(saved(colours(), "PNG"), at_least=(8, 8)).size == (64, 48)


def test_a_photo_counts_by_what_it_is_reduced_to() -> None:
    picture = Image.new("RGB", (200, 100), "red")
    baseline, progressive = saved(picture, "JPEG"), saved(picture, "JPEG", progressive=True)
    assert decode_image(baseline, max_pixels=5_000, at_least=(50, 25)).size == (50, 25)
    for data, at_least in ((baseline, None), (baseline, (150, 75)), (progressive, (50, 25))):
        with pytest.raises(ImageError, match="at most 5,000 are unpacked: shrink"):
            decode_image(data, max_pixels=5_000, at_least=at_least)
    with pytest.raises(ImageError, match="at most 19,996 are unpacked: shrink"):
        decode_image(baseline, max_pixels=4_999, at_least=(50, 25))  # 4 for each at most.


def test_scans_one_by_one_are_not_taken_for_a_single_one() -> None:
    data = bytearray(saved(Image.new("RGB", (200, 100), "red"), "JPEG", subsampling=0))
    scan = data.index(b"\xff\xda")
    assert data[scan + 2 : scan + 5] == b"\0\x0c\x03"
    one_colour = data[:scan] + b"\xff\xda\0\x08\1\1\0\0\x3f\0" + data[scan + 14 :]
    with pytest.raises(ImageError, match="at most 5,000 are unpacked"):
        decode_image(bytes(one_colour), max_pixels=5_000, at_least=(50, 25))


@pytest.mark.parametrize("at_least", [(0, 5), (5, -1)])
def test_needing_no_pixels_is_the_callers_error(at_least: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected 1 x 1 pixel or more") as caught:
        decode_image(saved(colours(), "PNG"), at_least=at_least)
    assert not isinstance(caught.value, ImageError)


# What is no picture


@pytest.mark.parametrize(
    ("data", "mend"),
    [
        (b"", "expected a picture file"),
        (b"\0" * 1000, "expected JPEG, PNG"),
        (b"  <svg xmlns='http://www.w3.org/2000/svg'/>", "rasterise it to PNG"),
        (b"<?xml version='1.0'?><svg/>", "rasterise it to PNG"),
        (b"<html><body>404</body></html>", "check the address"),
        (b"%PDF-1.7\n1 0 obj", "save its page as PNG or JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "rasterise it to PNG"),
        (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1" + bytes(100), "save it as WebP or JPEG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "save it as JPEG"),
    ],
)
def test_what_is_no_picture_is_told_how_to_become_one(data: bytes, mend: str) -> None:
    with pytest.raises(ImageError, match=mend):
        decode_image(data)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_off_anywhere_is_rejected(format: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), format)
    with pytest.raises(ImageError, match="cut off"):
        decode_image(data[: int(len(data) * share)])


# Bombs


def gif_screen(width: int, height: int) -> bytes:
    small = saved(Image.new("P", (1, 1)), "GIF")
    return small[:6] + struct.pack("<HH", width, height) + small[10:]


def many_scans(count: int) -> bytes:
    data = saved(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def overlapping_tags() -> bytes:
    """65,000 tags, each of which claims the same 8 MB."""
    size = 8 << 20
    used = {tag for tag, *_ in PIXEL}
    filler = [(tag, 1, size, 8) for tag in range(300, 65_300) if tag not in used]
    return tiff(*PIXEL, *filler, tail=bytes(size))


PIXEL = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8)]
PIXEL += [(277, 3, 1, 1), (278, 4, 1, 1), (279, 4, 1, 1)]
"""Tags of a TIFF of one grey pixel."""


def blocks_of_numbers() -> bytes:
    """A TIFF whose EXIF and GPS blocks hold nine million numbers each."""
    count = 9_500_000
    start = 8 + 2 + 12 * (len(PIXEL) + 2) + 4
    block = struct.pack("<H", 1) + struct.pack("<HHLL", 0x9286, 3, count, start + 32) + bytes(18)
    blocks = [(34665, 4, 1, start), (34853, 4, 1, start)]
    return tiff(*PIXEL, *blocks, tail=block + np.arange(count, dtype="<u2").tobytes())


def fractions(count: int) -> tuple[tuple[int, int, int, int], bytes]:
    """A tag of a resolution that is millions of fractions, for offset 1000, and the fractions."""
    return (282, 5, count, 1000), np.arange(1, 2 * count + 1, dtype="<u4").tobytes()


def resolution_of_fractions() -> bytes:
    tag, numbers = fractions(2_400_000)
    return tiff(*PIXEL, tag, tail=bytes(1000 - (8 + 2 + 12 * (len(PIXEL) + 1) + 4)) + numbers)


def exif_in_pieces() -> bytes:
    """A JPEG of many EXIF blocks, which together make one of millions of fractions."""
    tag, numbers = fractions(2_400_000)
    exif = tiff(tag, (0x0112, 4, 4_000_000, 1000)).ljust(1000, b"\0") + numbers
    pieces = [exif[at : at + 65_000] for at in range(0, len(exif), 65_000)]
    blocks = [b"Exif\0\0" + piece for piece in pieces]
    packed = [b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block for block in blocks]
    data = saved(Image.new("RGB", (8, 8)), "JPEG")
    jfif = data.index(b"JFIF") - 4
    return data[:2] + b"".join(packed) + data[jfif + 18 :]


def exif_of_a_png() -> bytes:
    count = 9_500_000
    exif = tiff((0x0112, 3, count, 1000)).ljust(1000, b"\0")
    return png(
        8,
        8,
        unpacks_to=8 * 25,
        extra=chunk(b"eXIf", exif + np.arange(count, dtype="<u2").tobytes()),
    )


def huge_tile() -> bytes:
    side = 40_000
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1600)) + packer.flush()
    tags = [(256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    tags += [(277, 3, 1, 1), (322, 4, 1, side), (323, 4, 1, side)]
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    return tiff(*tags, (324, 4, 1, start), (325, 4, 1, len(packed)), tail=packed)


def deep_colours() -> bytes:
    """A TIFF of 40 megapixels in one strip, with 16 bits for each of red, green, blue, alpha."""
    width, height = 8000, 5000
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(8 * width)) for _ in range(height)) + packer.flush()
    tags = [(256, 4, 1, width), (257, 4, 1, height), (259, 3, 1, 8), (262, 3, 1, 2)]
    tags += [(277, 3, 1, 4), (278, 4, 1, height), (284, 3, 1, 1), (338, 3, 1, 2)]
    start = 8 + 2 + 12 * (len(tags) + 3) + 4
    tags += [(258, 3, 4, start), (273, 4, 1, start + 8), (279, 4, 1, len(packed))]
    return tiff(*tags, tail=struct.pack("<4H", 16, 16, 16, 16) + packed)


def metadata_bomb(kind: bytes) -> bytes:
    packed = zlib.compress(bytes(200 << 20), 9)
    head = {b"zTXt": b"a\0\0", b"iCCP": b"a\0\0", b"iTXt": b"a\0\1\0\0\0"}[kind]
    return png(4, 4, unpacks_to=4 * 13, extra=chunk(kind, head + packed))


def lut_bomb() -> bytes:
    """A profile of 400 bytes whose table of colours claims 400 MB."""
    grid, inputs, outputs = 120, 4, 1
    table = struct.pack(">4sIBBBB", b"mft2", 0, inputs, outputs, grid, 0) + bytes(36)
    table += struct.pack(">HH", 2, 2) + bytes(40)
    head = struct.pack(">I4sI4s4s4s", 0, b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(88)
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(table))
    icc = head + tags + table
    icc = struct.pack(">I", len(icc)) + icc[4:]
    return saved(Image.new("CMYK", (8, 8)), "JPEG", icc_profile=icc)


def largest(
    mode: str, format: str, size: tuple[int, int] = (8000, 5000), **options: object
) -> bytes:
    return saved(Image.new(mode, size), format, **options)


HARMLESS_OR_REJECTED: dict[str, tuple[Callable[[], bytes], str | None]] = {
    # None: it is decoded; otherwise what the reason says.
    "30,000 x 30,000 png": (lambda: png(30_000, 30_000), "pixels"),
    "30,000 x 30,000 unpacking to 900 MB": (
        lambda: png(30_000, 30_000, colour=0, unpacks_to=900 << 20),
        "pixels",
    ),
    "a PNG of few pixels that unpacks to 1 GB": (lambda: png(8, 8, unpacks_to=1 << 30), None),
    "a line of 2**31 - 1 pixels": (lambda: png(2**31 - 1, 1, depth=16, colour=6), "pixels"),
    "a gif screen of 65,535 x 65,535": (lambda: gif_screen(65_535, 65_535), "pixels"),
    "a gif screen of 40 megapixels": (lambda: gif_screen(8000, 5000), None),
    "zTXt": (lambda: metadata_bomb(b"zTXt"), "without its metadata"),
    "iTXt": (lambda: metadata_bomb(b"iTXt"), "without its metadata"),
    "iCCP": (lambda: metadata_bomb(b"iCCP"), "without its metadata"),
    "65,000 tags that overlap": (overlapping_tags, None),
    "a tiff of fractions": (resolution_of_fractions, "without its metadata"),
    "exif and gps of a tiff": (blocks_of_numbers, None),
    "exif of a jpeg": (exif_in_pieces, "without its metadata"),
    "exif of a png": (exif_of_a_png, None),
    "a big tiff": (lambda: b"II+\0" + bytes(100), "save it as PNG"),
    "a tile larger than its picture": (huge_tile, "pixels"),
    "10,000 scans": (lambda: many_scans(10_000), "more than 500 scans"),
    "a table of colours": (lut_bomb, None),
    "largest CMYK JPEG": (lambda: largest("CMYK", "JPEG", progressive=True), None),
    "largest PNG with alpha": (lambda: largest("RGBA", "PNG", compress_level=1), None),
    "largest TIFF of 32 bits": (lambda: largest("F", "TIFF", compression="tiff_deflate"), None),
    "largest TIFF of 16 bits": (deep_colours, None),
    "largest WebP": (lambda: largest("RGBA", "WEBP", (5000, 4000), lossless=True, method=0), None),
    "largest TIFF with a profile": (
        lambda: largest("RGBA", "TIFF", compression="tiff_deflate", icc_profile=wide_gamut()),
        None,
    ),
    "largest turned photo": (lambda: largest("RGB", "JPEG", exif=turned_exif()), None),
}


def turned_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


DECODE_ALONE = """
    import importlib.util, json, resource, sys, warnings
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    spec = importlib.util.spec_from_file_location("images", sys.argv[1])
    images = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(images)
    images.Image.init()
    data = sys.stdin.buffer.read()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reason = None
    try:
        images.decode_image(data)
    except images.ImageError as error:
        reason = str(error)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([reason, (peak - before) * 1024]))
"""
"""The decoder by itself, without torch, so that the peak is its own."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are told in KB on Linux")
@pytest.mark.parametrize("name", HARMLESS_OR_REJECTED)
def test_no_file_takes_more_than_the_set_memory(name: str) -> None:
    make, mend = HARMLESS_OR_REJECTED[name]
    module = Path(__file__).parents[2] / "encoders" / "images.py"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DECODE_ALONE), str(module)],
        input=make(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    reason, peak_bytes = json.loads(done.stdout)
    if mend is None:
        assert reason is None
    else:
        assert mend in (reason or "decoded")
    assert peak_bytes <= MAX_MEMORY, f"{peak_bytes >> 20} MiB"


# Noise


@cache
def seeds() -> list[bytes]:
    picture = colours()
    exif = turned_exif()
    files = [
        saved(picture, "JPEG", exif=exif, icc_profile=wide_gamut()),
        saved(picture, "JPEG", progressive=True),
        saved(picture.convert("CMYK"), "JPEG"),
        saved(picture, "PNG", icc_profile=wide_gamut(), exif=exif),
        saved(picture.quantize(8), "PNG", transparency=1),
        saved(picture, "GIF", save_all=True, append_images=[picture.rotate(90)]),
        saved(picture, "WEBP", lossless=True, exif=exif),
        saved(picture, "TIFF", compression="tiff_lzw", exif=exif),
        saved(picture.convert("F"), "TIFF"),
        saved(picture, "BMP"),
        saved(picture, "PPM"),
    ]
    return files


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(seeds())))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data) - 1) | st.integers(0, min(200, len(data) - 1)))
        new = draw(st.binary(min_size=1, max_size=6))
        data[at : at + draw(st.integers(0, 8))] = new
    return bytes(data[: draw(st.none() | st.integers(0, len(data)))])


@given(data=damaged(), at_least=st.none() | st.tuples(st.integers(1, 64), st.integers(1, 64)))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_file_gives_a_picture_or_an_image_error(
    data: bytes, at_least: tuple[int, int] | None
) -> None:
    try:
        picture = decode_image(data, at_least=at_least, max_pixels=1_000_000)
    except ImageError:
        return
    assert picture.mode == "RGB"
    assert min(picture.size) >= 1
