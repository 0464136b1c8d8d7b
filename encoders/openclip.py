"""The encoder: an open_clip model, asked in batches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor

from encoders.base import Float32, Pixels, Preprocessing
from encoders.batches import MOST_TEXTS, cores, picture_batch, run_halving, token_batch
from encoders.hub import open_towers
from encoders.images import ImageError
from encoders.inference import Inference, Precision, lay_out
from encoders.prepare import prepare_picture, scale_pixels
from encoders.tokens import hash_tokenizer, pad, tokenize
from encoders.towers import Towers

_TOKENIZE_AT_ONCE = 8192
_MOST_THREADS = 8


class Encoder:
    """Words and pictures to unit rows of one space, by an open_clip model.

    Satisfies :class:`encoders.base.StagedEncoder`. Rows come in the order of the input. Texts are
    batched by length, so that short ones do not pay for long ones; what exceeds the context of
    the model is cut off.
    """

    def __init__(self, towers: Towers, *, device: str | None, precision: Precision) -> None:
        """Use :meth:`open`."""
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._inference = lay_out(towers, self._device, precision)
        self._tokenizer = towers.tokenizer
        self._preprocessing = towers.preprocessing
        self._fingerprint = _fingerprint(towers)
        self._dim = towers.dim
        self._token_batch = token_batch(self._device)
        self._image_batch = picture_batch(self._device, towers.preprocessing)

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
            precision: ``"auto"`` folds batch norms, and computes in 16 bits where the hardware is
                made for it (GPUs, recent CPUs); cosine to float32 above 0.9999. ``"float32"``
                does neither.

        Raises:
            EncoderError: The name is not understood, or the weights cannot be had.
        """
        return cls(open_towers(name), device=device, precision=precision)

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

    @property
    def inference(self) -> Inference:
        """The model as it is asked: its layout, its device and its number formats."""
        return self._inference

    @property
    def image_batch(self) -> int:
        """How many pictures are encoded at once; found from the free memory on opening."""
        return self._image_batch

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
            tokens += tokenize(self.inference.model, self._tokenizer, some)
        vectors = np.empty((len(texts), self._dim), dtype=np.float32)
        # From the longest down: if one batch exceeds the memory, it is the first.
        order = np.argsort([-len(ids) for ids in tokens], kind="stable")
        start = 0
        while start < len(order):
            size = min(MOST_TEXTS, max(1, self._token_batch // len(tokens[order[start]])))
            rows = order[start : start + size]
            batch = pad(self.inference.model, [tokens[row] for row in rows])
            vectors[rows] = run_halving(self._encode_words, batch.to(self._device))
            start += size
        return vectors

    def encode_images(self, images: Sequence[bytes]) -> Float32:
        """Encode n picture files, given as their bytes, as unit rows ``[n, D]`` float32.

        Raises:
            ImageError: A picture cannot be read; its ``position`` says which.
            TypeError: One file's bytes instead of a sequence of them.
        """
        if isinstance(images, bytes | bytearray | memoryview):
            raise TypeError("images is the bytes of one file: pass a list, [data]")
        vectors = np.empty((len(images), self._dim), dtype=np.float32)
        with ThreadPoolExecutor(min(_MOST_THREADS, cores())) as pool:
            for start in range(0, len(images), self.image_batch):
                some = images[start : start + self.image_batch]
                pictures = list(pool.map(self._prepare, range(start, start + len(some)), some))
                vectors[start : start + len(some)] = self.encode_prepared(np.stack(pictures))
        return vectors

    def prepare_image(self, data: bytes) -> Pixels:
        """Decode one picture file and bring it to the model's size.

        Returns:
            Pixels ``[height, width, 3]`` uint8.

        Raises:
            ImageError: The picture cannot be read.
        """
        return prepare_picture(data, self._preprocessing)

    @torch.inference_mode()
    def encode_prepared(self, pictures: Pixels) -> Float32:
        """Encode n pictures ``[n, height, width, 3]`` uint8 as unit rows ``[n, D]`` float32.

        Raises:
            ValueError: Pictures of another size or type.
        """
        expected = (*self._preprocessing.size, 3)
        if pictures.shape[1:] != expected or pictures.dtype != np.uint8:
            raise ValueError(
                f"pictures are {pictures.dtype} {pictures.shape}, expected uint8 (n, "
                f"{', '.join(map(str, expected))}) from prepare_image"
            )
        vectors = np.empty((len(pictures), self._dim), dtype=np.float32)
        for start in range(0, len(pictures), self.image_batch):
            batch = torch.from_numpy(pictures[start : start + self.image_batch])
            rows = run_halving(self._encode_pixels, batch.to(self._device))
            vectors[start : start + len(rows)] = rows
        return vectors

    def _prepare(self, position: int, data: bytes) -> Pixels:
        try:
            return self.prepare_image(data)
        except ImageError as error:
            raise ImageError(error.reason, position) from error

    def _encode_pixels(self, pixels: Tensor) -> Float32:
        return _unit(self.inference.encode_pictures(scale_pixels(pixels, self._preprocessing)))

    def _encode_words(self, tokens: Tensor) -> Float32:
        return _unit(self.inference.encode_words(tokens))


def _unit(rows: Tensor) -> Float32:
    unit: Float32 = torch.nn.functional.normalize(rows, dim=-1).cpu().numpy()
    return unit


def _fingerprint(towers: Towers) -> str:
    parts = {
        "weights": towers.weights_hash,
        "preprocessing": asdict(towers.preprocessing),
        "tokenizer": hash_tokenizer(towers.tokenizer),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
