"""A picture and a sentence with known vectors, so that a wrong preprocessing never passes.

Whoever keeps vectors keeps the probe that was taken with them, and checks it before new vectors
are compared with old ones.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from encoders.base import Float32, ItemEncoder, Preprocessing

SENTENCE = "Three ripe bananas and a Blue mug on a wooden table, 250 g"

MIN_COSINE = 0.999


class ProbeMismatch(ValueError):
    """An encoder no longer gives the vectors that it gave."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """What an encoder made of the fixed picture and sentence.

    Attributes:
        image: ``[D]`` float32, unit length.
        text: ``[D]`` float32, unit length.
        preprocessing: How the encoder prepared pictures.
        fingerprint: The encoder's.
    """

    image: Float32
    text: Float32
    preprocessing: Preprocessing
    fingerprint: str


def probe_picture() -> bytes:
    """The fixed picture, as a PNG file.

    It is wider than high and differs between its centre and its edges, its sides and its
    channels, so that any change of crop, scaling, channel order or normalisation shows.
    """
    x, y = np.meshgrid(np.linspace(0, 1, 320), np.linspace(0, 1, 200))
    waves = 0.5 + 0.5 * np.sin(40 * x * (1 + y))
    channels = np.stack([x, 0.2 + 0.6 * waves, 1 - y], axis=-1)
    picture = Image.fromarray((channels * 255).round().astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((110, 50, 190, 130), fill=(250, 210, 30))
    draw.rectangle((200, 90, 260, 180), fill=(20, 60, 200))
    draw.polygon([(20, 190), (60, 110), (100, 190)], fill=(200, 30, 40))
    file = BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


def take_probe(encoder: ItemEncoder) -> Probe:
    """Encode the fixed picture and sentence."""
    return Probe(
        image=encoder.encode_images([probe_picture()])[0],
        text=encoder.encode_texts([SENTENCE])[0],
        preprocessing=encoder.preprocessing,
        fingerprint=encoder.fingerprint,
    )


def check_probe(encoder: ItemEncoder, probe: Probe, *, min_cosine: float = MIN_COSINE) -> None:
    """Compare an encoder with the probe that was taken of it.

    Args:
        encoder: To be compared.
        probe: Taken when the vectors at hand were made.
        min_cosine: Cosine below which vectors count as different; 16-bit arithmetic stays above.

    Raises:
        ProbeMismatch: Width, preprocessing, picture vector or sentence vector differ.
    """
    if encoder.dim != len(probe.image):
        raise ProbeMismatch(_advice(f"width {encoder.dim}, expected {len(probe.image)}"))
    if encoder.preprocessing != probe.preprocessing:
        raise ProbeMismatch(_advice(f"{encoder.preprocessing}, expected {probe.preprocessing}"))
    now = take_probe(encoder)
    for kind, got, expected in (
        ("picture", now.image, probe.image),
        ("sentence", now.text, probe.text),
    ):
        cosine = float(got @ expected)
        if not cosine >= min_cosine:  # NaN must not pass.
            detail = f"cosine {cosine:.4f} of the probe {kind}, expected at least {min_cosine}"
            raise ProbeMismatch(
                _advice(f"{detail} (fingerprint {now.fingerprint}, was {probe.fingerprint})")
            )


def dump_probe(probe: Probe, path: str | Path) -> None:
    """Write a probe as JSON."""
    content = asdict(probe) | {"image": probe.image.tolist(), "text": probe.text.tolist()}
    Path(path).write_text(json.dumps(content, indent=1), encoding="utf-8")


def load_probe(path: str | Path) -> Probe:
    """Read what :func:`dump_probe` wrote.

    Raises:
        ValueError: The file is not a probe.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        preprocessing = content["preprocessing"]
        for field in ("size", "mean", "std"):
            preprocessing[field] = tuple(preprocessing[field])
        return Probe(
            image=np.array(content["image"], dtype=np.float32),
            text=np.array(content["text"], dtype=np.float32),
            preprocessing=Preprocessing(**preprocessing),
            fingerprint=str(content["fingerprint"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a probe ({error}): take it anew") from error


def _advice(difference: str) -> str:
    return (
        f"the encoder differs from the one that made these vectors: {difference}. "
        "Open the encoder that was used then, or encode the items anew"
    )
