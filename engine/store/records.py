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


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """An item that was added, changed or withdrawn since training."""

    item_id: str
    withdrawn: bool
    item: str
    """The item as JSON text."""
    encoder: str
    """Fingerprint of the encoder that made the parts."""
    parts: bytes
    """What it looks and reads like, little-endian float32 ``[P, D]``; zero rows are absent."""
    picture_name: str | None = None
    """Name of a file that the picture may be kept in; None where there is none."""
    version: int = 0
    """The change that made it so; every change has a higher one."""
