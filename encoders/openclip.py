"""The encoder: an open_clip model, asked in batches."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from open_clip.transform import (  # type: ignore[import-untyped]
    PreprocessCfg,
    image_transform_v2,
)
from torch import Tensor

from encoders.base import Float32, Preprocessing
from encoders.bundled import open_bundled
from encoders.hub import open_named
from encoders.images import ImageError, decode_image
from encoders.tokens import hash_tokenizer, pad, tokenize
from encoders.towers import Towers

Precision: TypeAlias = Literal["auto", "float32"]

_TEXT_BATCH = 256
_IMAGE_BATCH = 64
_TOKENIZE_AT_ONCE = 8192


class Encoder:
    """Words and pictures to unit rows of one space, by an open_clip model.

    Satisfies :class:`encoders.base.ItemEncoder`. Rows come in the order of the input. Texts are
    batched by length, so that short ones do not pay for long ones; what exceeds the context of
    the model is cut off.
    """

    def __init__(self, towers: Towers, *, device: str | None, precision: Precision) -> None:
        """Use :meth:`open`."""
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._precision = precision
        self._model = towers.model.to(self._device)
        self._tokenizer = towers.tokenizer
        self._transform: Callable[[Any], Tensor] = image_transform_v2(
            PreprocessCfg(**asdict(towers.preprocessing)), is_train=False
        )
        self._preprocessing = towers.preprocessing
        self._fingerprint = _fingerprint(towers)
        self._dim = towers.dim

    @classmethod
    def open(
        cls, name: str = "bundled", *, device: str | None = None, precision: Precision = "auto"
    ) -> Encoder:
        """Open a model by name.

        Args:
            name: ``"bundled"`` (no network), ``"ARCHITECTURE:tag"`` with open_clip's names, such
                as ``"ViT-B-32:laion2b_s34b_b79k"`` (from the hub or its local cache), or
                ``"ARCHITECTURE:/path/to/checkpoint"``.
            device: Where to run, such as ``"cpu"`` or ``"cuda:1"``; by default a GPU if there is
                one.
            precision: ``"auto"`` computes in 16 bits where the hardware is made for it (GPUs, and
                CPUs with AMX; cosine to float32 above 0.9999), ``"float32"`` never does.

        Raises:
            EncoderError: The name is not understood, or the weights cannot be had.
        """
        towers = open_bundled() if name == "bundled" else open_named(name)
        return cls(towers, device=device, precision=precision)

    @property
    def dim(self) -> int:
        """Width D of every row."""
        return self._dim

    @property
    def fingerprint(self) -> str:
        """Hash over weights, preprocessing and tokenizer settings, 32 hexadecimal digits."""
        return self._fingerprint

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures are prepared."""
        return self._preprocessing

    def __repr__(self) -> str:
        return f"Encoder(dim={self.dim}, device={self._device}, fingerprint={self.fingerprint})"

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """Encode n texts as unit rows ``[n, D]`` float32.

        Raises:
            TypeError: One string instead of a sequence of them.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts is the string {texts[:40]!r}: pass a list, [text]")
        tokens: list[list[int]] = []
        for start in range(0, len(texts), _TOKENIZE_AT_ONCE):
            some = texts[start : start + _TOKENIZE_AT_ONCE]
            tokens += tokenize(self._model, self._tokenizer, some)
        order = np.argsort([len(ids) for ids in tokens], kind="stable")
        vectors = np.empty((len(texts), self._dim), dtype=np.float32)
        with self._autocast(words=True):
            for start in range(0, len(order), _TEXT_BATCH):
                rows = order[start : start + _TEXT_BATCH]
                batch = pad(self._model, [tokens[row] for row in rows]).to(self._device)
                vectors[rows] = _unit(self._model.encode_text(batch))
        return vectors

    @torch.inference_mode()
    def encode_images(self, images: Sequence[bytes]) -> Float32:
        """Encode n picture files, given as their bytes, as unit rows ``[n, D]`` float32.

        Raises:
            ImageError: A picture cannot be read; its ``position`` says which.
            TypeError: One file's bytes instead of a sequence of them.
        """
        if isinstance(images, bytes | bytearray | memoryview):
            raise TypeError("images is the bytes of one file: pass a list, [data]")
        vectors = np.empty((len(images), self._dim), dtype=np.float32)
        workers = min(8, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers) as pool, self._autocast(words=False):
            for start in range(0, len(images), _IMAGE_BATCH):
                some = images[start : start + _IMAGE_BATCH]
                pictures = list(pool.map(self._prepare, range(start, start + len(some)), some))
                batch = torch.stack(pictures)  # [B, 3, height, width]
                # Convolutions are quicker on this layout, on CPUs as on GPUs.
                batch = batch.to(self._device, memory_format=torch.channels_last)
                vectors[start : start + len(some)] = _unit(self._model.encode_image(batch))
        return vectors

    def _prepare(self, position: int, data: bytes) -> Tensor:
        try:
            return self._transform(decode_image(data))
        except ImageError as error:
            raise ImageError(error.reason, position) from error

    def _autocast(self, *, words: bool) -> AbstractContextManager[object]:
        if self._precision == "float32":
            return nullcontext()
        # bfloat16 moves pictures by a cosine of 0.995, float16 by 0.99997.
        if self._device.type == "cuda" or (self._device.type == "cpu" and _cpu_has("amx_fp16")):
            return torch.autocast(self._device.type, dtype=torch.float16)
        if self._device.type == "cpu" and words and _cpu_has("amx_bf16"):
            return torch.autocast("cpu", dtype=torch.bfloat16)
        return nullcontext()


def _unit(rows: Tensor) -> Float32:
    unit: Float32 = torch.nn.functional.normalize(rows.float(), dim=-1).cpu().numpy()
    return unit


def _fingerprint(towers: Towers) -> str:
    parts = {
        "weights": towers.weights_hash,
        "preprocessing": asdict(towers.preprocessing),
        "tokenizer": hash_tokenizer(towers.tokenizer),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _cpu_has(feature: str) -> bool:
    get_capabilities = getattr(torch.cpu, "get_capabilities", None)
    if get_capabilities is None:  # Older torch does not tell.
        return False
    return bool(get_capabilities().get(feature, False))
