r"""The reranker: a transformer over a user's events that candidates attend to.

History tokens carry the item's vector, the event's kind, its own scene (hour, weekday, season,
place) and its age. Layers are pre-norm attention and a gated feed-forward net (LiGR layers,
Borisyuk et al. 2025, arXiv:2502.03417, as in eSASRec, arXiv:2508.06450), with attention biased by
the gap between two events in log-spaced buckets (HSTU, Zhai et al. 2024, arXiv:2402.17152). The
present scene is one more token. Candidates then attend to the encoded state; how a past event
relates to a candidate (same item, same group, same place), and how long ago it was, is a bias of
that attention (relations times elapsed time: KDA, Wang et al. 2020, arXiv:2003.06753). A network
over cross features is added (the wide side of DIN and DCN).

Where few users taught it, retrieval's own score is added to the logits once it is trained
(:mod:`retrieval.rerank.trust`).

Alphabet: B batch, H history, T = H + 1 tokens, C candidates, D width, N heads, F features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from retrieval.attention import GAP_BUCKETS, Attention, Layer, gap_bucket
from retrieval.rerank.batch import CLOCK_FEATURES, RELATIONS, SCENE_FEATURES, Batch

N_KINDS = 8
FEATURE_CLIP = 6.0
"""Standardised features are cut here: a rare extreme must not move a score without bound."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a network; with the weights, all that is needed to rebuild it."""

    n_features: int
    item_width: int
    width: int
    heads: int
    layers: int
    hidden: int
    task_names: tuple[str, ...]
    dropout: float = 0.0
    pulled: bool = False
    """Whether some features speak for a candidate beside the network; see :attr:`Reranker.pull`."""


class FeatureScale(nn.Module):
    """Standardise features; what is missing becomes 0 and says so in a column of its own.

    Shapes: ``[..., F]`` → ``[..., 2F]``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("std", torch.ones(n_features))

    def forward(self, features: Tensor) -> Tensor:
        """Scale; see the class."""
        missing = torch.isnan(features)
        scaled: Tensor = (features - self.mean) / self.std
        scaled = scaled.clamp(-FEATURE_CLIP, FEATURE_CLIP).masked_fill(missing, 0.0)
        return torch.cat([scaled, missing.to(features.dtype)], dim=-1)


class Reranker(nn.Module):
    """Scores of candidates for each task (click, purchase, rating); higher is better."""

    items: Tensor
    group: Tensor
    platt: Tensor
    """Slope and offset per task, ``[tasks, 2]``; see :mod:`retrieval.rerank.calibrate`."""
    pull: Tensor
    """What each feature, as it is, adds to every logit, float32 ``[F]``; only of a network whose
    shape is ``pulled``, and not trained."""

    def __init__(self, shape: Shape, items: Tensor, group: Tensor) -> None:
        """Make an untrained network.

        Args:
            shape: Its sizes.
            items: Item vectors, float32 ``[I, item_width]``; not trained.
            group: Finest group of each item, int64 ``[I]``.
        """
        super().__init__()
        self.shape = shape
        d, n = shape.width, shape.heads
        self.register_buffer("items", items, persistent=False)
        self.register_buffer("group", group, persistent=False)
        self.register_buffer("platt", torch.tensor([[1.0, 0.0]] * len(shape.task_names)))
        self.scale = FeatureScale(shape.n_features)
        self.item_in = nn.Linear(shape.item_width, d)
        self.kind_in = nn.Embedding(N_KINDS, d)
        self.age_in = nn.Embedding(GAP_BUCKETS, d)
        self.clock_in = nn.Linear(CLOCK_FEATURES + 1, d)
        self.scene_in = nn.Linear(SCENE_FEATURES, d)
        self.gap_bias = nn.Embedding(GAP_BUCKETS, n)
        self.layers = nn.ModuleList(Layer(d, n, shape.dropout) for _ in range(shape.layers))
        self.state_norm = nn.LayerNorm(d)
        self.relation_bias = nn.Parameter(torch.zeros(RELATIONS, GAP_BUCKETS, n))
        self.cross = Attention(d, n)
        self.features_in = nn.Sequential(
            nn.Linear(2 * shape.n_features, shape.hidden), nn.GELU(), nn.Dropout(shape.dropout)
        )
        self.join = nn.Sequential(
            nn.Linear(shape.hidden + 3 * d, shape.hidden),
            nn.GELU(),
            nn.Dropout(shape.dropout),
            nn.Linear(shape.hidden, d),
            nn.GELU(),
        )
        self.heads_out = nn.Linear(d, len(shape.task_names))
        if shape.pulled:
            self.register_buffer("pull", torch.zeros(shape.n_features))

    def encode(self, batch: Batch) -> Tensor:
        """The user's state, float32 ``[B, T, D]``: the encoded events, then the scene."""
        ages = gap_bucket(batch.age_days)
        own_scene = torch.cat([batch.clock, batch.here[..., None]], dim=-1)
        x = (
            self.item_in(self.items[batch.item])
            + self.kind_in(batch.kind)
            + self.age_in(ages)
            + self.clock_in(own_scene)
        )
        x = torch.cat([x, self.scene_in(batch.scene)[:, None]], dim=1)  # (B, T, D)
        age = torch.cat([batch.age_days, torch.zeros_like(batch.age_days[:, :1])], dim=1)
        gaps = (age[:, :, None] - age[:, None, :]).abs()
        bias = self.gap_bias(gap_bucket(gaps)).permute(0, 3, 1, 2)  # (B, N, T, T)
        bias = bias.masked_fill(~self._visible(batch)[:, None, None], float("-inf"))
        for layer in self.layers:
            x = layer(x, bias)
        state: Tensor = self.state_norm(x)
        return state

    def forward(self, batch: Batch) -> Tensor:
        """Logits of every candidate for every task, float32 ``[B, C, tasks]``."""
        state = self.encode(batch)
        candidate = self.item_in(self.items[batch.candidate])  # (B, C, D)
        met = self.cross(candidate, state, self._relations(batch))
        wide = self.features_in(self.scale(batch.features))
        joined = self.join(torch.cat([wide, met, candidate * met, state[:, -1:] * candidate], -1))
        logits: Tensor = self.heads_out(joined)
        if self.shape.pulled:
            logits = logits + (batch.features.nan_to_num(0.0) @ self.pull)[..., None]
        return logits

    def pull_by(self, weight: Tensor) -> None:
        """Let features speak beside a network that is trained; ``weight`` is float32 ``[F]``."""
        self.shape = replace(self.shape, pulled=True)
        self.register_buffer("pull", weight.to(self.platt.device))

    def embeddings(self) -> tuple[Tensor, ...]:
        """Weights that embed items, kinds of events and ages: what adversarial training shifts."""
        return (self.item_in.weight, self.kind_in.weight, self.age_in.weight)

    def probability(self, logits: Tensor, task: int = 0) -> Tensor:
        """Calibrated probability that the user takes a candidate, of the logits' shape."""
        slope, offset = self.platt[task]
        return torch.sigmoid(slope * logits + offset)

    def _visible(self, batch: Batch) -> Tensor:
        scene = torch.ones_like(batch.token_mask[:, :1])
        return torch.cat([batch.token_mask, scene], dim=1)  # (B, T)

    def _relations(self, batch: Batch) -> Tensor:
        """Bias of candidates' attention to tokens, ``[B, N, C, T]``."""
        same_item = batch.candidate[:, :, None] == batch.item[:, None, :]  # (B, C, H)
        same_group = self.group[batch.candidate][:, :, None] == self.group[batch.item][:, None, :]
        here = batch.here[:, None, :].expand_as(same_item)
        bucket = gap_bucket(batch.age_days)  # (B, H)
        related = torch.stack([same_item, same_group, here.bool()], dim=-1)  # (B, C, H, R)
        strength = self.relation_bias[:, bucket]  # (R, B, H, N)
        bias = torch.einsum("bchr,rbhn->bchn", related.to(strength.dtype), strength)
        padded = nn.functional.pad(bias, (0, 0, 0, 1))  # the scene token has no relation
        padded = padded.permute(0, 3, 1, 2)
        return padded.masked_fill(~self._visible(batch)[:, None, None], float("-inf"))
