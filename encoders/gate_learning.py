"""Learning from what a shop's people take together how much each part of an item counts.

Items that are taken together should lie close. The loss is InfoNCE over the fused vectors of a
batch of pairs (van den Oord et al. 2018, arXiv:1807.03748), corrected for how often each item
stands in a batch (logQ; Bengio and Senecal 2008; Yi et al. 2019, RecSys), or it would teach
which items sell instead of which belong together. Some items are held out: they stop the
descent in time, and they decide whether what was learned is used at all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from encoders.base import Float32
from encoders.fusion import fuse_parts
from encoders.gates import Gates, Trial, agreements, fixed_gates

MIN_PAIRS = 2_000
"""Fewer teach the noise of a few visits."""
HELD_OUT = 0.2
"""Share of the items that no step learns from."""
BATCH = 256
MAX_STEPS = 300
CHECK_EVERY = 20
PATIENCE = 4
"""Checks without a better held-out loss, after which the descent ends."""
LEARNING_RATE = 0.05
SCALE = 20.0
"""Inverse temperature of the loss to begin with; it is learned along, and then forgotten."""
JUDGED_PAIRS = 512
"""Held-out pairs of each check."""
QUERIES = 1_000
"""Held-out items whose partners are searched for in the end."""
NEAREST = 20

_BLOCK = 64
"""Queries searched for at once."""


class _GateNet(nn.Module):
    """The numbers of :class:`Gates`, ready to be learned, and the loss they are learned by."""

    def __init__(self, start: Gates) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.from_numpy(start.bias.copy()))
        self.beside = nn.Parameter(torch.from_numpy(start.beside.copy()))
        self.agreement = nn.Parameter(torch.from_numpy(start.agreement.copy()))
        self.log_scale = nn.Parameter(torch.tensor(SCALE).log())

    def forward(self, parts: Tensor, present: Tensor, cosines: Tensor) -> Tensor:
        """Fused vectors, as :func:`encoders.fusion.fuse_parts`, but with gradients.

        Shapes:
            - parts ``[B, P, D]``, zero where missing; present bool ``[B, P]``
            - cosines ``[B, P, P]``; returns ``[B, D]``
        """
        apart = 1 - torch.eye(len(self.bias))
        logits = self.bias + present.float() @ (self.beside * apart).T
        logits = logits + (cosines * self.agreement * apart).sum(dim=2)
        share = logits.masked_fill(~present, -torch.inf).softmax(dim=1)
        return normalize(torch.einsum("bp,bpd->bd", share, parts), dim=1)

    def gates(self) -> Gates:
        """What was learned."""
        apart = 1 - np.eye(len(self.bias), dtype=np.float32)
        return Gates(
            self.bias.detach().numpy().copy(),
            self.beside.detach().numpy() * apart,
            self.agreement.detach().numpy() * apart,
        )


class _Shelf:
    """The items that stand in pairs, as tensors."""

    def __init__(
        self, parts: Float32, present: NDArray[np.bool_], pairs: NDArray[np.int64]
    ) -> None:
        items, places = np.unique(pairs, return_inverse=True)
        self.pairs = places.reshape(pairs.shape)
        self.present = torch.from_numpy(present[items])
        self.parts = torch.zeros(len(items), *parts.shape[1:])
        self.parts[self.present] = torch.from_numpy(parts[items][present[items]])
        self.cosines = torch.from_numpy(agreements(self.parts.numpy(), present[items]))
        often = np.bincount(places.ravel(), minlength=len(items))
        self.log_q = torch.from_numpy(np.log(often / often.sum()).astype(np.float32))

    def loss(self, net: _GateNet, chosen: NDArray[np.int64]) -> Tensor:
        """InfoNCE of some pairs, in both directions."""
        pairs = torch.from_numpy(self.pairs[chosen])
        one, other = (
            net(self.parts[rows], self.present[rows], self.cosines[rows]) for rows in pairs.T
        )
        alike = (one @ other.T) * net.log_scale.exp().clamp(max=100.0)
        return (self._one_way(alike, pairs[:, 1]) + self._one_way(alike.T, pairs[:, 0])) / 2

    def _one_way(self, alike: Tensor, answer: Tensor) -> Tensor:
        same = (answer[:, None] == answer) & ~torch.eye(len(answer), dtype=torch.bool)
        logits = (alike - self.log_q[answer]).masked_fill(same, -torch.inf)
        return cross_entropy(logits, torch.arange(len(answer)))


def fit_gates(
    parts: Float32,
    present: NDArray[np.bool_],
    pairs: NDArray[np.int64],
    *,
    seed: int,
    start: Gates | None = None,
) -> Gates:
    """Gates under which items that are taken together lie close.

    Learned ones are kept only if they find the partners of held-out items better than ``start``
    does, by more than the standard error of the difference; else ``start`` comes back, as it does
    at once where fewer than :data:`MIN_PAIRS` pairs have an item of two parts or more. The same
    arguments give the same gates.

    Shapes:
        - parts ``[I, P, D]`` float32, unit rows where present (anything elsewhere)
        - present ``[I, P]`` bool
        - pairs ``[m, 2]`` int64, items that were taken together; a pair may come several times

    Args:
        parts: The parts of all items.
        present: Which of them are there.
        pairs: What was taken together.
        seed: Of the items held out and the order of the pairs.
        start: Where learning begins, and what it must beat; by default equal shares.

    Raises:
        ValueError: Shapes disagree, or a pair names no item.
    """
    start = fixed_gates([1.0] * present.shape[1]) if start is None else start
    pairs = _telling(pairs, present)
    rng = np.random.default_rng(seed)
    held_out = rng.random(len(parts)) < HELD_OUT
    unseen: NDArray[np.bool_] = np.any(held_out[pairs], axis=1)
    if (~unseen).sum() < MIN_PAIRS or not unseen.any():
        return start
    learned = _descend(_Shelf(parts, present, pairs), unseen, start, rng)
    queries, partners = _questions(pairs[unseen], held_out, rng)
    before, after = (
        _recalls(fuse_parts(parts, present, gates), queries, partners) for gates in (start, learned)
    )
    gain = after - before
    kept = bool(gain.mean() > gain.std() / np.sqrt(len(gain)))
    trial = Trial(int((~unseen).sum()), float(before.mean()), float(after.mean()), kept)
    return replace(learned if kept else start, trial=trial)


def _telling(pairs: NDArray[np.int64], present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The pairs of two items that have a vector, one of which depends on the gates."""
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"pairs are {pairs.shape}, expected [m, 2]")
    if pairs.size and not 0 <= pairs.min() <= pairs.max() < len(present):
        raise ValueError(
            f"pairs name items {pairs.min()} to {pairs.max()}, expected 0 to {len(present) - 1}"
        )
    n_parts = present.sum(axis=1)[pairs]
    mixed = (n_parts.min(axis=1) > 0) & (n_parts.max(axis=1) > 1)
    telling: NDArray[np.int64] = pairs[mixed & (pairs[:, 0] != pairs[:, 1])]
    return telling


def _descend(
    shelf: _Shelf, unseen: NDArray[np.bool_], start: Gates, rng: np.random.Generator
) -> Gates:
    """The gates with the least loss on held-out items."""
    net = _GateNet(start)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    learned_from, judged_by = np.flatnonzero(~unseen), np.flatnonzero(unseen)
    judged_by = rng.permutation(judged_by)[:JUDGED_PAIRS]
    best, least, waited = start, np.inf, 0
    for step in range(MAX_STEPS + 1):
        if step % CHECK_EVERY == 0:
            with torch.no_grad():
                loss = shelf.loss(net, judged_by).item()
            waited += 1
            if loss < least:
                best, least, waited = net.gates(), loss, 0
            if waited >= PATIENCE:
                break
        optimizer.zero_grad()
        shelf.loss(net, rng.choice(learned_from, BATCH, replace=False)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return best


def _questions(
    pairs: NDArray[np.int64], held_out: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Some held-out items, and the partners of each."""
    both_ways = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    asked = both_ways[held_out[both_ways[:, 0]]]
    queries, first = np.unique(asked[:, 0], return_index=True)
    partners = np.split(asked[:, 1], first[1:])
    chosen = np.sort(rng.permutation(len(queries))[:QUERIES])
    return queries[chosen], [partners[at] for at in chosen]


def _recalls(
    fused: Float32, queries: NDArray[np.int64], partners: list[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Recall@20 of each query's partners among all items, ``[Q]``."""
    found = []
    for start in range(0, len(queries), _BLOCK):
        rows = queries[start : start + _BLOCK]
        scores = fused[rows] @ fused.T
        scores[np.arange(len(rows)), rows] = -np.inf
        nearest = np.argpartition(-scores, min(NEAREST, len(fused) - 1), axis=1)[:, :NEAREST]
        for wanted, near in zip(partners[start : start + _BLOCK], nearest, strict=True):
            found.append(np.isin(wanted, near).sum() / min(NEAREST, len(wanted)))
    return np.array(found)
