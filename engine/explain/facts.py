"""What is known about one recommended item at the moment of a request."""

from __future__ import annotations

from dataclasses import dataclass

from engine.types import Item


@dataclass(frozen=True, slots=True)
class Verb:
    """What users of this shop do to items, in the two forms that sentences need."""

    base: str
    """As in "you buy it": buy, rate, look at."""
    past: str
    """As in "you bought it" and, the same word, "it was bought"."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that may be said of one recommended item; None is unknown, and is not said."""

    item: Item
    category: str | None
    """Name of its finest category."""
    times_taken: int
    """Visits in which the user took it."""
    days_since: float | None
    """Days since the user last took it."""
    interval_days: float | None
    """The user's usual days between takes; None under three takes."""
    category_times: int
    """How often the user took something of the category, this item included."""
    offers: tuple[str, ...]
    """Kinds that run at the scene's place and time: display, mailer, coupon, discount."""
    place: str | None
    place_lift: float | None
    """Its share of the sales here over its share of all sales; None where hardly sold here."""
    sold_here: float
    """Sales here, which may be decayed by age."""
    slot: str | None
    """Part of the week of the scene, in the singular: "Friday evening"."""
    slot_lift: float | None
    """Its share of the sales in this part of the week over its share of all sales."""
    sold_28_days: int
    together: Item | None
    """The user's past item whose takers most often take this one too."""
    together_share: float
    """How far the takers of the two overlap, in [0, 1]."""
    path: str | None
    """A way through the graph in words: "you → Ground coffee → brand → this"."""
    wish: str | None
    """The scene's words or occasion."""
    wish_similarity: float | None
    """Cosine of the wish and the item."""
    photo_similarity: float | None
    """Cosine of the scene's photo and the item."""
    channels: tuple[str, ...]
    """Retrieval channels that proposed it."""
    verb: Verb
    due_in_days: float | None = None
    """Days until the user is expected to take it again, negative if overdue; None is left to the
    user's own interval."""
