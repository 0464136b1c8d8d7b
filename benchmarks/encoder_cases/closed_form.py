"""What ours is measured against: the same towers without training, as they come from packages.

``closed_form`` is the bundled model as it was before the pairs were learned: ConSE and a ridge
regression (:mod:`encoders.alignment`), no picture seen; its words are plain MiniLM with mean
pooling. ``imagenet`` is EfficientNet-Lite0's pooled features, which know no words.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from encoders.base import Preprocessing
from encoders.bundled import open_unlearned
from encoders.openclip import Encoder

FEATURES = 1280
# The size and the crop that its ImageNet weights were made for.
_PREPROCESSING = Preprocessing(
    size=(224, 224), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), fill_color=255
)


def open_closed_form() -> Encoder:
    """The bundled towers, aligned in closed form."""
    towers = replace(open_unlearned(), preprocessing=_PREPROCESSING)
    return Encoder(towers, device=None, precision="auto")


def open_imagenet() -> Encoder:
    """Pooled ImageNet features ``[1280]``; its ``encode_texts`` is not of that space."""
    towers = replace(open_unlearned(), preprocessing=_PREPROCESSING, dim=FEATURES)
    towers.model.visual.head = torch.nn.Identity()  # type: ignore[attr-defined]
    return Encoder(
        replace(towers, weights_hash=f"{towers.weights_hash} without its head"),
        device=None,
        precision="auto",
    )
