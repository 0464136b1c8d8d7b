from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from encoders import ImageError, decode_image

RED, BLUE = (255, 0, 0), (0, 0, 255)


def saved(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, format=format, **options)
    return file.getvalue()


def pixel(data: bytes, at: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
    decoded = decode_image(data)
    assert decoded.mode == "RGB"
    return decoded.getpixel(at)


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF", "PPM"])
def test_lossless_formats_keep_their_pixels(format: str) -> None:
    assert pixel(saved(Image.new("RGB", (3, 2), RED), format)) == RED


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_lossy_formats_keep_their_colour(format: str) -> None:
    got = np.array(pixel(saved(Image.new("RGB", (32, 32), (200, 40, 40)), format)))
    assert np.abs(got - (200, 40, 40)).max() <= 6


def test_one_pixel() -> None:
    assert decode_image(saved(Image.new("RGB", (1, 1), BLUE))).size == (1, 1)


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixel(data) == RED


def test_cmyk_becomes_rgb() -> None:
    data = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "TIFF")
    assert pixel(data) == RED


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    grey = Image.fromarray(np.full((4, 4), 32768, dtype=np.uint16))
    assert pixel(saved(grey)) == (128, 128, 128)  # round(32768 / 65535 * 255)


def test_transparency_lies_over_white() -> None:
    assert pixel(saved(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))) == (255, 255, 255)
    half = pixel(saved(Image.new("RGBA", (4, 4), (0, 0, 0, 128))))
    assert half == (127, 127, 127)  # 255 * (1 - 128 / 255)


def test_a_transparent_palette_colour_lies_over_white() -> None:
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    assert pixel(saved(picture)) == (10, 20, 30)
    assert pixel(saved(picture, transparency=1)) == (255, 255, 255)


def test_exif_rotation_is_applied() -> None:
    picture = Image.new("RGB", (20, 10), RED)
    picture.paste(BLUE, (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # Shown after a quarter turn clockwise: the left half comes on top.
    data = saved(picture, exif=exif)
    assert decode_image(data).size == (10, 20)
    assert pixel(data, (5, 2)) == BLUE
    assert pixel(data, (5, 17)) == RED


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_a_truncated_file_is_rejected(format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), format)
    with pytest.raises(ImageError, match="cut off"):
        decode_image(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes"),
        (b"hello, I am a text", "not a readable picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\x89PNG\r\n\x1a\n", "not a readable picture"),
    ],
)
def test_what_is_no_picture_is_rejected_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode_image(data)


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [7_000, 20_000, 60_000])
def test_a_decompression_bomb_is_rejected_before_it_is_unpacked(side: int) -> None:
    with pytest.raises(ImageError, match="pixels"):
        decode_image(png_that_claims(side, side))


def test_limits_are_the_callers() -> None:
    data = saved(Image.new("RGB", (100, 100)))
    assert decode_image(data, max_pixels=10_000).size == (100, 100)
    with pytest.raises(ImageError, match="9,999"):
        decode_image(data, max_pixels=9_999)
    with pytest.raises(ImageError, match="bytes, at most 10"):
        decode_image(data, max_bytes=10)


@pytest.mark.filterwarnings("ignore:.*EXIF")
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBP", b"II*\0"])
)
def test_any_bytes_give_a_picture_or_an_image_error(data: bytes, head: bytes) -> None:
    try:
        picture = decode_image(head + data)
    except ImageError:
        return
    assert picture.mode == "RGB"
