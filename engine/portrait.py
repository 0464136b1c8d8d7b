"""The portrait of a user: interests, habits, price band, rhythm, places."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Interest:
    """A category that the user takes from."""

    category: tuple[str, ...]
    """Its path, most general first; no deeper than two."""
    share: float
    """Of everything they took, in [0, 1]; what was taken lately counts more."""
    events: int


@dataclass(frozen=True, slots=True)
class Habit:
    """An item that the user takes again and again."""

    item_id: str
    title: str
    times: int
    last_at: datetime
    every_days: float
    """Mean time from one to the next."""
    due_at: datetime
    """The last time and once that."""


@dataclass(frozen=True, slots=True)
class PriceBand:
    """What the items cost that the user takes: quartiles, in the shop's currency."""

    low: float
    median: float
    high: float
    currency: str | None


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When the user comes, on the shop's clock."""

    visits: int
    every_days: float
    """Median time from one visit to the next."""
    weekdays: tuple[float, ...]
    """Share of the visits on each day of the week, Monday first; they sum to 1."""
    hours: tuple[float, ...]
    """Share of the visits that begin in each hour from 0 to 23; they sum to 1."""


@dataclass(frozen=True, slots=True)
class Frequented:
    """A place where the user comes."""

    place: str
    share: float
    """Of the visits whose place is known."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """What is known of a user by their events; dismissals are not among these."""

    user_id: str
    events: int
    first_at: datetime | None
    last_at: datetime | None
    interests: tuple[Interest, ...]
    """Largest share first."""
    habits: tuple[Habit, ...]
    """Most frequent first."""
    price_band: PriceBand | None
    rhythm: Rhythm | None
    """None before the third visit."""
    places: tuple[Frequented, ...]
