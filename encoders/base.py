"""What every encoder promises.

An encoder turns words and pictures into rows of one space, so that a picture can be compared
with a sentence. Rows are float32, of unit length, in the order of the input, and do not depend
on what else was in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
"""Vectors, ``[n, D]``."""

Pixels: TypeAlias = NDArray[np.uint8]
"""A prepared picture ``[height, width, 3]``, or n of them ``[n, height, width, 3]``."""

ResizeMode: TypeAlias = Literal["shortest", "longest", "squash"]


class EncoderError(RuntimeError):
    """An encoder cannot be opened: unknown name, missing weights, or no network."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture becomes the tensor that the model sees.

    Attributes:
        size: Height and width of that tensor, in pixels.
        mean: Subtracted from each channel (red, green, blue), in [0, 1].
        std: Divides each channel.
        interpolation: ``"bicubic"`` or ``"bilinear"``.
        resize_mode: ``"shortest"`` crops the centre, ``"longest"`` pads, ``"squash"`` distorts.
        fill_color: Grey level of the padding, 0 to 255.
    """

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    resize_mode: ResizeMode = "shortest"
    fill_color: int = 0


class ItemEncoder(Protocol):
    """Words and pictures in, unit rows out."""

    @property
    def dim(self) -> int:
        """Width D of every row."""

    @property
    def fingerprint(self) -> str:
        """Hash over weights, preprocessing and tokenizer; equal means equal vectors."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures are prepared."""

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """Encode n texts as unit rows ``[n, D]``; what exceeds the context is cut off."""

    def encode_images(self, images: Sequence[bytes]) -> Float32:
        """Encode n picture files, given as their bytes, as unit rows ``[n, D]``.

        Raises:
            ImageError: A picture cannot be read; names its position.
        """


@runtime_checkable
class StagedEncoder(ItemEncoder, Protocol):
    """An encoder whose two stages can be run apart, so that they overlap.

    Preparing is safe to call from several threads at once, also while encoding runs.
    """

    @property
    def image_batch(self) -> int:
        """How many pictures are best encoded at once."""

    def prepare_image(self, data: bytes) -> Pixels:
        """Decode one picture file and bring it to the model's size.

        Raises:
            ImageError: The picture cannot be read.
        """

    def encode_prepared(self, pictures: Pixels) -> Float32:
        """Encode n prepared pictures as unit rows ``[n, D]``."""
