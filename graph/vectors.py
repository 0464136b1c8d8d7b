"""How a user's and an item's vector are laid out, so that their cosine is the score.

Popularity is a matter of length in most factor models, and unit vectors have none to spare. So
coordinate 0 is set aside for it (the reduction of inner product search to cosines, Bachrach et
al. 2014, with a meaning of its own): an item is ``[p, sqrt(1 - p²) d]`` with popularity
``0 <= p <= 0.95`` and unit taste ``d``; a user is ``[0.8, 0.6 t]`` with unit taste ``t``. The
cosine ``0.8 p + 0.6 sqrt(1 - p²) d·t`` is popularity plus taste, and a user without any history,
``[1, 0]``, is offered what sells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from graph.schema import Floats

POPULARITY_SHARE = 0.8
TASTE_SHARE = 0.6
"""Coordinate 0 and the length of the rest of a user's vector; squares add up to 1."""
MAX_POPULARITY = 0.95


@dataclass(frozen=True, slots=True)
class FitMetrics:
    """What the validation said: Recall@K of items that a user had not touched before."""

    closed_form_recall: float
    """Of the spectral start; NaN where no user had a new item in the validation window."""
    gnn_recall: float
    """Of the best epoch of the trained network; NaN where none was trained or validated."""
    n_validation_users: int
    epochs: int
    """Epochs after which the kept weights were reached; 0 for the closed form."""


@dataclass(frozen=True, slots=True)
class GraphVectors:
    """What training leaves: unit rows whose inner products are scores, higher is better.

    Shapes: ``users`` float32 ``[U, G]``, ``items`` float32 ``[I, G]``, laid out as the head of
    this module says.
    """

    users: Floats
    items: Floats
    trained: bool
    """True where the network beat the closed form on validation, False where it did not."""
    metrics: FitMetrics
    relation_weights: Mapping[str, float] = field(default_factory=dict)
    """How much the network lets each relation count, for :func:`graph.find_paths`; the closed
    form has learned none."""


def join_items(taste: Tensor, popularity: Tensor) -> Tensor:
    """Unit tastes ``[I, G - 1]`` and popularity ``[I]`` → item vectors ``[I, G]``."""
    rest = (1 - popularity.square()).sqrt()
    return torch.cat([popularity[:, None], rest[:, None] * taste], dim=1)


def join_users(taste: Tensor) -> Tensor:
    """Tastes of any length ``[B, G - 1]`` → user vectors ``[B, G]``; no taste gives ``[1, 0]``."""
    length = taste.norm(dim=1, keepdim=True)
    known = length > 1e-12
    unit = taste / torch.where(known, length, 1.0)
    share = torch.where(known, POPULARITY_SHARE, 1.0).to(taste.dtype)
    return torch.cat([share, TASTE_SHARE * unit * known], dim=1)


def unit_or(vectors: Tensor, otherwise: Tensor) -> Tensor:
    """Rows of ``[n, W]`` scaled to length one; rows of zeros become ``otherwise`` ``[W]``."""
    length = vectors.norm(dim=1, keepdim=True)
    known = length > 1e-12
    return torch.where(known, vectors / torch.where(known, length, 1.0), otherwise)


def split_items(items: Floats) -> tuple[Floats, Floats]:
    """Item vectors ``[n, G]`` → unit tastes ``[n, G - 1]`` and popularity ``[n]``."""
    popularity = items[:, 0]
    return items[:, 1:] / taste_length(popularity)[:, None], popularity


def taste_length(popularity: Floats) -> Floats:
    """How long the taste in an item's vector is, of any shape: what popularity leaves."""
    length: Floats = np.sqrt(np.maximum(1 - popularity * popularity, np.float32(1e-12)))
    return length
