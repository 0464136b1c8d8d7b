"""Who is measured: an encoder's two functions under a name, with vectors kept between runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.encoder_cases.figures import EncodeImages, EncodeTexts, Float32
from encoders import Encoder, VectorCache, cached_images, cached_texts


@dataclass(frozen=True, slots=True)
class Subject:
    """One column of the tables; without a function, the cases that need it are left out."""

    name: str
    about: str
    encode_images: EncodeImages | None = None
    encode_texts: EncodeTexts | None = None


def subject(name: str, about: str, encoder: Encoder, cache: VectorCache) -> Subject:
    """Both functions of an encoder, each picture and text encoded once."""

    def encode_images(images: Sequence[bytes]) -> Float32:
        return cached_images(cache, encoder, images)

    def encode_texts(texts: Sequence[str]) -> Float32:
        return cached_texts(cache, encoder, texts)

    return Subject(name, about, encode_images, encode_texts)
