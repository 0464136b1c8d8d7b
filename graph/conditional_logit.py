"""How much to believe each of several scores: a conditional logit over the whole catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import Tensor

from graph.schema import Floats, GraphError

STEPS = 40


@dataclass(frozen=True, slots=True)
class Logit:
    """Learned weights of ``R`` scores, float32 ``[R]``, not negative."""

    names: tuple[str, ...]
    weights: Floats

    def scores(self, parts: Sequence[Floats]) -> Floats:
        """One score per user and item, float32 ``[B, I]``, from ``R`` arrays of that shape."""
        total = np.zeros_like(parts[0])
        for part, weight in zip(parts, self.weights, strict=True):
            total += weight * level(part)
        return total


def level(scores: Floats) -> Floats:
    """Root of each score's share of its row's maximum, in [0, 1]; below zero nothing is said.

    Shares make users of any length of history alike. The root lets an item that two sources call
    likely pass one that a single source is sure of, much as adding logarithms would.
    """
    top = np.maximum(scores.max(axis=1, keepdims=True), np.float32(1e-12))
    levelled: Floats = np.sqrt(np.maximum(scores, 0) / top)
    return levelled


def learn_logit(
    names: Sequence[str],
    parts: Sequence[Floats],
    known: sp.csr_array,
    chosen: sp.csr_array,
    *,
    ridge: float = 1e-4,
) -> Logit:
    r"""Weights under which the items that users chose next are likeliest.

    .. math:: \max_{w \ge 0} \sum_u \frac{1}{|C_u|} \sum_{i \in C_u}
              \ln \frac{e^{w \cdot x_{ui}}}{\sum_{j \notin K_u} e^{w \cdot x_{uj}}}

    McFadden's conditional logit (1974) with every item that a user does not know yet as an
    alternative: no negatives are sampled, and no seed is needed. Weights are few, one per score,
    so that a thousand users are plenty.

    Args:
        names: What the scores are called, ``R`` of them.
        parts: The scores, float32 ``[B, I]`` each, made from what was known before the choice.
        known: Items that each user knew, which are no alternatives, sparse ``[B, I]``.
        chosen: Items that each user then chose, sparse ``[B, I]``; rows may be empty.
        ridge: Penalty on the squared weights, per user.

    Raises:
        GraphError: Nobody chose anything, or the numbers of names and scores differ.
    """
    if len(names) != len(parts):
        raise GraphError(f"{len(parts)} scores for {len(names)} names: give one of each")
    counts = np.diff(chosen.indptr)
    if not counts.any():
        raise GraphError("nobody chose an item: there is nothing to learn weights from")
    x = [torch.from_numpy(level(part)) for part in parts]
    closed = torch.from_numpy(known.toarray() > 0)
    owner = torch.from_numpy(np.repeat(np.arange(len(counts)), counts))
    item = torch.from_numpy(chosen.indices.astype(np.int64))
    share = torch.from_numpy(1.0 / (np.count_nonzero(counts) * np.repeat(counts, counts))).float()

    def loss(weights: Tensor) -> Tensor:
        logits = sum((w * part for w, part in zip(weights, x, strict=True)), torch.zeros(()))
        logits = logits.masked_fill(closed, -1e9)
        likelihood = logits[owner, item] - torch.logsumexp(logits, dim=1)[owner]
        return -(share * likelihood).sum() + ridge * weights.square().sum()

    return Logit(tuple(names), _minimised(loss, len(parts)))


def _minimised(loss: Callable[[Tensor], Tensor], n: int) -> Floats:
    # Softplus keeps the weights positive without a constraint that L-BFGS could not see.
    free = torch.zeros(n, requires_grad=True)
    optimizer = torch.optim.LBFGS([free], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(F.softplus(free))
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    weights: Floats = F.softplus(free).detach().numpy()
    return weights
