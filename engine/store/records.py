"""What the store keeps besides events: what was shown, and what an erasure took away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of a list that was shown."""

    item_id: str
    rank: int
    """From 1 on."""
    score: float
    channels: Mapping[str, float] = field(default_factory=dict)
    """Score from each channel that proposed the item."""


@dataclass(frozen=True, slots=True)
class Impression:
    """A list that was shown to a user."""

    request_id: str
    user_id: str
    timestamp: datetime
    """Time zone aware."""
    scene: str
    """The scene of the request as JSON text."""
    model: str
    """The run that answered."""
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of a user an erasure took away."""

    events: int
    impressions: int
