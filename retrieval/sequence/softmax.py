"""The loss: a softmax over all items, or over items drawn with known chances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from retrieval.sequence.histories import Rows

_NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Negatives:
    """Draws items for the softmax.

    Shapes: ``cumulative`` float64 ``[I]``; ``log_q`` float32 ``[I]``, log of each item's share.
    """

    cumulative: np.ndarray[tuple[int], np.dtype[np.float64]]
    log_q: Tensor
    count: int

    @classmethod
    def of(cls, counts: Rows, popularity_exponent: float, count: int) -> Negatives:
        """Shares in proportion to ``(counts + 1) ** popularity_exponent``, counts ``[I]``."""
        share = (counts + 1.0) ** popularity_exponent
        share = share / share.sum()
        log_q = torch.from_numpy(np.log(share)).float()
        return cls(np.cumsum(share), log_q, count)

    def batch(self, rng: np.random.Generator) -> Tensor:
        """Items of one step, int64 ``[count]``, with repeats."""
        drawn = np.searchsorted(self.cumulative, rng.random(self.count), side="right")
        return torch.from_numpy(np.minimum(drawn, len(self.cumulative) - 1))


def sampled_softmax(positive: Tensor, negative: Tensor, hit: Tensor, log_q: Tensor) -> Tensor:
    r"""Cross-entropy of the positive among items that were drawn with known chances.

    .. math:: -\frac 1P \sum_p \log \frac{e^{s_p}}{e^{s_p} + \sum_n e^{s_{pn}} / (N q_n)}

    The correction makes the sum an unbiased estimate of that over all items.

    Args:
        positive: Logits, float32 ``[P]``.
        negative: Logits, float32 ``[P, N]``.
        hit: Where a drawn item is the positive itself, bool ``[P, N]``.
        log_q: Log of each drawn item's chance, float32 ``[N]``.
    """
    corrected = negative - (log_q + np.log(len(log_q)))
    others = corrected.masked_fill(hit, _NEVER).logsumexp(dim=1)
    return nn.functional.softplus(others - positive).mean()
