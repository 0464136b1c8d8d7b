"""What the sheet must hold for a claim to be proved: one proof for each kind of claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.explain.lexicon import Part
from engine.explain.naming import stem, words_of
from engine.explain.sheet import Deed, Lift, Sheet
from engine.explain.symbols import Symbol

POPULAR_FROM = 10
RECENT_DAYS = 31
DUE_WITHIN_DAYS, SOON_WITHIN_DAYS = 1.5, 7.0


@dataclass(frozen=True, slots=True)
class Told:
    """The symbols of one claim, and what was told before it."""

    symbols: tuple[Symbol, ...]
    before: Deed | None
    """The deed that was told last."""
    last_named: Symbol | None
    """The item or the thing that was named last before."""

    def all_of(self, *parts: Part) -> list[Symbol]:
        """The symbols of some parts, in order."""
        return [symbol for symbol in self.symbols if symbol.part in parts]


Proof = Callable[[Sheet, Told], bool]


def did(sheet: Sheet, told: Told) -> bool:
    """You did this to that, so often, then: some deed of the sheet has it all."""
    verb = next(iter(told.all_of(Part.DEED, Part.DOING, Part.DEEDS)), None)
    object_ = next(iter(told.all_of(Part.ITEM, Part.THING, Part.CATEGORY)), None)
    meant = "" if verb is None else verb.meaning
    things = _things(sheet, object_)
    return any(
        deed.thing in things and meant in ("", deed.verb) and _so(deed, told.symbols)
        for deed in sheet.deeds
    )


def did_to_the_last(sheet: Sheet, told: Told) -> bool:
    """Of what was just named: "the coat you bought"."""
    named = () if told.last_named is None else (told.last_named,)
    return did(sheet, replace(told, symbols=(*named, *told.symbols)))


def did_likewise(sheet: Sheet, told: Told) -> bool:
    """The deed told last, done to another thing: "... and at the grinder twice"."""
    if told.before is None:
        return False
    verb = Symbol(Part.DEED, "", told.before.verb)
    return did(sheet, replace(told, symbols=(verb, *told.symbols)))


def _so(deed: Deed, symbols: Sequence[Symbol]) -> bool:
    """Whether the numbers and times said of a deed are its own."""
    known = {
        Part.TIMES: None if deed.times is None else float(deed.times),
        Part.AGO: deed.days_since,
        Part.EVERY: deed.every_days,
    }
    for symbol in symbols:
        if symbol.part in known:
            if symbol.measure is None or not symbol.measure.agrees(known[symbol.part]):
                return False
        elif symbol.part in (Part.OFTEN, Part.LIKE):
            if not (deed.often or deed.every_days is not None or (deed.times or 0) >= 5):
                return False
        elif symbol.part is Part.RECENTLY and (
            deed.days_since is None or deed.days_since > RECENT_DAYS
        ):
            return False
    return True


def _things(sheet: Sheet, symbol: Symbol | None) -> tuple[str | None, ...]:
    """What a name may stand for; None is the item."""
    if symbol is None or symbol.part is Part.ITEM:
        return (None,)
    if symbol.part is Part.CATEGORY:
        return (sheet.category,)
    return (symbol.thing, sheet.category) if symbol.or_category else (symbol.thing,)


def did_before(sheet: Sheet, told: Told) -> bool:
    """A time that hangs on: "..., the last time 3 days ago"."""
    if told.before is not None:
        return _so(told.before, told.symbols)
    return any(deed.thing is None and _so(deed, told.symbols) for deed in sheet.deeds)


def together(sheet: Sheet, told: Told) -> bool:
    """People who did this to a thing did it to the item."""
    first, *others = told.all_of(Part.DEED)
    things = told.all_of(Part.THING, Part.CATEGORY)
    if len(things) != 1 or len(told.all_of(Part.ITEM)) > 1:
        return False
    meant = _things(sheet, things[0])
    return any(
        one.thing in meant
        and first.meaning in ("", one.verb)
        and all(other.meaning in ("", one.verb) for other in others)
        for one in sheet.company
    )


def goes_with(sheet: Sheet, told: Told) -> bool:
    """The item goes with a thing."""
    things = told.all_of(Part.THING)
    return any(one.thing == things[0].thing for one in sheet.company)


def sold(sheet: Sheet, told: Told) -> bool:
    """Everybody took it so many times in so long."""
    taken, verbs = sheet.sold, told.all_of(Part.DEED, Part.DEEDS, Part.SOLD)
    if taken is None or any(verb.meaning not in ("", taken.verb) for verb in verbs):
        return False
    known = {Part.TIMES: float(taken.times), Part.PERIOD: float(taken.days)}
    said = told.all_of(*known)
    return {symbol.part for symbol in said} == set(known) and all(
        symbol.measure is not None and symbol.measure.agrees(known[symbol.part]) for symbol in said
    )


def due(sheet: Sheet, told: Told) -> bool:
    """It is time for it again, or will be then."""
    left = sheet.due_in_days
    if left is None:
        return False
    ahead = told.all_of(Part.AHEAD)
    if ahead:
        return all(one.measure is not None and one.measure.agrees(left) for one in ahead)
    return left <= (SOON_WITHIN_DAYS if told.all_of(Part.SOON_DUE) else DUE_WITHIN_DAYS)


def offered(sheet: Sheet, told: Told) -> bool:
    """It is on offer, in these ways."""
    kinds = set(sheet.offers)
    cheaper = bool(kinds & {"discount", "coupon"})
    here = sheet.place is not None or not told.all_of(Part.HERE)
    return here and all(
        cheaper if symbol.meaning == "" else symbol.meaning in kinds
        for symbol in told.all_of(Part.OFFER)
    )


def lifted(sheet: Sheet, told: Told) -> bool:
    """So many times as popular here, or then; or popular at all."""
    ratio = next((s.measure for s in told.all_of(Part.RATIO)), None)
    when, here = told.all_of(Part.WHEN), told.all_of(Part.HERE)
    if not when and not here:
        return ratio is None and sheet.sold is not None and sheet.sold.times >= POPULAR_FROM
    if when and here:
        return False
    fitting = [lift for lift in sheet.lifts if _is_lift_of(lift, when[0] if when else None)]
    return any(ratio is None or ratio.agrees(lift.ratio) for lift in fitting)


def _is_lift_of(lift: Lift, when: Symbol | None) -> bool:
    if when is None or lift.when is None:
        return when is None and lift.when is None
    return set(map(stem, words_of(lift.when))) == set(map(stem, words_of(when.text)))


def costs(sheet: Sheet, told: Told) -> bool:
    """Its price, in its currency."""
    measure = told.symbols[0].measure
    known = measure is not None and measure.agrees(sheet.price)
    return known and measure is not None and measure.currency == sheet.currency


def wished(sheet: Sheet, told: Told) -> bool:
    """It comes close to the words of the request."""
    return sheet.wish is not None


def photographed(sheet: Sheet, told: Told) -> bool:
    """It looks like the photo of the request."""
    return sheet.photo


def is_new(sheet: Sheet, told: Told) -> bool:
    """The user never took it."""
    return sheet.new


def named(sheet: Sheet, told: Told) -> bool:
    """The item, its category or its brand: names without a claim."""
    return True
