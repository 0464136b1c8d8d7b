"""What the network reads, padded: B requests of at most H events and C candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrieval.kernels import kernel
from retrieval.rerank.records import DAY_S, Bools, Floats, History, Ints, Moment

CLOCK_FEATURES = 6
SCENE_FEATURES = CLOCK_FEATURES + 3
"""The clock, how near a holiday is, whether that is known, and whether a place is."""
HOLIDAY_DAYS = 7.0
"""Days before a holiday at which its nearness has fallen to 1 / e."""
YEAR_DAYS = 365.2425
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


def clock_features(local_s: Ints) -> Floats:
    """Hour, weekday and day of the year as points on circles, float32 ``[n, 6]``."""
    return _clock(local_s)


@kernel
def _clock(local_s: Ints) -> Floats:
    clock = np.empty((len(local_s), CLOCK_FEATURES), np.float32)
    for i in range(len(local_s)):
        if i and local_s[i] == local_s[i - 1]:  # as within a visit
            clock[i] = clock[i - 1]
            continue
        turns = (
            local_s[i] % DAY_S / DAY_S,
            (local_s[i] // DAY_S + 3) % 7 / 7,
            local_s[i] / DAY_S % YEAR_DAYS / YEAR_DAYS,
        )
        for j in range(3):
            clock[i, j] = math.sin(2 * math.pi * turns[j])
            clock[i, 3 + j] = math.cos(2 * math.pi * turns[j])
    return clock


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
    now = (moment.at_unix_s, moment.local_s, moment.place)
    times = (history.at_unix_s, history.local_s, history.place)
    dated = not math.isnan(moment.to_holiday_days)
    near = math.exp(-moment.to_holiday_days / HOLIDAY_DAYS) if dated else 0.0
    clock = clock_features(np.array([moment.local_s]))[0]
    scene = np.array([*clock.tolist(), near, dated, moment.place > 0], dtype=np.float32)
    return Tokens(*_fill(history.item, history.kind, times, now, length), scene)


@kernel
def _fill(
    item: Ints,
    kind: NDArray[np.int8],
    times: tuple[Ints, Ints, Ints],
    now: tuple[int, int, int],
    length: int,
) -> tuple[Ints, Bools, Ints, Floats, Floats, Floats]:
    """The arrays of :class:`Tokens` but the scene; times are as in ``now``, ``[E]``."""
    at_unix_s, local_s, place = times
    n = min(len(item), length)
    pad, first = length - n, len(item) - n
    items, kinds = np.zeros(length, np.int64), np.zeros(length, np.int64)
    mask, age = np.zeros(length, np.bool_), np.zeros(length, np.float32)
    clock, here = np.zeros((length, CLOCK_FEATURES), np.float32), np.zeros(length, np.float32)
    items[pad:], kinds[pad:], mask[pad:] = item[first:], kind[first:], True
    clock[pad:] = _clock(local_s[first:])
    for i in range(n):
        age[pad + i] = (now[0] - at_unix_s[first + i]) / DAY_S
        here[pad + i] = now[2] > 0 and place[first + i] == now[2]
    return items, mask, kinds, age, clock, here


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
