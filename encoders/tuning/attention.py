"""Attention that an adapter can reach."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PackedAttention(nn.Module):
    """What ``nn.MultiheadAttention`` computes, with its projections as layers that are called.

    The original hands its weights to a function, so an adapter around a layer would be passed
    by. (peft's own wrapper merges and unmerges the weights on every call, which moves the frozen
    ones a little each time; training would then depend on where it was interrupted.)

    Shapes:
        - query ``[B, T, E]``, key and value ``[B, S, E]`` if batch first, else ``[T, B, E]``, ...
        - attn_mask ``[T, S]`` or ``[B * heads, T, S]``: added to the scores, or True to hide
        - returns (as the query, None)
    """

    def __init__(self, original: nn.MultiheadAttention) -> None:
        """Take over the weights of an attention that :func:`can_pack` accepts."""
        super().__init__()
        weight, bias = original.in_proj_weight, original.in_proj_bias
        self.in_proj = nn.Linear(
            weight.shape[1], weight.shape[0], bias=bias is not None, device="meta"
        )
        self.in_proj.weight, self.in_proj.bias = weight, bias
        self.out_proj = original.out_proj
        self.n_heads, self.batch_first = original.num_heads, original.batch_first

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        """Attend; the weights themselves cannot be had."""
        if need_weights:
            raise ValueError("need_weights is true, but attention is tuned without its weights")
        if query is key is value:
            q, k, v = self.in_proj(query).chunk(3, dim=-1)
        else:
            given = (query, key, value)
            q, k, v = (self.in_proj(x).chunk(3, dim=-1)[i] for i, x in enumerate(given))
        mixed = nn.functional.scaled_dot_product_attention(
            self._heads(q), self._heads(k), self._heads(v), attn_mask=self._mask(attn_mask)
        )  # [B, heads, T, E / heads]
        mixed = mixed.permute(0, 2, 1, 3) if self.batch_first else mixed.permute(2, 0, 1, 3)
        rows: Tensor = self.out_proj(mixed.flatten(2))
        return rows, None

    def _heads(self, rows: Tensor) -> Tensor:
        split = rows.view(*rows.shape[:-1], self.n_heads, -1)
        return split.permute(0, 2, 1, 3) if self.batch_first else split.permute(1, 2, 0, 3)

    def _mask(self, mask: Tensor | None) -> Tensor | None:
        if mask is None:
            return None
        if mask.dtype == torch.bool:
            mask = ~mask  # There, True hides; here, True shows.
        return mask.view(-1, self.n_heads, *mask.shape[1:]) if mask.dim() == 3 else mask


def can_pack(module: nn.Module) -> bool:
    """Whether a module is an attention that :class:`PackedAttention` stands in for exactly."""
    return (
        isinstance(module, nn.MultiheadAttention)
        and module.in_proj_weight is not None
        and module.bias_k is None
        and not module.add_zero_attn
    )


def pack_attention(model: nn.Module) -> None:
    """Put a :class:`PackedAttention` in the place of every attention that allows it."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MultiheadAttention) and can_pack(child):
                setattr(parent, name, PackedAttention(child))
