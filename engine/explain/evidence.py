"""From facts to evidence: what is worth saying, how much it says, and how it is put.

A piece of evidence weighs *persuasion of its kind* times *strength of this fact*, both in
[0, 1], so weights of different kinds compare. The user's own habits and wishes persuade most,
then the offers of the moment, then what similar people do, then the crowd.

A fact that is weak, or that rests on few sales, is no evidence at all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import isfinite, log2, log10, sqrt
from operator import attrgetter
from typing import TypeGuard

from engine.explain.claim import Claim, Kind, claim_of
from engine.explain.facts import Facts, Verb
from engine.explain.wording import (
    REMEMBERED,
    ago,
    due,
    every,
    fold,
    name_of,
    quoted,
    shorten,
    tidy,
    times,
)
from engine.recommendation import Evidence

DUE_FROM, DUE_UNTIL = 0.8, 2.5
"""Due between these multiples of the usual interval; later, the user seems to have stopped."""
MIN_INTERVAL_DAYS = 0.5
MIN_LIFT = 1.3
MIN_SALES_IN_SLOT_MONTH = 5
MIN_POPULAR = 10
"""Takes in 28 days; fewer are told only where nothing else can be."""
MIN_OVERLAP = 0.1
"""Cosine of two items' takers; the nearest neighbour of a grocer's best-sellers has about 0.3."""
CATEGORY_KNOWN, CATEGORY_OFTEN = 3, 5
"""Takes of other items of the category."""
MIN_WISH, CLOSE_WISH = 0.45, 0.6
"""Cosines of the bundled encoder: "red wine" has wines above 0.6, grape juice at 0.5, and apple
sauce at 0.3."""
MIN_LOOK, CLOSE_LOOK = 0.45, 0.7

NAME_CHARS, WISH_CHARS, PATH_CHARS = 40, 48, 120

_ONE_SIDED_95 = 1.645
_OFFER_KINDS = {"coupon", "discount", "display", "mailer"}


def evidence_of(facts: Facts) -> tuple[Evidence, ...]:
    """Everything that speaks for the item, heaviest first; never empty.

    Every text is literally true of the facts. Where nothing passes its threshold, one plain
    fact remains: how often the item was taken lately, where it belongs, or that it is new to
    the user.
    """
    return tuple([claim.evidence for claim in claims(facts)])


def claims(facts: Facts) -> tuple[Claim, ...]:
    """The evidence with all its wordings, heaviest first; never empty."""
    global _newest
    known = _newest  # one read: another thread may write meanwhile
    if known is None or known[0] is not facts:
        held = [claim for make in _CLAIMS if (claim := make(facts)) is not None]
        held.sort(key=_WEIGHT, reverse=True)  # stable: of equal ones the earlier kind comes first
        known = facts, tuple(held) or (_last_resort(facts),)
        _newest = known
    return known[1]


_WEIGHT = attrgetter("evidence.weight")
_newest: tuple[Facts, tuple[Claim, ...]] | None = None
"""The claims of the facts that were asked for last: evidence is gathered, then put into words."""


def rhythm_days(facts: Facts) -> float | None:
    """Days between two takes: as is expected now, or else the user's own; None if unknown."""
    since, ahead = facts.days_since, facts.due_in_days
    if facts.interval_days is None or since is None or ahead is None:
        return facts.interval_days
    expected = since + ahead
    return expected if _reaches(expected, MIN_INTERVAL_DAYS) else facts.interval_days


def _due(facts: Facts) -> Claim | None:
    since, interval = facts.days_since, facts.interval_days
    if not (_reaches(since, 0) and _reaches(interval, MIN_INTERVAL_DAYS)) or facts.times_taken < 2:
        return None
    interval = rhythm_days(facts) or interval
    ratio = since / interval
    if not DUE_FROM <= ratio <= DUE_UNTIL:
        return None
    rhythm = f"you {facts.verb.base} it {every(interval)}"
    when = due(interval - since)
    last = f"the last time was {ago(since)}"
    # The first wording holds every number of the others.
    first = (
        f"{rhythm}, {last}, and it is {when}" if "in" in when.split() else f"{rhythm}, and {last}"
    )
    wordings = (first, f"{rhythm}, and it is {when}")
    strength = _grows(facts.times_taken, half=1) * (1 - abs(log2(ratio)) / 2)
    return claim_of(Kind.DUE, strength, wordings)


def _habit(facts: Facts) -> Claim | None:
    return _taken(facts.times_taken, facts.verb.past) if facts.times_taken >= 1 else None


@lru_cache(maxsize=REMEMBERED)
def _taken(n: int, past: str) -> Claim:
    wordings = (f"you have {past} it {times(n)}", f"you {past} it {times(n)}")
    return claim_of(Kind.HABIT, 0.85 * _grows(n, half=2), wordings)


def _last_time(facts: Facts) -> Claim | None:
    since = facts.days_since
    if facts.times_taken < 1 or not _reaches(since, 0):
        return None
    past, when = facts.verb.past, ago(since)
    wordings = (f"you last {past} it {when}", f"the last time you {past} it was {when}")
    return claim_of(Kind.LAST_TIME, 0.3 / (1 + since / 60), wordings)


def _wish(facts: Facts) -> Claim | None:
    near = facts.wish_similarity
    if not _reaches(near, MIN_WISH):
        return None
    words = quoted(facts.wish or "", WISH_CHARS)
    if words is None:
        return None
    wording = f"it {'matches' if near >= CLOSE_WISH else 'comes close to'} {words}"
    return claim_of(Kind.WISH, 0.95 * _nearness(near, MIN_WISH), (wording,), words.strip('"…'))


def _look(facts: Facts) -> Claim | None:
    near = facts.photo_similarity
    if not _reaches(near, MIN_LOOK):
        return None
    wording = f"it {'looks much like' if near >= CLOSE_LOOK else 'resembles'} your photo"
    return claim_of(Kind.LOOK, 0.95 * _nearness(near, MIN_LOOK), (wording,))


def _offer(facts: Facts) -> Claim | None:
    return _on_offer(facts.offers, facts.place) if facts.offers else None


@lru_cache(maxsize=REMEMBERED)
def _on_offer(offers: tuple[str, ...], place: str | None) -> Claim:
    kinds = set(offers)
    weight = 0.6 if kinds & {"coupon", "discount"} else 0.5
    if kinds == {"coupon"}:
        return claim_of(Kind.OFFER, weight, ("a coupon for it is out this week",))
    states = ["reduced"] * ("discount" in kinds) + ["on display"] * ("display" in kinds)
    if kinds - _OFFER_KINDS and not states:
        states = ["on offer"]
    if states:
        states[-1] += _here(place, " ") + " this week" * ("mailer" not in kinds)
    if "mailer" in kinds:
        states.append("in this week's mailer")
    running = " and ".join(filter(None, (", ".join(states[:-1]), states[-1])))
    coupon = ", with a coupon out" if "coupon" in kinds else ""
    return claim_of(Kind.OFFER, weight, (f"it is {running}{coupon}",))


def _together(facts: Facts) -> Claim | None:
    other, share = facts.together, facts.together_share
    if other is None or not _reaches(share, MIN_OVERLAP):
        return None
    name, wordings = _took_too(other.title, other.brand, facts.verb)
    if name is None:
        return None
    weight = 0.6 * _grows(share, half=0.2)
    return claim_of(Kind.TOGETHER, weight, wordings, name, other.item_id)


@lru_cache(maxsize=REMEMBERED)
def _took_too(title: str, brand: str | None, verb: Verb) -> tuple[str | None, tuple[str, ...]]:
    """What another item is called, and that its people took this one; None names nothing."""
    proper = verb.base == "rate" or _leads_with_brand(title, brand)
    name = name_of(title, NAME_CHARS, proper=proper)
    owner = {"buy": "your ", "pick": "your ", "look at": "the "}.get(verb.base, "")
    who = f"people who {verb.past} {owner}{name}"
    took = "took" if verb.base == "buy" else verb.past
    return name, (f"{who} {verb.past} this too", f"{who} {took} this too")


def _category(facts: Facts) -> Claim | None:
    others = facts.category_times - facts.times_taken
    if others < CATEGORY_KNOWN or facts.category is None:
        return None
    return _often(facts.category, others, facts.verb)


@lru_cache(maxsize=REMEMBERED)
def _often(category: str, others: int, verb: Verb) -> Claim | None:
    name = name_of(category, NAME_CHARS)
    if name is None:
        return None
    if others < CATEGORY_OFTEN:
        wordings: tuple[str, ...] = (f"you have {verb.past} {name} before",)
    else:
        wordings = (f"you often {verb.base} {name}", f"you {verb.base} {name} often")
    return claim_of(Kind.CATEGORY, 0.5 * _grows(others, half=4), wordings, name)


def _place(facts: Facts) -> Claim | None:
    lift, sold = facts.place_lift, facts.sold_here
    if facts.place is None or not (_reaches(lift, MIN_LIFT) and _reaches(sold, 1)):
        return None
    if lift * (1 - _ONE_SIDED_95 / sqrt(sold)) <= 1:  # so few sales may be chance
        return None
    here = _here(facts.place)
    wordings = (
        f"it is {fold(lift)} as popular {here} as overall",
        f"{here} it is {fold(lift)} as popular as overall",
    )
    return claim_of(Kind.PLACE, 0.45 * (1 - 1 / lift), wordings)


def _hour(facts: Facts) -> Claim | None:
    lift = facts.slot_lift
    if not _reaches(lift, MIN_LIFT) or facts.sold_28_days < MIN_SALES_IN_SLOT_MONTH:
        return None
    slot = tidy(facts.slot or "")
    if not slot:
        return None
    when = _in_slot(slot)
    wordings = (
        f"it is {fold(lift)} as popular {when} as usual",
        f"{when} it is {fold(lift)} as popular as usual",
    )
    return claim_of(Kind.HOUR, 0.45 * (1 - 1 / lift), wordings)


def _path(facts: Facts) -> Claim | None:
    way = tidy(shorten(tidy(facts.path), PATH_CHARS)) if facts.path else ""
    if not way:
        return None
    return claim_of(Kind.PATH, 0.2, (f"a chain of facts leads to it: {way}",))


def _popular(facts: Facts) -> Claim | None:
    sold = facts.sold_28_days
    return _sold(sold, facts.verb.past) if sold >= MIN_POPULAR else None


@lru_cache(maxsize=REMEMBERED)
def _sold(n: int, past: str) -> Claim:
    strength = min(1.0, log10(1 + n) / 3)
    return claim_of(
        Kind.POPULAR, 0.3 * strength, (f"it was {past} {times(n)} in the last four weeks",)
    )


def _last_resort(facts: Facts) -> Claim:
    if facts.sold_28_days > 0:
        return _sold(facts.sold_28_days, facts.verb.past)
    category = name_of(facts.category, NAME_CHARS)
    if category is not None:
        return claim_of(Kind.CATEGORY, 0.02, (f"it is found under {category}",), name=category)
    return claim_of(Kind.NEW, 0.01, (f"you have not {facts.verb.past} it before",))


_CLAIMS: tuple[Callable[[Facts], Claim | None], ...] = (
    _due,
    _wish,
    _look,
    _habit,
    _offer,
    _together,
    _category,
    _place,
    _hour,
    _last_time,
    _path,
    _popular,
)


def _reaches(value: float | None, floor: float) -> TypeGuard[float]:
    """The value is known, finite and not below the floor."""
    return value is not None and isfinite(value) and value >= floor


def _grows(amount: float, *, half: float) -> float:
    """From 0 toward 1; a half where the amount is ``half``."""
    return amount / (amount + half)


def _nearness(cosine: float, floor: float) -> float:
    """From 0.6 at the floor to 1 at a cosine of 1."""
    return 0.6 + 0.4 * (min(cosine, 1.0) - floor) / (1 - floor)


def _leads_with_brand(title: str, brand: str | None) -> bool:
    """Whether the first word of a title is the brand's, and so a name."""
    of_brand, of_title = (brand or "").casefold().split(), title.casefold().split()
    return bool(of_brand and of_title) and of_brand[0] == of_title[0]


def _here(place: str | None, before: str = "") -> str:
    """How the scene's place is pointed at: ids such as "store-406" say what it is."""
    if place is None:
        return ""
    for noun in ("store", "shop", "branch"):
        if place.lower().startswith(noun):
            return f"{before}in this {noun}"
    return f"{before}here"


def _in_slot(slot: str) -> str:
    """A part of the week as a time: "on Friday evenings", "around midday on weekdays"."""
    day, _, part = slot.rpartition(" ")
    if part == "midday" and day:
        return f"around midday on {day}s"
    if day.endswith(" early"):
        return f"early on {day.removesuffix(' early')} {part}s"
    return f"on {slot}s"
