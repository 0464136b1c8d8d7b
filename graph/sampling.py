"""What a training step sees: positives by weight, negatives by tempered popularity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from graph.config import GraphConfig
from graph.inputs import GraphInputs
from graph.schema import Floats, Ints


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws rows with fixed probabilities, with replacement, in O(log n) each.

    Shapes: ``cumulative`` float64 ``[n]``, rising to 1; ``log_q`` float32 ``[n]``.
    """

    cumulative: NDArray[np.float64]
    log_q: Floats
    """Log-probability of each row; -inf for rows that are never drawn."""

    @classmethod
    def of(cls, weight: NDArray[np.floating], exponent: float = 1.0) -> Sampler:
        """Rows drawn in proportion to ``weight ** exponent``; weight 0 is never drawn.

        Raises:
            ValueError: No weight is positive, or one is negative or not finite.
        """
        weight = np.asarray(weight, np.float64)
        if not (np.isfinite(weight).all() and (weight >= 0).all() and (weight > 0).any()):
            raise ValueError("weights to sample by must be finite, not negative, and not all zero")
        q = np.where(weight > 0, weight, 1.0) ** exponent * (weight > 0)
        q /= q.sum()
        with np.errstate(divide="ignore"):
            return cls(np.cumsum(q), np.log(q).astype(np.float32))

    def draw(self, size: int, rng: np.random.Generator) -> Ints:
        """Rows int64 ``[size]``."""
        last = np.flatnonzero(np.isfinite(self.log_q))[-1]
        found = np.searchsorted(self.cumulative, rng.random(size), side="right")
        rows: Ints = np.minimum(found, last).astype(np.int64)
        return rows


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's sample as tensors on the model's device.

    Shapes: ``users`` int64 ``[R]``, unique; ``row`` int64 ``[B]``, position in ``users`` of
    each positive; ``item`` int64 ``[B]``; ``share`` float32 ``[B]``, the positive's share of its
    user's mean; ``negative`` int64 ``[N]``; ``log_q`` float32 ``[N]``; ``known`` bool ``[R, N]``,
    negatives that the user touched; ``shown`` float32 ``[I]``, 0 for the items whose history is
    hidden.
    """

    users: Tensor
    row: Tensor
    item: Tensor
    share: Tensor
    negative: Tensor
    log_q: Tensor
    known: Tensor
    shown: Tensor
    noise_seed: Tensor
    """Start of the noise of the contrastive term, int64 scalar; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Draws batches from the pairs of one graph."""

    user: np.ndarray[tuple[int], np.dtype[np.int64]]
    item: np.ndarray[tuple[int], np.dtype[np.int64]]
    share: Floats
    pairs: sp.csr_array
    positives: Sampler
    negatives: Sampler
    config: GraphConfig
    device: torch.device

    @classmethod
    def of(cls, inputs: GraphInputs, config: GraphConfig) -> Draw:
        """Everything that drawing needs, once."""
        pairs = inputs.pairs.tocoo()
        total = np.asarray(inputs.pairs.sum(axis=1)).ravel()
        popularity = np.asarray(inputs.pairs.sum(axis=0)).ravel()
        return cls(
            user=pairs.row.astype(np.int64),
            item=pairs.col.astype(np.int64),
            share=(pairs.data / total[pairs.row]).astype(np.float32),
            pairs=inputs.pairs,
            positives=Sampler.of(pairs.data),
            # Half a sale for all: an item that never sold is a negative too.
            negatives=Sampler.of(popularity + 0.5, config.negative_exponent),
            config=config,
            device=inputs.taste.device,
        )

    def batch(self, rng: np.random.Generator) -> Batch:
        """One step's sample."""
        chosen = self.positives.draw(self.config.batch_size, rng)
        negative = self.negatives.draw(self.config.n_negatives, rng)
        users, row = np.unique(self.user[chosen], return_inverse=True)
        n_items = len(self.negatives.log_q)
        shown = (rng.random(n_items) >= self.config.id_dropout).astype(np.float32)
        seed = rng.integers(2**62) if self.config.contrastive_weight else 0
        columns = (
            users,
            row,
            self.item[chosen],
            self.share[chosen],
            negative,
            self.negatives.log_q[negative],
            self.pairs[users][:, negative].toarray() > 0,
            shown,
            np.array(seed, np.int64),
        )
        tensors = (torch.from_numpy(column).to(self.device) for column in columns)
        return Batch(*tensors)
