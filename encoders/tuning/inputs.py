"""What the towers are fed while they learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from open_clip.transform import (  # type: ignore[import-untyped]
    PreprocessCfg,
    image_transform_v2,
)
from PIL import Image
from torch import Tensor

from encoders.batches import cores
from encoders.images import decode_image
from encoders.tokens import pad, tokenize
from encoders.towers import Towers
from encoders.tuning.catalogue import Catalogue, Ints

SMALLEST_CROP = 0.7
"""A crop keeps at least so much of a picture's width and height."""

ENOUGH = 3
"""Photos are unpacked at the smallest size that still has so many times the model's pixels per
side: the smallest crop of them has twice as many."""


class Inputs:
    """The tensors of pictures and words, by their rows."""

    def __init__(self, towers: Towers, catalogue: Catalogue, device: torch.device) -> None:
        """Read pictures and words of a catalogue for a model."""
        self._towers, self._device = towers, device
        self._files = catalogue.pictures.files
        self._tokens = tokenize(towers.model, towers.tokenizer, catalogue.words)
        self._transform: Callable[[Any], Tensor] = image_transform_v2(
            PreprocessCfg(**asdict(towers.preprocessing)), is_train=False
        )

    def words(self, items: Ints) -> Tensor:
        """Token ids of items, int64 ``[B, longest]``."""
        rows = [self._tokens[row] for row in items]
        return pad(self._towers.model, rows).to(self._device)

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Token ids of other texts, int64 ``[B, longest]``."""
        rows = tokenize(self._towers.model, self._towers.tokenizer, texts)
        return pad(self._towers.model, rows).to(self._device)

    def pictures(self, rows: Ints, seed: Sequence[int]) -> Tensor:
        """Pictures, each cropped and mirrored at random, float ``[B, 3, height, width]``.

        Args:
            rows: Rows of pictures.
            seed: Decides the crops, together with the row.

        Raises:
            ImageError: A picture cannot be read.
        """
        height, width = self._towers.preprocessing.size
        enough = (ENOUGH * width, ENOUGH * height)

        def prepare(row: int) -> Tensor:
            rng = np.random.default_rng([*seed, row])
            picture = decode_image(self._files[row], at_least=enough)
            return self._transform(_vary(picture, rng))

        with ThreadPoolExecutor(min(8, cores())) as pool:
            batch = torch.stack(list(pool.map(prepare, rows.tolist())))
        return batch.to(self._device, memory_format=torch.channels_last)


def _vary(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    share = rng.uniform(SMALLEST_CROP, 1.0)
    size = np.maximum(np.array(picture.size) * share, 1.0).round().astype(np.int64)
    left, top = (rng.random(2) * (picture.size - size)).astype(np.int64).tolist()
    cropped = picture.crop((left, top, left + int(size[0]), top + int(size[1])))
    mirrored = rng.random() < 0.5
    return cropped.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else cropped
