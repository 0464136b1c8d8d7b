"""What a conversation remembers, and what the assistant answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.assistant.bus import Station
from engine.assistant.intents import Intent
from engine.recommendation import Recommendation

REMEMBERED_SAID = 50
REMEMBERED_SEEN = 200
MAX_BASKET = 100


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything that the next message may refer to; small enough to travel with each request."""

    said: tuple[str, ...] = ()
    """The wish and its later conditions, as they were typed."""
    shown: tuple[str, ...] = ()
    """Item ids of the last list, in its order."""
    seen: tuple[str, ...] = ()
    """Item ids shown since the wish was made, so that "more" shows others."""
    basket: tuple[str, ...] = ()
    options: tuple[tuple[str, ...], ...] = ()
    """Category paths that were asked about and not yet chosen from."""
    chosen: tuple[str, ...] = ()
    """The category path that was chosen."""
    price_below: float | None = None
    price_above: float | None = None
    """Bounds that "cheaper" and "more expensive" drew."""
    asked: bool = False
    """Whether this wish was asked about already."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: words about items that exist, and the items themselves, each with its id."""

    text: str
    conversation: Conversation
    intent: Intent
    items: tuple[Recommendation, ...] = ()
    question: str | None = None
    """Asked only where its answer changes the list."""
    options: tuple[str, ...] = ()
    """Answers to the question."""
    way: tuple[Station, ...] = field(default=())
    """How the candidates were found and narrowed."""
    by_model: bool = False
    """Whether a language model chose the tools."""
