"""Low-rank adapters (LoRA) in whatever open_clip model it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any, cast

import torch
from torch import Tensor, nn

from encoders.base import EncoderError
from encoders.low_rank import Update
from encoders.tokens import pad, tokenize
from encoders.towers import Towers
from encoders.tuning.attention import PackedAttention, pack_attention
from encoders.tuning.settings import TuningSettings


@dataclass(frozen=True, slots=True)
class Adapter:
    """The adapter of one weight of the model."""

    parameter: str
    """The weight's name in the model as open_clip made it."""
    down: nn.Parameter
    """A, ``[rank, in, ...]``."""
    up: nn.Parameter
    """B, ``[out, rank, ...]``, zero at first."""
    scale: float

    def update(self) -> Update:
        """What it adds to the weight by now."""
        up, down = self.up.detach().flatten(1), self.down.detach().flatten(1)
        return Update(self.parameter, down.cpu().clone(), (self.scale * up).cpu())


def adapt(towers: Towers, settings: TuningSettings) -> tuple[Adapter, ...]:
    """Put adapters into a model, in place; it computes what it did until they learn.

    They go around every linear layer and every 1x1 convolution that is called when a picture or
    a text is encoded, attention included. Only they can learn: all else stays frozen, and in
    evaluation mode, so that batch norms keep their statistics.

    Raises:
        EncoderError: peft is not installed, or the model has no such layer.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise EncoderError("peft is not installed: pip install 'vitrine-rec[tune]'") from error
    model = cast(nn.Module, towers.model)
    pack_attention(model)
    names = layers_to_adapt(towers, settings)
    if not names:
        raise EncoderError("the model has no linear layer or 1x1 convolution that could be tuned")
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=cast(int, settings.alpha),  # peft only ever divides it by the rank.
        target_modules="|".join(map(re.escape, names)),  # A pattern matches whole names.
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        inject_adapter_in_model(config, model)
    model.eval()
    return tuple(_adapter(model, name, settings.alpha / settings.rank) for name in names)


def layers_to_adapt(towers: Towers, settings: TuningSettings) -> list[str]:
    """Names of the layers that get an adapter, in the order of their calls."""
    model = cast(nn.Module, towers.model)
    device = next(model.parameters()).device
    tokens = pad(towers.model, tokenize(towers.model, towers.tokenizer, ["words"])).to(device)
    picture = torch.zeros(1, 3, *towers.preprocessing.size, device=device)
    calls: dict[str, Callable[[], object]] = {
        "image": lambda: towers.model.encode_image(picture),
        "text": lambda: towers.model.encode_text(tokens),
    }
    uses = Counter(id(weight) for _, weight in model.named_parameters(remove_duplicate=False))
    chosen: list[str] = []
    for tower, call in calls.items():
        if settings.tower in (tower, "both"):
            # A weight that two layers share would be given the updates of both.
            layers = [name for name, weight in _called_layers(model, call) if uses[id(weight)] == 1]
            chosen += layers[-ceil(settings.depth * len(layers)) :]
    return list(dict.fromkeys(chosen))


@contextmanager
def without_adapters(model: nn.Module) -> Iterator[None]:
    """The model as it was before it was adapted."""
    layers = [cast(Any, module) for module in model.modules() if hasattr(module, "lora_A")]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def _called_layers(model: nn.Module, call: Callable[[], object]) -> list[tuple[str, Tensor]]:
    """Adaptable layers that a call runs, first call first, each with its weight.

    Some models use a layer's weight without calling the layer, which no adapter would notice.
    """
    called: dict[str, Tensor] = {}
    hooks = []
    for name, module in model.named_modules():
        if _is_adaptable(module):
            note = _note_call(called, name, cast(nn.Parameter, module.weight))
            hooks.append(module.register_forward_hook(note))
    try:
        with torch.no_grad():
            call()
    finally:
        for hook in hooks:
            hook.remove()
    return list(called.items())


def _note_call(called: dict[str, Tensor], name: str, weight: Tensor) -> Callable[..., None]:
    def note(*_: object) -> None:
        called.setdefault(name, weight)

    return note


def _is_adaptable(module: nn.Module) -> bool:
    pointwise = isinstance(module, nn.Conv2d) and (module.kernel_size, module.groups) == ((1, 1), 1)
    return (isinstance(module, nn.Linear) or pointwise) and isinstance(module.weight, nn.Parameter)


def _adapter(model: nn.Module, name: str, scale: float) -> Adapter:
    layer = cast(Any, model.get_submodule(name))
    (down,), (up,) = layer.lora_A.values(), layer.lora_B.values()
    parent, _, leaf = name.rpartition(".")
    packed = leaf == "in_proj" and isinstance(model.get_submodule(parent), PackedAttention)
    return Adapter(name + ("_weight" if packed else ".weight"), down.weight, up.weight, scale)
