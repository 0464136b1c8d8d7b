"""The bundled model with its trainable parts set free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.learned import FRONT_BLOCKS
from encoders.tokens import pad, tokenize
from encoders.towers import Towers

_CHUNK = 64
_SENTENCES = 512
_LORA_TARGETS = ["query", "key", "value", "dense"]
_LORA_LAYERS = [3, 4, 5]


@dataclass(frozen=True, slots=True, eq=False)
class Trainee:
    """The model, cut where the front ends.

    Attributes:
        towers: The model with its tokenizer; head, projection and adapters are in place.
        tail: The last stages of the picture tower, up to the pooled features.
        before: A copy of the tail as it was.
        log_scale: Logarithm of the inverse temperature.
    """

    towers: Towers
    tail: nn.Module
    before: nn.Module
    log_scale: nn.Parameter

    def pictures(self, front: Tensor) -> tuple[Tensor, Tensor]:
        """Map front features ``[B, C, h, w]`` to unit rows ``[B, D]`` and pooled features."""
        # Larger chunks fall out of the processor's caches: a third of the speed.
        features = torch.cat([self.tail(chunk) for chunk in torch.split(front, _CHUNK)])
        return functional.normalize(self.head(features), dim=-1), features

    def words(self, sentences: Sequence[str]) -> Tensor:
        """Map n sentences to unit rows ``[n, D]``."""
        tokens = tokenize(self.towers.model, self.towers.tokenizer, sentences)
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        rows = []
        # Two lengths of batch: short ones need not pay for long ones.
        half = (len(order) + 1) // 2
        for some in (order[:half], order[half:]):
            if some:
                batch = pad(self.towers.model, [tokens[row] for row in some])
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    rows.append(self.towers.model.encode_text(batch).float())
        found = torch.cat(rows)
        back = torch.empty(len(order), dtype=torch.int64)
        back[torch.tensor(order)] = torch.arange(len(order))
        return functional.normalize(found[back], dim=-1)

    @torch.no_grad()
    def many_words(self, sentences: Sequence[str]) -> Tensor:
        """As :meth:`words`, for any number of sentences and without gradients."""
        parts = range(0, len(sentences), _SENTENCES)
        return torch.cat([self.words(sentences[start : start + _SENTENCES]) for start in parts])

    @property
    def head(self) -> nn.Module:
        """The head of the picture tower."""
        return self.towers.model.visual.head  # type: ignore[attr-defined, no-any-return]

    @property
    def scale(self) -> Tensor:
        """The inverse temperature, at most 100."""
        return self.log_scale.clamp(max=4.6052).exp()

    def groups(
        self, *, tail_rate: float, head_rate: float, text_rate: float
    ) -> list[dict[str, object]]:
        """Parameter groups for the optimiser."""
        text = self.towers.model.text  # type: ignore[attr-defined]
        lora = [p for name, p in text.named_parameters() if "lora_" in name]
        head = [p for name, p in self.head.named_parameters() if not name.startswith("aligned.")]
        return [
            {"params": list(self.tail.parameters()), "lr": tail_rate},
            {"params": head, "lr": head_rate},
            {"params": lora, "lr": text_rate},
            {"params": list(text.proj.parameters()), "lr": text_rate / 3},
            {"params": [self.log_scale], "lr": head_rate, "weight_decay": 0.0},
        ]


class Tail(nn.Module):
    """The end of a timm EfficientNet: last stages, last convolution, mean over places.

    Shapes:
        - input ``[B, C, h, w]`` float
        - output ``[B, F]`` float
    """

    def __init__(self, trunk: nn.Module, blocks: int) -> None:
        """Share the modules of a trunk."""
        super().__init__()
        self.blocks = nn.Sequential(*list(trunk.blocks)[blocks:])  # type: ignore[arg-type]
        self.conv_head = trunk.conv_head
        self.bn2 = trunk.bn2

    def forward(self, front: Tensor) -> Tensor:
        """Map front features to pooled features."""
        return self.bn2(self.conv_head(self.blocks(front))).mean(dim=(2, 3))  # type: ignore[no-any-return, operator]


def set_free(towers: Towers, *, rank: int) -> Trainee:
    """Let the tail, the heads and low-rank adapters of the text tower learn.

    Batch normalisations keep their statistics: a step's batch is a mixture that no shop has.

    Args:
        towers: The bundled model before training, with its learned parts in place.
        rank: Of the adapters (LoRA, Hu et al. 2021, arXiv:2106.09685).
    """
    import copy

    from peft import LoraConfig, inject_adapter_in_model

    model = towers.model
    trunk = model.visual.trunk  # type: ignore[attr-defined]
    tail = Tail(trunk, FRONT_BLOCKS).to(memory_format=torch.channels_last)
    before = copy.deepcopy(tail).eval().requires_grad_(False)
    settings = LoraConfig(
        r=rank,
        lora_alpha=rank,
        target_modules=_LORA_TARGETS,
        layers_to_transform=_LORA_LAYERS,
        lora_dropout=0.0,
        bias="none",
    )
    inject_adapter_in_model(settings, model.text.transformer)  # type: ignore[attr-defined]
    model.text.proj.requires_grad_(True)  # type: ignore[attr-defined]
    tail.requires_grad_(True)
    head = model.visual.head  # type: ignore[attr-defined]
    head.requires_grad_(True)
    head.aligned.requires_grad_(False)
    model.eval()  # type: ignore[attr-defined]
    return Trainee(towers, tail.eval(), before, nn.Parameter(torch.tensor(3.0)))


def learned_tensors(trainee: Trainee) -> Iterator[tuple[str, Tensor]]:
    """What training changed, by the names under which it is shipped."""
    for name, tensor in trainee.tail.state_dict().items():
        if "num_batches" not in name and "running_" not in name:
            yield f"tail.{name}", tensor
    for name, tensor in trainee.head.state_dict().items():
        if not name.startswith("aligned."):
            yield f"head.{name}", tensor
    text = trainee.towers.model.text  # type: ignore[attr-defined]
    yield "projection.weight", text.proj.weight
    for name, tensor in text.transformer.state_dict().items():
        if ".lora_" in name:
            module, _, side = name.partition(".lora_")
            yield f"lora.{module}.{side[0]}", tensor
