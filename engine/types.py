"""The records that a user of Vitrine meets: items, events, recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EventKind(StrEnum):
    """What a user did to an item."""

    VIEW = "view"
    CLICK = "click"
    CART = "cart"
    PURCHASE = "purchase"
    RATING = "rating"
    DISMISS = "dismiss"


class Likeness(StrEnum):
    """In what way items are alike."""

    LOOKS = "looks"
    READS = "reads"
    INSTEAD = "instead"
    ALL = "all"


KINDS = tuple(EventKind)
"""Arrays hold a kind as its position here."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the ``items`` table."""

    item_id: str
    title: str
    description: str | None = None
    categories: tuple[str, ...] = ()
    """Category path, most general first."""
    brand: str | None = None
    price: float | None = None
    currency: str | None = None
    image: str | None = None
    """Path relative to the dataset folder, or a URL. Never fetched by the server."""
    images: tuple[str, ...] = ()
    """Further pictures, which are looked at but not shown."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    available: bool = True
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the ``events`` table: something a user did."""

    user_id: str
    item_id: str
    kind: EventKind
    timestamp: datetime
    """Time zone aware."""
    event_id: str | None = None
    """Makes a repeated delivery harmless."""
    value: float | None = None
    """Quantity of a purchase, stars of a rating."""
    session_id: str | None = None
    place: str | None = None
    request_id: str | None = None
