"""A model as it is asked: the same function, laid out for the hardware.

Batch norms are folded into the convolutions before them, and weights are kept in 16 bits where the
hardware multiplies those faster. The model that was given is left as it is, so it can go on
learning.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias, cast

import torch
from open_clip.transformer import Transformer  # type: ignore[import-untyped]
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from encoders.towers import ClipModel, Towers

Precision: TypeAlias = Literal["auto", "float32"]

MIN_COSINE = 0.999
"""A quicker layout whose row for a test picture or sentence is further from the model's own is not
used."""

_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._BatchNorm)

_SENTENCE = "red shoes on a wooden floor"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Formats:
    """In which numbers each tower multiplies."""

    pictures: torch.dtype
    words: torch.dtype


EXACT = Formats(torch.float32, torch.float32)


@dataclass(frozen=True, slots=True)
class Inference:
    """A model and how it is to be asked."""

    model: ClipModel
    device: torch.device
    formats: Formats

    def encode_pictures(self, batch: Tensor) -> Tensor:
        """Map pictures ``[B, 3, height, width]`` to float32 rows ``[B, D]``, not normalised."""
        with _casting(self.device, self.formats.pictures):
            return self.model.encode_image(batch).float()

    def encode_words(self, batch: Tensor) -> Tensor:
        """Map token ids ``[B, tokens]`` int64 to float32 rows ``[B, D]``, not normalised."""
        with _casting(self.device, self.formats.words):
            return self.model.encode_text(batch).float()


def lay_out(towers: Towers, device: torch.device, precision: Precision) -> Inference:
    """Make a model ready to be asked on a device.

    Args:
        towers: In evaluation mode; moved to the device, otherwise left as they are.
        device: Where to run.
        precision: ``"float32"`` asks the model itself. ``"auto"`` asks a copy, with folded batch
            norms, and with 16-bit weights where :func:`quick_formats` finds hardware for them.
    """
    exact = Inference(towers.model.to(device), device, EXACT)
    if precision == "float32":
        return exact
    formats = quick_formats(device)
    quick = Inference(_copied(towers.model, formats), device, formats)
    if _agree(exact, quick, towers):
        return quick
    _log.warning("the quick layout of this model gives other vectors: it runs in float32 instead")
    return exact


def quick_formats(device: torch.device) -> Formats:
    """The numbers that the hardware multiplies fastest at a cosine to float32 above 0.9999.

    That is float16 on GPUs and on CPUs that compute in it (AVX512-FP16, AMX-FP16). bfloat16 (AMX)
    is kept to words: pictures it moves by a cosine of 0.995. Eight bits (dynamic quantisation)
    move MiniLM's words by 0.94 and are slower than either.
    """
    if device.type == "cuda":
        return Formats(torch.float16, torch.float16)
    if device.type != "cpu":
        return EXACT
    words = torch.bfloat16 if _cpu_has("amx_bf16") else torch.float32
    if _cpu_has("amx_fp16"):
        words = torch.float16
    halves = _cpu_has("amx_fp16") or _cpu_has("avx512_fp16")
    return Formats(torch.float16 if halves else torch.float32, words)


def _cpu_has(feature: str) -> bool:
    get_capabilities = getattr(torch.cpu, "get_capabilities", None)
    if get_capabilities is None:  # Older torch does not tell.
        return False
    return bool(get_capabilities().get(feature, False))


def _casting(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def _copied(model: ClipModel, formats: Formats) -> ClipModel:
    given = cast(nn.Module, model)
    folded = _sharing(given, {})
    _fold_batch_norms(cast(nn.Module, folded.visual))
    _put_tokens_first(folded)
    narrow: dict[int, Tensor] = {}
    for name, module in folded.named_modules():
        if isinstance(module, _NORMS):  # They need the digits, and cost little.
            continue
        dtype = formats.pictures if name.split(".")[0] == "visual" else formats.words
        for tensor in module.parameters(recurse=False):
            # Casting while it runs would cast the weights anew for every batch.
            layout = torch.channels_last if tensor.ndim == 4 else torch.preserve_format
            narrow[id(tensor)] = tensor.to(dtype, memory_format=layout)
    return cast(ClipModel, _sharing(folded, narrow))


def _sharing(model: nn.Module, changed: Mapping[int, Tensor]) -> nn.Module:
    """A copy of the modules that shares all tensors but the changed ones, named by their id."""
    known: dict[int, object] = {id(buffer): buffer for buffer in model.buffers()}
    for old in model.parameters():
        new = changed.get(id(old), old)
        known[id(old)] = old if new is old else nn.Parameter(new, requires_grad=False)
    return copy.deepcopy(model, known)


def _fold_batch_norms(tower: nn.Module) -> None:
    """Fold each batch norm into the convolution that is registered right before it."""
    for parent in tower.modules():
        children = list(parent.named_children())
        for (conv_name, conv), (norm_name, norm) in pairwise(children):
            if not isinstance(conv, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
                continue
            if conv.out_channels != norm.num_features:
                continue
            setattr(parent, conv_name, fuse_conv_bn_eval(conv, norm))
            setattr(parent, norm_name, nn.Sequential(*_after(norm)))


def _put_tokens_first(model: nn.Module) -> None:
    """Have open_clip's transformers lay out their states as ``[tokens, B, width]``.

    Otherwise attention works on a transposed view, for which torch copies the weights of its
    projections once for every token: in 16 bits eight times as slow.
    """
    for transformer in model.modules():
        if isinstance(transformer, Transformer):
            for module in transformer.modules():
                if isinstance(module, Transformer | nn.MultiheadAttention):
                    module.batch_first = False


def _after(norm: nn.BatchNorm2d) -> Iterable[nn.Module]:
    """What timm's batch norms do beside norming."""
    return (norm.drop, norm.act) if isinstance(norm, BatchNormAct2d) else ()


@torch.inference_mode()
def _agree(exact: Inference, quick: Inference, towers: Towers) -> bool:
    # The order of registration is not always the order of computation, nor is every model happy
    # in 16 bits: one picture and one sentence tell.
    noise = torch.rand(
        (1, 3, *towers.preprocessing.size), generator=torch.Generator().manual_seed(0)
    )
    picture = (2 * noise - 1).to(exact.device)
    words = towers.tokenizer([_SENTENCE]).to(exact.device)
    try:
        seen = torch.cosine_similarity(
            exact.encode_pictures(picture), quick.encode_pictures(picture)
        )
        read = torch.cosine_similarity(exact.encode_words(words), quick.encode_words(words))
    except RuntimeError as error:
        _log.warning("the quick layout of this model does not run: %s", error)
        return False
    return min(seen.item(), read.item()) >= MIN_COSINE
