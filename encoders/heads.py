"""What comes after the towers of the bundled model: to one space of pictures and words."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from encoders.alignment import AlignedHead


class PictureHead(nn.Module):
    """The closed-form head of :mod:`encoders.alignment`, and a learned correction of it.

    The correction starts at zero, so that training starts from what needs no picture at all.

    Shapes:
        - input ``[B, F]`` float
        - output ``[B, D]`` float, not normalised
    """

    def __init__(self, aligned: AlignedHead, *, features: int, width: int, dim: int) -> None:
        """Build the head around a closed-form one.

        Args:
            aligned: What the correction is added to.
            features: F.
            width: Hidden width of the correction.
            dim: D.
        """
        super().__init__()
        self.aligned = aligned
        self.norm = nn.LayerNorm(features)
        self.inner = nn.Linear(features, width)
        self.outer = nn.Linear(width, dim)
        self.direct = nn.Linear(features, dim, bias=False)
        for last in (self.outer, self.direct):
            nn.init.zeros_(last.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map features ``[B, F]`` to rows ``[B, D]``."""
        start = nn.functional.normalize(self.aligned(features), dim=-1)
        seen = self.norm(features)
        return start + self.outer(nn.functional.gelu(self.inner(seen))) + self.direct(seen)  # type: ignore[no-any-return]


def identity_projection(dim: int) -> nn.Linear:
    """A square linear map without a bias that starts as the identity."""
    projection = nn.Linear(dim, dim, bias=False)
    with torch.no_grad():
        nn.init.eye_(projection.weight)
    return projection
