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
    propensity: float = 1.0
    """Probability that the item got the slot, given the slots above; 1 where nothing is drawn."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the scorer and the policy saw of a list, packed; see :mod:`engine.shown`."""

    names: tuple[str, ...]
    """Of the features ``[F]``; stored once for all lists that share them."""
    features: bytes
    """Little-endian float32 ``[K, F]``: the items of the slots, in the order of their ranks."""
    token_items: tuple[str, ...] = ()
    """Item of each event that the network read, oldest first."""
    tokens: bytes = b""
    """The network's other inputs."""
    pool_items: tuple[str, ...] = ()
    """What the slots were drawn from, best first; empty where nothing is drawn."""
    pool_scores: bytes = b""
    """Little-endian float32: their scores, before boosts."""


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
    policy: str = ""
    """Version of the policy that filled the slots."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Experiment to variant, for those that the user was in."""
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Showing:
    """One item that a user was shown."""

    item_id: str
    request_id: str
    at: datetime
    """Time zone aware."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of a user an erasure took away."""

    events: int
    impressions: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """One line of the audit log of erasures."""

    seq: int
    """Order in which they happened, from 1."""
    digest: str
    """Stands for the user, of whom nothing else is kept."""
    at: datetime
    """Time zone aware."""
    by: str
    """Who asked for it."""
    erased: Erased


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
