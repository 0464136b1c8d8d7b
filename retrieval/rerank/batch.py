"""What the network reads, padded: B requests of at most H events and C candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrieval.rerank.records import DAY_S, History, Ints, Moment

CLOCK_FEATURES = 6
SCENE_FEATURES = CLOCK_FEATURES + 3
"""The clock, how near a holiday is, whether that is known, and whether a place is."""
HOLIDAY_DAYS = 7.0
"""Days before a holiday at which its nearness has fallen to 1 / e."""
RELATIONS = 3
"""How a candidate may relate to a past event: same item, same finest group, same place."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded requests; a masked slot never changes an answer."""

    item: Tensor
    """int64 ``[B, H]``, oldest first, padded at the front."""
    token_mask: Tensor
    """bool ``[B, H]``, True for a real event."""
    kind: Tensor
    """int64 ``[B, H]``"""
    age_days: Tensor
    """float32 ``[B, H]``, before the request."""
    clock: Tensor
    """float32 ``[B, H, CLOCK_FEATURES]``: each event's own scene."""
    here: Tensor
    """float32 ``[B, H]``, 1 where the event was at the request's place."""
    scene: Tensor
    """float32 ``[B, SCENE_FEATURES]``: the present scene."""
    candidate: Tensor
    """int64 ``[B, C]``"""
    candidate_mask: Tensor
    """bool ``[B, C]``"""
    features: Tensor
    """float32 ``[B, C, F]``; NaN where a feature has no meaning."""

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(*(getattr(self, f.name).to(device) for f in fields(self)))


def clock_features(local_s: NDArray[np.int64]) -> NDArray[np.float32]:
    """Hour, weekday and day of the year as points on circles, float32 ``[n, 6]``."""
    turns = np.stack(
        [
            (local_s % DAY_S) / DAY_S,
            ((local_s // DAY_S + 3) % 7) / 7,
            ((local_s / DAY_S) % 365.2425) / 365.2425,
        ],
        axis=-1,
    )
    angle = 2 * np.pi * turns
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Tokens:
    """One request's events, cut to the last H and padded at the front. Shapes ``[H]``."""

    item: Ints
    mask: NDArray[np.bool_]
    kind: Ints
    age_days: NDArray[np.float32]
    clock: NDArray[np.float32]
    here: NDArray[np.float32]
    scene: NDArray[np.float32]


def tokens_of(history: History, moment: Moment, length: int) -> Tokens:
    """The last ``length`` events before the moment, and the moment itself."""
    recent = history.slice(max(0, len(history) - length), len(history))
    n = len(recent)
    item, kind = np.zeros(length, np.int64), np.zeros(length, np.int64)
    mask = np.zeros(length, np.bool_)
    age, here = np.zeros(length, np.float32), np.zeros(length, np.float32)
    clock = np.zeros((length, CLOCK_FEATURES), np.float32)
    if n:
        item[-n:], kind[-n:], mask[-n:] = recent.item, recent.kind, True
        age[-n:] = (moment.at_unix_s - recent.at_unix_s) / DAY_S
        here[-n:] = (recent.place == moment.place) & (moment.place > 0)
        clock[-n:] = clock_features(recent.local_s)
    now = clock_features(np.array([moment.local_s]))[0]
    return Tokens(item, mask, kind, age, clock, here, _scene(now, moment))


def _scene(clock: NDArray[np.float32], moment: Moment) -> NDArray[np.float32]:
    dated = not math.isnan(moment.to_holiday_days)
    near = math.exp(-moment.to_holiday_days / HOLIDAY_DAYS) if dated else 0.0
    return np.array([*clock, near, dated, moment.place > 0], dtype=np.float32)


def single(tokens: Tokens, candidates: Ints, features: NDArray[np.float32]) -> Batch:
    """A batch of one request: nothing is padded but the history."""
    return Batch(
        item=torch.from_numpy(tokens.item)[None],
        token_mask=torch.from_numpy(tokens.mask)[None],
        kind=torch.from_numpy(tokens.kind)[None],
        age_days=torch.from_numpy(tokens.age_days)[None],
        clock=torch.from_numpy(tokens.clock)[None],
        here=torch.from_numpy(tokens.here)[None],
        scene=torch.from_numpy(tokens.scene)[None],
        candidate=torch.from_numpy(candidates)[None],
        candidate_mask=torch.ones(1, len(candidates), dtype=torch.bool),
        features=torch.from_numpy(features)[None],
    )
