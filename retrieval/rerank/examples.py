"""Training requests with their candidates: ragged arrays, padded into batches when asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.rerank.batch import Batch, Tokens
from retrieval.rerank.records import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Example:
    """One request, its retrieved candidates, and what the user then did."""

    user: int
    weight: float
    tokens: Tokens
    candidates: Ints
    """int64 ``[C]``"""
    features: Floats
    """float32 ``[C, F]``"""
    label: Bools
    """bool ``[C, tasks]``"""
    is_new: Bools
    """bool ``[C]``: the user never took it before."""
    log_weight: Floats
    """float32 ``[C]``: log of how many retrieved candidates this one stands for."""


@dataclass(frozen=True, slots=True)
class Examples:
    """N requests; candidates of request ``i`` are rows ``offset[i]`` to ``offset[i + 1]``."""

    user: Ints
    weight: Floats
    tokens: Tokens
    """Stacked: every array has a leading ``[N]``."""
    offset: Ints
    candidates: Ints
    features: NDArray[np.float16]
    """Half precision: the widest array by far, and standardised before use."""
    label: Bools
    is_new: Bools
    log_weight: Floats

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def stack(cls, examples: Iterable[Example]) -> Examples:
        """Put examples side by side.

        Raises:
            ValueError: There is none.
        """
        listed = list(examples)
        if not listed:
            raise ValueError("got no training request: no session before as_of has a candidate")
        sizes = [len(e.candidates) for e in listed]
        tokens = Tokens(
            *(np.stack([getattr(e.tokens, name) for e in listed]) for name in Tokens.__slots__)
        )
        return cls(
            user=np.array([e.user for e in listed], dtype=np.int64),
            weight=np.array([e.weight for e in listed], dtype=np.float32),
            tokens=tokens,
            offset=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            candidates=np.concatenate([e.candidates for e in listed]),
            features=np.concatenate([e.features.astype(np.float16) for e in listed]),
            label=np.concatenate([e.label for e in listed]),
            is_new=np.concatenate([e.is_new for e in listed]),
            log_weight=np.concatenate([e.log_weight for e in listed]),
        )

    def batch(self, which: Ints) -> LabelledBatch:
        """Pad some requests (int64 ``[B]``) into one batch."""
        start, stop = self.offset[which], self.offset[which + 1]
        longest = int((stop - start).max())
        slot = start[:, None] + np.arange(longest)
        mask = slot < stop[:, None]  # (B, C)
        slot = np.where(mask, slot, start[:, None])
        tokens = self.tokens
        return LabelledBatch(
            Batch(
                item=torch.from_numpy(tokens.item[which]),
                token_mask=torch.from_numpy(tokens.mask[which]),
                kind=torch.from_numpy(tokens.kind[which]),
                age_days=torch.from_numpy(tokens.age_days[which]),
                clock=torch.from_numpy(tokens.clock[which]),
                here=torch.from_numpy(tokens.here[which]),
                scene=torch.from_numpy(tokens.scene[which]),
                candidate=torch.from_numpy(self.candidates[slot]),
                candidate_mask=torch.from_numpy(mask),
                features=torch.from_numpy(self.features[slot].astype(np.float32)),
            ),
            torch.from_numpy(self.label[slot] & mask[..., None]),
            torch.from_numpy(self.is_new[slot] & mask),
            torch.from_numpy(self.weight[which]),
            torch.from_numpy(self.log_weight[slot]),
        )


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """A batch and its answers."""

    batch: Batch
    label: torch.Tensor
    """bool ``[B, C, tasks]``"""
    is_new: torch.Tensor
    """bool ``[B, C]``"""
    weight: torch.Tensor
    """float32 ``[B]``"""
    log_weight: torch.Tensor
    """float32 ``[B, C]``"""

    def to(self, device: torch.device) -> LabelledBatch:
        """The same on another device."""
        return LabelledBatch(
            self.batch.to(device),
            *(x.to(device) for x in (self.label, self.is_new, self.weight, self.log_weight)),
        )
