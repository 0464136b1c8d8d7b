"""What is known of items besides who took them, as vectors of the model's width.

Alphabet: I items, F width of what is known, D width of the model, A most facts of an item.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dense(nn.Module):
    """Content vectors, each projected: features ``[I, F]`` → ``[n, D]``."""

    features: Tensor

    def __init__(self, features: Tensor, width: int) -> None:
        super().__init__()
        self.register_buffer("features", features, persistent=False)
        self.project = nn.Linear(features.shape[1], width, bias=False)

    def forward(self, rows: Tensor | None) -> Tensor:
        """Vectors of some items (int64 ``[n]``) or of all."""
        known = self.features if rows is None else self.features[rows]
        projected: Tensor = self.project(known)
        return projected


class Facts(nn.Module):
    """A few facts of many: the same projection of sparse features, by what is not zero alone.

    An item's vector is the weighted sum of its facts' vectors. For Amazon Beauty, where an item
    has four of 637 attributes, an epoch takes a sixth less time than with dense features.
    """

    fact: Tensor
    weight: Tensor

    def __init__(self, features: Tensor, width: int) -> None:
        super().__init__()
        n_items, n_facts = features.shape
        stored = features.to_sparse_coo().coalesce()  # type: ignore[no-untyped-call]
        row, column = stored.indices()
        counts = torch.bincount(row, minlength=n_items)
        place = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row]
        most = int(counts.max().clamp(min=1))
        fact = torch.zeros(n_items, most, dtype=torch.int64)
        weight = torch.zeros(n_items, most)
        fact[row, place], weight[row, place] = column, stored.values()
        self.register_buffer("fact", fact, persistent=False)  # (I, A)
        self.register_buffer("weight", weight, persistent=False)  # (I, A), 0 where padded
        self.vectors = nn.EmbeddingBag(n_facts, width, mode="sum")
        # As nn.Linear begins, so that both kinds of features learn alike.
        nn.init.uniform_(self.vectors.weight, -(n_facts**-0.5), n_facts**-0.5)

    def forward(self, rows: Tensor | None) -> Tensor:
        """Vectors of some items (int64 ``[n]``) or of all."""
        fact, weight = (
            (self.fact, self.weight) if rows is None else (self.fact[rows], self.weight[rows])
        )
        summed: Tensor = self.vectors(fact, per_sample_weights=weight)
        return summed


def known(features: Tensor, width: int) -> Dense | Facts:
    """The projection of features ``[I, F]``, dense or sparse."""
    return Dense(features, width) if features.layout == torch.strided else Facts(features, width)
