"""What a recommendation is: an item, why, and how it came to its place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.types import Item


@dataclass(frozen=True, slots=True)
class Evidence:
    """One checkable fact that speaks for a recommendation."""

    kind: str
    """``habit``, ``due``, ``last_time``, ``together``, ``path``, ``offer``, ``place``, ``hour``,
    ``category``, ``popular``, ``wish``, ``look``: what :mod:`engine.explain` can say."""
    weight: float
    """How much it says, in units of its own kind; evidence is sorted by what moves people."""
    text: str
    """The fact as a clause: "you bought it 9 times"."""
    item_id: str | None = None
    """The other item that it is about, if any."""


@dataclass(frozen=True, slots=True)
class ChannelHit:
    """A retrieval channel that proposed the item."""

    channel: str
    rank: int
    """Place in that channel's list, from 1."""
    score: float


@dataclass(frozen=True, slots=True)
class Trace:
    """How the slot was filled: channels, scores, rules."""

    channels: tuple[ChannelHit, ...]
    model_score: float
    """Logit of the reranker."""
    wish_score: float
    """What the scene's words and photo added."""
    rules: tuple[str, ...]
    """Policy rules that touched the list at this slot."""
    boost_score: float = 0.0
    """What boosts of the policy added."""
    propensity: float = 1.0
    """Probability that the item got this slot, given those above; 1 where nothing is drawn."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One slot of an answer."""

    rank: int
    """From 1."""
    item: Item
    score: float
    """Higher is better: the trace's model score plus wish score plus boost score."""
    probability: float | None
    """That the user takes it in this session; None where the model did not score it."""
    reason: str
    evidence: tuple[Evidence, ...]
    trace: Trace


@dataclass(frozen=True, slots=True)
class Answer:
    """A list and the id under which it was logged."""

    request_id: str
    recommendations: tuple[Recommendation, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """One user's list under two policies."""

    before: tuple[Recommendation, ...]
    after: tuple[Recommendation, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Given items in a user's order."""

    recommendations: tuple[Recommendation, ...]
    unknown: tuple[str, ...]
    """Ids that the run does not know, in the order in which they were given."""


@dataclass(frozen=True, slots=True)
class Shopper:
    """A user whom the run knows, for people to pick from."""

    user_id: str
    events: int
    summary: str
    """What they take most: "mostly dairy, produce, soft drinks"."""


@dataclass(frozen=True, slots=True)
class Step:
    """One edge of a walk, read in walking order."""

    relation: str
    forward: bool
    """False where the walk goes from the tail of the edge to its head."""
    node_type: str
    """Type of the node that the step arrives at."""
    name: str
    """What people call it: an item by its title."""
    item_id: str | None
    """Of an item."""
    weight: float


@dataclass(frozen=True, slots=True)
class Walk:
    """A short way from a shopper to an item; higher scores are better evidence."""

    steps: tuple[Step, ...]
    score: float
    since: datetime | None
    """When the shopper last touched the first item; None where that is not known."""
