"""How an encoder is tuned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Tower: TypeAlias = Literal["both", "image", "text"]


@dataclass(frozen=True, slots=True)
class TuningSettings:
    """Settings of :func:`encoders.tuning.tune`.

    Raises:
        ValueError: One of them is out of its bounds; names it.
    """

    rank: int = 8
    """Rank of the update that each weight gets (Hu et al. 2021, arXiv:2106.09685)."""
    alpha: float = 16.0
    """The update is scaled by ``alpha / rank``."""
    tower: Tower = "both"
    """What learns: the tower of pictures, that of words, or both."""
    depth: float = 1.0
    """Share of a tower's layers that learn, counted from its output, in (0, 1]. Half of them cost
    a third less time."""
    epochs: int = 12
    """Passes over the catalogue at most."""
    patience: int = 3
    """Passes without a better held-out recall before it stops."""
    batch_size: int = 64
    """Pictures per step."""
    together_batch_size: int = 16
    """Pairs of items bought together per step; a pair is up to two more pictures."""
    learning_rate: float = 1e-3
    """At its highest: it rises over the first twentieth of the steps, then falls to 0."""
    weight_decay: float = 0.01
    image_weight: float = 0.35
    """Share of the picture in the vector of an item that has both picture and words."""
    together_weight: float = 0.3
    """Weight of the loss over items bought together; that over pictures and words has 1."""
    anchor_weight: float = 1.0
    """Weight of staying where the untuned model is, for words and pictures that are not the
    shop's: 1 - cosine, averaged. 0 lets them drift."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the bounds."""
        if self.tower not in get_args(Tower):
            raise ValueError(f"tower is {self.tower!r}, expected one of {get_args(Tower)}")
        if not 0 < self.depth <= 1:
            raise ValueError(f"depth is {self.depth}, expected a share above 0 and up to 1")
        if not 0 <= self.image_weight <= 1:
            raise ValueError(f"image_weight is {self.image_weight}, expected a share from 0 to 1")
        for name in ("rank", "epochs", "patience", "batch_size", "together_batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        for name in ("alpha", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")
        for name in ("weight_decay", "together_weight", "anchor_weight", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
