"""Opening any open_clip model: from the hub, from a checkpoint on disk, or as it was tuned."""

from __future__ import annotations

from pathlib import Path

import open_clip  # type: ignore[import-untyped]
import torch

from encoders.base import EncoderError, Preprocessing
from encoders.bundled import open_bundled
from encoders.towers import Towers, hash_weights

_OFFLINE = (
    "Offline: copy the checkpoint here and open '{architecture}:/path/to/checkpoint.safetensors', "
    "or use 'bundled', which needs no download; HF_HUB_OFFLINE=1 skips the waiting."
)


def open_towers(name: str) -> Towers:
    """Open ``"bundled"``, or whatever :func:`open_named` opens.

    ``"bundled:/path/to/learned.safetensors"`` is the bundled model with what another recipe of
    :mod:`encoders.training` learned.

    Raises:
        EncoderError: As :func:`open_named`.
    """
    if name == "bundled":
        return open_bundled()
    base, _, learned = name.partition(":")
    return open_bundled(Path(learned).expanduser()) if base == "bundled" else open_named(name)


def open_named(name: str) -> Towers:
    """Open ``"ARCHITECTURE:tag"``, ``"ARCHITECTURE:/path/to/checkpoint"`` or a tuned one's folder.

    Raises:
        EncoderError: Unknown architecture or tag, no such file, weights that do not fit, a hub
            that cannot be reached, or a folder that holds no tuned encoder.
    """
    if (folder := Path(name).expanduser()).is_dir():
        # Here, as tuning is built on the encoder, which is built on this module.
        from encoders.tuning.merge import open_tuned

        return open_tuned(folder, open_towers)
    architecture, source = split_name(name)
    find = _existing_file if is_path(source) else _known_tag
    weights = find(architecture, source)
    try:
        # Reading a checkpoint never unpickles; initial weights do not spend the caller's seed.
        with torch.random.fork_rng(devices=[]):
            model = open_clip.create_model(
                architecture, pretrained=weights, weights_only=True, pretrained_text=False
            )
        tokenizer = open_clip.get_tokenizer(architecture)
    except Exception as error:  # open_clip, torch and the hub share no exception.
        raise EncoderError(_why_not(architecture, source, error)) from error
    return Towers(
        model=model.eval().requires_grad_(False),
        tokenizer=tokenizer,
        preprocessing=_preprocessing_of(model),
        dim=int(open_clip.get_model_config(architecture)["embed_dim"]),
        weights_hash=hash_weights(model),
    )


def split_name(name: str) -> tuple[str, str]:
    """Split ``"ARCHITECTURE:source"`` and check the architecture.

    Raises:
        EncoderError: No colon, or an architecture that open_clip does not know.
    """
    architecture, colon, source = name.partition(":")
    if not colon or not architecture or not source:
        raise EncoderError(
            f"encoder {name!r} is not understood: expected 'bundled', 'ARCHITECTURE:tag' such as "
            "'ViT-B-32:laion2b_s34b_b79k', 'ARCHITECTURE:/path/to/checkpoint', or the folder that "
            "tune-encoder wrote"
        )
    if architecture not in open_clip.list_models():
        raise EncoderError(
            f"open_clip knows no architecture {architecture!r}; open_clip.list_models() lists its "
            f"{len(open_clip.list_models())}, such as 'ViT-B-32'"
        )
    return architecture, source


def is_path(source: str) -> bool:
    """Whether a source is written like a file rather than like a tag."""
    return any(mark in source for mark in "/\\") or Path(source).suffix in _CHECKPOINTS


_CHECKPOINTS = frozenset({".safetensors", ".pt", ".pth", ".bin"})


def _existing_file(architecture: str, source: str) -> str:
    path = Path(source).expanduser()
    if not path.is_file():
        raise EncoderError(f"encoder '{architecture}:{source}': there is no such checkpoint file")
    return str(path)


def _known_tag(architecture: str, tag: str) -> str:
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if tag not in tags:
        raise EncoderError(
            f"open_clip knows no weights {tag!r} for {architecture}; known: {', '.join(tags)}"
        )
    return tag


def _why_not(architecture: str, source: str, error: Exception) -> str:
    reason = f"{type(error).__name__}: {error}"
    if is_path(source):
        return f"{source} does not hold the weights of {architecture} ({reason})"
    return (
        f"the weights {source!r} of {architecture} are not in the local cache, and the hub did not "
        f"give them ({reason}). {_OFFLINE.format(architecture=architecture)}"
    )


def _preprocessing_of(model: torch.nn.Module) -> Preprocessing:
    config = open_clip.get_model_preprocess_cfg(model)
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    return Preprocessing(
        size=(int(height), int(width)),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
        resize_mode=config["resize_mode"],
        fill_color=config["fill_color"],
    )
