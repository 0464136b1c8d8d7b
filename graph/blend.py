"""One score from many: weights learned on interactions that the filters did not see."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from graph.evidence import Evidence
from graph.schema import Floats, GraphError

FLOOR = 1e-6
"""Score below which a level counts as nothing; its logarithm must be finite."""
LIMITS = (-4.0, 8.0)
"""Standard scores are cut here: beyond, they only say that a user has one clear favourite."""
HIDDEN = 24
BATCH_USERS = 64


@dataclass(frozen=True, slots=True)
class Blend:
    """A small network over a candidate's evidence.

    Shapes: ``mean`` and ``spread`` float32 ``[F]``, of the inputs that are not relative to their
    user.
    """

    network: nn.Sequential
    mean: Tensor
    spread: Tensor

    @torch.no_grad()
    def scores(self, evidence: Evidence) -> Floats:
        """Scores float32 ``[B, C]``; ``-inf`` where there is no candidate."""
        relative, absolute = _inputs(evidence)
        inputs = torch.cat([relative, (absolute - self.mean) / self.spread], dim=2)
        scores = self.network(inputs).squeeze(-1)
        found: Floats = scores.masked_fill(~torch.from_numpy(evidence.valid), -torch.inf).numpy()
        return found


def fit_blend(
    evidence: Evidence,
    relevant: NDArray[np.bool_],
    *,
    epochs: int = 16,
    learning_rate: float = 3e-3,
    seed: int,
) -> Blend:
    r"""Learn how much each filter counts, by the softmax over a user's candidates.

    .. math:: -\frac{1}{|P|} \sum_u \sum_{i \in P_u} \ln
              \frac{e^{s_{ui}}}{\sum_{c \in C_u} e^{s_{uc}}}

    the listwise loss of ListNet (Cao et al. 2007), in which every hidden interaction counts the
    same: on Gowalla that ranks better than the same for every user. Filters are told both in
    standard scores of the user's own candidates and in logarithms, so that a strong answer can
    count for more than the first of a weak list.

    Args:
        evidence: Of users whose hidden interactions are known.
        relevant: Candidates that were hidden, bool ``[B, C]``.
        epochs: Passes over the users.
        learning_rate: Highest step size of the one-cycle schedule.
        seed: Initial weights and order of users.

    Raises:
        GraphError: No candidate is relevant.
    """
    right = torch.from_numpy(relevant & evidence.valid)
    users = torch.nonzero(right.any(dim=1)).squeeze(-1)
    if not len(users):
        raise GraphError("no candidate was hidden: hold out more interactions or take more users")
    relative, absolute = _inputs(evidence)
    mean, spread = absolute.mean(dim=(0, 1)), absolute.std(dim=(0, 1)) + FLOOR
    inputs = torch.cat([relative, (absolute - mean) / spread], dim=2)
    generator = torch.Generator().manual_seed(seed)
    network = _network(inputs.shape[2], generator)
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-4)
    steps = epochs * -(-len(users) // BATCH_USERS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    valid = torch.from_numpy(evidence.valid)
    for _ in range(epochs):
        order = users[torch.randperm(len(users), generator=generator)]
        for batch in torch.split(order, BATCH_USERS):
            scores = network(inputs[batch]).squeeze(-1).masked_fill(~valid[batch], -1e4)
            optimizer.zero_grad(set_to_none=True)
            listwise(scores, right[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return Blend(network, mean, spread)


def listwise(scores: Tensor, right: Tensor) -> Tensor:
    """Mean over right answers of ``-log softmax`` over their user's candidates.

    Args:
        scores: float32 ``[B, C]``.
        right: bool ``[B, C]``, at least one of them true.

    Returns:
        A scalar.
    """
    return -(F.log_softmax(scores, dim=1) * right).sum() / right.sum()


def _inputs(evidence: Evidence) -> tuple[Tensor, Tensor]:
    """Inputs relative to the user's candidates, and absolute ones, float32 ``[B, C, ...]``."""
    valid = torch.from_numpy(evidence.valid)[:, :, None]
    degree = torch.from_numpy(evidence.log_degree)[:, :, None]
    levels, signed = torch.from_numpy(evidence.levels), torch.from_numpy(evidence.signed)
    every = torch.cat([levels, signed, degree], dim=2)
    count = valid.sum(dim=1, keepdim=True).clamp_min(1)
    mean = (every * valid).sum(dim=1, keepdim=True) / count
    variance = ((every - mean).square() * valid).sum(dim=1, keepdim=True) / count
    relative = ((every - mean) / (variance.sqrt() + 1e-9)).clamp(*LIMITS)
    activity = torch.from_numpy(evidence.activity)[:, None, None].expand(-1, every.shape[1], 1)
    positive = torch.cat([levels, signed[:, :, :1]], dim=2).clamp_min(FLOOR).log()
    return relative, torch.cat([positive, degree, activity], dim=2)


def _network(width: int, generator: torch.Generator) -> nn.Sequential:
    sizes = (width, HIDDEN, HIDDEN, 1)
    layers = [nn.Linear(wide, narrow) for wide, narrow in pairwise(sizes)]
    for layer in layers:
        bound = layer.in_features**-0.5
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.GELU(), layers[1], nn.GELU(), layers[2])
