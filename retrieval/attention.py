"""Attention over events in time: what the reranker and the sequence model are built of.

Layers are pre-norm attention and a gated feed-forward net (LiGR layers, Borisyuk et al. 2025,
arXiv:2502.03417, as in eSASRec, arXiv:2508.06450).

Alphabet: B batch, T tokens, Q queries, D width, N heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

GAP_BUCKETS = 24
"""Half-octaves of the gap in hours: bucket 23 starts at about four months."""


def gap_bucket(gap_days: Tensor) -> Tensor:
    """Log-spaced bucket of a gap in days, int64 of the same shape."""
    hours = gap_days.clamp(min=0) * 24
    return (2 * torch.log2(1 + hours)).long().clamp(max=GAP_BUCKETS - 1)


class Attention(nn.Module):
    """Multi-head attention with an additive bias.

    Shapes: queries ``[B, Q, D]``, keys ``[B, T, D]``, bias ``[B, N, Q, T]`` (−inf hides a key);
    gives ``[B, Q, D]``.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
        """Attend; see the class for shapes."""
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, N, Q or T, D/N)
            for layer, x in ((self.q, queries), (self.k, keys), (self.v, keys))
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class Layer(nn.Module):
    """LiGR layer: ``x + σ(gate(x)) · f(norm(x))`` for attention, then for SwiGLU."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention, self.norm_ffn = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.gate_attention, self.gate_ffn = nn.Linear(width, width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Tokens ``[B, T, D]`` and bias ``[B, N, T, T]`` → ``[B, T, D]``."""
        normed = self.norm_attention(x)
        attended = self.dropout(self.attention(normed, normed, bias))
        x = x + torch.sigmoid(self.gate_attention(x)) * attended
        left, right = self.up(self.norm_ffn(x)).chunk(2, dim=-1)
        fed = self.dropout(self.down(nn.functional.silu(left) * right))
        out: Tensor = x + torch.sigmoid(self.gate_ffn(x)) * fed
        return out
