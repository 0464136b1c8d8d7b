"""What may be claimed of one recommended item: the evidence as a sheet that claims are held to."""

from __future__ import annotations

from dataclasses import dataclass

from engine.explain.evidence import (
    CATEGORY_OFTEN,
    MIN_INTERVAL_DAYS,
    MIN_LIFT,
    MIN_LOOK,
    MIN_OVERLAP,
    MIN_WISH,
    rhythm_days,
)
from engine.explain.facts import Facts

POPULAR_DAYS = 28
OFTEN_TIMES = 5


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that the user did to the item or to another thing."""

    verb: str
    """``buy``, ``pick``, ``rate`` or ``look at``."""
    thing: str | None = None
    """Name of an item or a category; None is the recommended item."""
    times: int | None = None
    days_since: float | None = None
    every_days: float | None = None
    often: bool = False


@dataclass(frozen=True, slots=True)
class Company:
    """People who did this to a thing did it to the recommended item too."""

    thing: str
    verb: str


@dataclass(frozen=True, slots=True)
class Sold:
    """How often everybody took the item."""

    times: int
    days: float
    verb: str = "buy"


@dataclass(frozen=True, slots=True)
class Lift:
    """So many times as popular in a part of the week, or, where none is named, at the place."""

    ratio: float
    when: str | None = None
    """As in "Friday evening"; None is the scene's place."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that a sentence about one item may claim; what is not here may not be said."""

    title: str
    category: str | None = None
    brand: str | None = None
    price: float | None = None
    currency: str | None = None
    deeds: tuple[Deed, ...] = ()
    company: tuple[Company, ...] = ()
    due_in_days: float | None = None
    offers: tuple[str, ...] = ()
    place: str | None = None
    lifts: tuple[Lift, ...] = ()
    sold: Sold | None = None
    wish: str | None = None
    """The request's words, if the item comes close to them."""
    photo: bool = False
    """Whether the item looks like the request's photo."""
    new: bool = False
    """Whether the user never took the item."""


def sheet_of(facts: Facts) -> Sheet:
    """What the facts of an item allow to be claimed."""
    item, verb = facts.item, facts.verb.base
    company = facts.together is not None and facts.together_share >= MIN_OVERLAP
    wished = facts.wish is not None and (facts.wish_similarity or 0.0) >= MIN_WISH
    return Sheet(
        title=item.title,
        category=facts.category,
        brand=item.brand,
        price=item.price,
        currency=item.currency,
        deeds=_deeds(facts),
        company=(Company(facts.together.title, verb),) if company and facts.together else (),
        due_in_days=_due_in(facts),
        offers=facts.offers,
        place=facts.place,
        lifts=_lifts(facts),
        sold=Sold(facts.sold_28_days, POPULAR_DAYS, verb) if facts.sold_28_days else None,
        wish=facts.wish if wished else None,
        photo=(facts.photo_similarity or 0.0) >= MIN_LOOK,
        new=facts.times_taken == 0,
    )


def _deeds(facts: Facts) -> tuple[Deed, ...]:
    verb, found = facts.verb.base, []
    if facts.times_taken:
        often = facts.times_taken >= OFTEN_TIMES
        found.append(
            Deed(verb, None, facts.times_taken, facts.days_since, rhythm_days(facts), often)
        )
    if facts.category is not None and facts.category_times > facts.times_taken:
        often = facts.category_times - facts.times_taken >= CATEGORY_OFTEN
        found.append(Deed(verb, facts.category, facts.category_times, often=often))
    if facts.together is not None:
        found.append(Deed(verb, facts.together.title))
    return tuple(found)


def _due_in(facts: Facts) -> float | None:
    if facts.due_in_days is not None:
        return facts.due_in_days
    known = facts.interval_days is not None and facts.days_since is not None
    if not known or (facts.interval_days or 0.0) < MIN_INTERVAL_DAYS:
        return None
    return (facts.interval_days or 0.0) - (facts.days_since or 0.0)


def _lifts(facts: Facts) -> tuple[Lift, ...]:
    found = []
    if facts.place is not None and (facts.place_lift or 0.0) >= MIN_LIFT:
        found.append(Lift(facts.place_lift or 0.0))
    if facts.slot is not None and (facts.slot_lift or 0.0) >= MIN_LIFT:
        found.append(Lift(facts.slot_lift or 0.0, facts.slot))
    return tuple(found)
