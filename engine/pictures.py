"""The picture of an item as bytes that an image encoder can read."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import DataError, MissingExtraError


def read_picture(
    folder: str | os.PathLike[str], image: str | None, *, size_px: int = 256
) -> bytes | None:
    """The bytes of an item's picture; drawings (``.svg``) are rasterised.

    Args:
        folder: The dataset's folder.
        image: What ``items.image`` holds: a path inside the folder, a URL, or nothing.
        size_px: Width and height of a rasterised drawing.

    Returns:
        PNG bytes of a drawing, any other file as it is, or None where there is no picture to
        read: no image, a URL (nothing is ever fetched), or a file that is not there.

    Raises:
        DataError: The path leads out of the folder, or a drawing cannot be read.
        MissingExtraError: A drawing needs ``resvg_py``.
    """
    if not image or not is_local(image):
        return None
    root = Path(folder).resolve()
    path = (root / image).resolve()
    if not path.is_relative_to(root):
        raise DataError(f"image {image!r} leads out of {root}: give a path inside the dataset")
    if not path.is_file():
        return None
    content = path.read_bytes()
    return rasterise(content, size_px) if path.suffix.lower() == ".svg" else content


def is_local(image: str) -> bool:
    """Whether ``items.image`` names a file: no URL, with or without its scheme, and no data."""
    return "://" not in image and not image.startswith(("//", "data:"))


def read_for_encoding(folder: Path, name: str) -> bytes | None:
    """A picture as :func:`read_picture` gives it, for one of many.

    One that needs a package that is not installed is one that cannot be read.

    Raises:
        ValueError: The picture cannot be read.
    """
    try:
        return read_picture(folder, name)
    except MissingExtraError as error:
        raise ValueError(str(error)) from error


def rasterise(svg: bytes, size_px: int = 256) -> bytes:
    """A drawing as PNG bytes: ``size_px`` wide, on white.

    Raises:
        DataError: The bytes are no SVG.
        MissingExtraError: ``resvg_py`` is not installed.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise MissingExtraError("resvg-py", extra="demo") from error
    try:
        text = svg.decode("utf-8")
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=text, width=size_px, background="white", skip_system_fonts=True
            )
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise DataError(f"not a drawing that can be rasterised (SVG expected): {error}") from error
