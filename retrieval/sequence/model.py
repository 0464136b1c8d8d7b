r"""A causal transformer over events that answers with the vector of what comes next.

SASRec (Kang and McAuley 2018, arXiv:1808.09781) with the changes that measure best: LiGR layers as
in eSASRec (2025, arXiv:2508.06450), attention biased by the logarithm of the time between two
events (HSTU, Zhai et al. 2024, arXiv:2402.17152), and item vectors that are a learned part plus a
projection of what is known of the item, so that one never seen in training has a place too. States
and items are of length 1, so that an index of unit vectors serves them, and so that a popular item
cannot win by length alone; logits are cosines over a temperature.

The model reads times of the past only. It never sees the time of the event that it predicts.

Alphabet: B batch, T tokens, D width, N heads, I items, F width of what is known of items.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from retrieval.attention import GAP_BUCKETS, Layer, gap_bucket
from retrieval.sequence.config import SequenceConfig
from retrieval.sequence.histories import Padded
from retrieval.sequence.known import known

_SECONDS_PER_DAY = 86_400


class NextItem(nn.Module):
    """What training and scoring ask of a model: a state times an item's vector is a score."""

    config: SequenceConfig
    n_items: int

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    def items(self, rows: Tensor | None = None) -> Tensor:
        """Vectors of some items (int64 ``[n]``) or of all: float32 ``[n, D]``."""
        raise NotImplementedError

    def forward(self, batch: Padded) -> Tensor:
        """State after each event, float32 ``[B, T, D]``, of it and those before."""
        raise NotImplementedError


class SequenceModel(NextItem):
    """States and items are unit vectors: their cosine is the score."""

    def __init__(
        self, n_items: int, config: SequenceConfig, features: Tensor | None = None
    ) -> None:
        """Make an untrained network.

        Args:
            n_items: I.
            config: Its sizes.
            features: What is known of each item, float32 ``[I, F]``, not trained; dense, or a
                sparse tensor where most of it is zero.
        """
        super().__init__()
        self.config, self.n_items = config, n_items
        self.learned = nn.Embedding(n_items, config.width)
        nn.init.normal_(self.learned.weight, std=0.02)
        self.known = None if features is None else known(features, config.width)
        self.position = nn.Embedding(config.max_events, config.width)
        nn.init.normal_(self.position.weight, std=0.02)
        self.gap_bias = nn.Embedding(GAP_BUCKETS, config.heads)
        nn.init.zeros_(self.gap_bias.weight)
        self.step_bias = nn.Embedding(config.max_events, config.heads)
        nn.init.zeros_(self.step_bias.weight)
        self.layers = nn.ModuleList(
            Layer(config.width, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)

    def items(self, rows: Tensor | None = None) -> Tensor:
        """Unit vectors of some items (int64 ``[n]``) or of all: float32 ``[n, D]``."""
        return nn.functional.normalize(self._raw(rows), dim=-1)

    def _raw(self, rows: Tensor | None) -> Tensor:
        learned: Tensor = self.learned.weight if rows is None else self.learned(rows)
        return learned if self.known is None else learned + self.known(rows)

    def forward(self, batch: Padded) -> Tensor:
        """Unit state after each event, float32 ``[B, T, D]``: what comes next is like it."""
        x = self._raw(batch.item.flatten()).view(*batch.item.shape, -1)
        steps = torch.arange(batch.item.shape[1], device=x.device)
        if self.config.positions:
            # Counted from the newest event, which is where a history that was cut is whole.
            ago = (batch.valid.sum(dim=1, keepdim=True) - 1 - steps).clamp(min=0)
            x = x + self.position(ago)
        x = self.dropout(x)
        bias = self._bias(batch, steps)
        for layer in self.layers:
            x = layer(x, bias)
        return nn.functional.normalize(self.norm(x), dim=-1)

    def _bias(self, batch: Padded, steps: Tensor) -> Tensor:
        """Additive bias of attention, ``[B, N, T, T]``: −inf for the future and for padding."""
        back = steps[:, None] - steps[None, :]  # (T, T)
        bias = self.step_bias(back.clamp(min=0)).permute(2, 0, 1)[None]  # (1, N, T, T)
        if self.config.time_bias:
            seconds = batch.at_unix_s[:, :, None] - batch.at_unix_s[:, None, :]
            gaps = gap_bucket(seconds.clamp(min=0).double() / _SECONDS_PER_DAY)
            bias = bias + self.gap_bias(gaps).permute(0, 3, 1, 2)
        # A padded token sees the first event: a row that may attend to nothing gives NaN.
        hidden = (back < 0) | ~batch.valid[:, None, None, :]
        visible: Tensor = bias.masked_fill(hidden, float("-inf"))
        return visible
