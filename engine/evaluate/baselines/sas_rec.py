"""SASRec: self-attention over what a user had, one item after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.evaluate.baselines.purchases import Purchases
from engine.evaluate.protocol import Requests
from engine.interactions import Floats, Ints
from retrieval.sequence import (
    Histories,
    NextItem,
    Padded,
    SequenceConfig,
    score_items,
    train,
)


@dataclass(frozen=True, slots=True)
class SasRec:
    """Self-attention over the last items, trained by cross-entropy.

    Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018. One negative per item,
    as in the paper, falls far short: trained with a softmax over sampled items it is still hard to
    beat (Klenitskiy and Vasilev 2023, arXiv:2309.07602; gSASRec, arXiv:2308.07192).
    How long to train is one of the settings, chosen like all others on what is asked.
    """

    max_events: int = 50
    """Last items of a user that are learned from and read."""
    dropout: float = 0.2
    learning_rate: float = 2e-3
    layers: int = 1
    width: int = 64
    n_negatives: int = 256
    batch_size: int = 128
    """Users in a step."""
    epochs: int = 15
    seed: int = 0

    def fit(self, purchases: Purchases) -> NextItemScores:
        """Train."""
        histories = _last(_histories(purchases), self.max_events + 1)
        config = SequenceConfig(
            width=self.width,
            layers=self.layers,
            max_events=self.max_events,
            dropout=self.dropout,
            negatives=min(self.n_negatives, purchases.n_columns),
            popularity_exponent=0.0,
            batch_size=self.batch_size,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            temperature=1.0,
        )
        fitted = train(
            lambda: SelfAttention(purchases.n_columns, config), histories, seed=self.seed
        )
        return NextItemScores(fitted.model, histories)


@dataclass(frozen=True, slots=True)
class NextItemScores:
    """A trained model of the next item, and what it reads of each user."""

    model: NextItem
    histories: Histories

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``; zeros for users without a history."""
        found: Floats = score_items(self.model, self.histories, requests.user).numpy()
        return found


class SelfAttention(NextItem):
    """Transformer layers over items and learned positions; dot products are scores."""

    def __init__(self, n_items: int, config: SequenceConfig) -> None:
        super().__init__()
        self.config, self.n_items = config, n_items
        self.item, self.position = (
            item_table(n_items, config),
            item_table(config.max_events, config),
        )
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.width,
                config.heads,
                dim_feedforward=4 * config.width,
                dropout=config.dropout,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(config.layers)
        )
        self.norm, self.dropout = nn.LayerNorm(config.width), nn.Dropout(config.dropout)

    def items(self, rows: Tensor | None = None) -> Tensor:
        """See :meth:`NextItem.items`."""
        found: Tensor = self.item.weight if rows is None else self.item(rows)
        return found

    def forward(self, batch: Padded) -> Tensor:
        """See :meth:`NextItem.forward`."""
        steps = torch.arange(batch.item.shape[1], device=batch.item.device)
        ago = (batch.valid.sum(dim=1, keepdim=True) - 1 - steps).clamp(min=0)
        x = self.dropout(self.item(batch.item) * self.config.width**0.5 + self.position(ago))
        later = steps[:, None] < steps[None, :]
        for layer in self.layers:
            x = layer(x, src_mask=later)
        states: Tensor = self.norm(x)
        return states


def _histories(purchases: Purchases) -> Histories:
    return Histories.of(
        purchases.user, purchases.column, purchases.at_unix_s, n_users=purchases.n_users
    )


def _last(histories: Histories, n: int) -> Histories:
    """The last ``n`` events of every user."""
    owner: Ints = np.repeat(np.arange(len(histories), dtype=np.int64), histories.lengths)
    kept = histories.starts[owner + 1] - np.arange(len(owner)) <= n
    item, at = histories.item[kept], histories.at_unix_s[kept]
    return Histories.of(owner[kept], item, at, n_users=len(histories))


def item_table(n: int, config: SequenceConfig) -> nn.Embedding:
    """Untrained vectors of ``n`` items or positions, small enough for dot products."""
    table = nn.Embedding(n, config.width)
    nn.init.normal_(table.weight, std=0.02)
    return table
