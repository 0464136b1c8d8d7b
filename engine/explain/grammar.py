"""Claims as patterns over a sentence's symbols, each with what the sheet must hold for it.

A sentence is one string of letters (:class:`engine.explain.lexicon.Part`). It is accepted where
patterns cover all of it, and the sheet proves what each of them covers: a name, a number or a deed
that no pattern takes with its role is a claim that nothing proves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.explain.lexicon import Part
from engine.explain.naming import stem, words_of
from engine.explain.sheet import Deed, Lift, Sheet
from engine.explain.symbols import Symbol

POPULAR_FROM = 10
RECENT_DAYS = 31
DUE_WITHIN_DAYS, SOON_WITHIN_DAYS = 1.5, 7.0

_NAMED = frozenset({Part.ITEM, Part.THING, Part.CATEGORY})
_X = "[ITC]"
_HOW = "[taeoc]"
"""Numbers and times that a deed may carry."""
_AFTER = rf"(?:{_HOW}|[,&.]+[ae](?![hNVYIPD]))*"


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


def _did(sheet: Sheet, told: Told) -> bool:
    """You did this to that, so often, then: some deed of the sheet has it all."""
    verb = next(iter(told.all_of(Part.DEED, Part.DOING, Part.DEEDS)), None)
    object_ = next(iter(told.all_of(Part.ITEM, Part.THING, Part.CATEGORY)), None)
    meant = "" if verb is None else verb.meaning
    things = _things(sheet, object_)
    return any(
        deed.thing in things and meant in ("", deed.verb) and _so(deed, told.symbols)
        for deed in sheet.deeds
    )


def _did_to_the_last(sheet: Sheet, told: Told) -> bool:
    """Of what was just named: "the coat you bought"."""
    named = () if told.last_named is None else (told.last_named,)
    return _did(sheet, replace(told, symbols=(*named, *told.symbols)))


def _did_likewise(sheet: Sheet, told: Told) -> bool:
    """The deed told last, done to another thing: "... and at the grinder twice"."""
    if told.before is None:
        return False
    verb = Symbol(Part.DEED, "", told.before.verb)
    return _did(sheet, replace(told, symbols=(verb, *told.symbols)))


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


def _did_before(sheet: Sheet, told: Told) -> bool:
    """A time that hangs on: "..., the last time 3 days ago"."""
    if told.before is not None:
        return _so(told.before, told.symbols)
    return any(deed.thing is None and _so(deed, told.symbols) for deed in sheet.deeds)


def _together(sheet: Sheet, told: Told) -> bool:
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


def _goes_with(sheet: Sheet, told: Told) -> bool:
    things = told.all_of(Part.THING)
    return any(one.thing == things[0].thing for one in sheet.company)


def _sold(sheet: Sheet, told: Told) -> bool:
    """Everybody took it so many times in so long."""
    sold, verbs = sheet.sold, told.all_of(Part.DEED, Part.DEEDS)
    if sold is None or any(verb.meaning not in ("", sold.verb) for verb in verbs):
        return False
    known = {Part.TIMES: float(sold.times), Part.PERIOD: float(sold.days)}
    said = told.all_of(*known)
    return {symbol.part for symbol in said} == set(known) and all(
        symbol.measure is not None and symbol.measure.agrees(known[symbol.part]) for symbol in said
    )


def _passive(sheet: Sheet, told: Told) -> bool:
    """Without a doer: the user's deed, or everybody's."""
    return _did(sheet, told) if not told.all_of(Part.PERIOD) else _sold(sheet, told)


def _due(sheet: Sheet, told: Told) -> bool:
    left = sheet.due_in_days
    if left is None:
        return False
    ahead = told.all_of(Part.AHEAD)
    if ahead:
        return all(one.measure is not None and one.measure.agrees(left) for one in ahead)
    return left <= (SOON_WITHIN_DAYS if told.all_of(Part.SOON_DUE) else DUE_WITHIN_DAYS)


def _offered(sheet: Sheet, told: Told) -> bool:
    kinds = set(sheet.offers)
    cheaper = bool(kinds & {"discount", "coupon"})
    here = sheet.place is not None or not told.all_of(Part.HERE)
    return here and all(
        cheaper if symbol.meaning == "" else symbol.meaning in kinds
        for symbol in told.all_of(Part.OFFER)
    )


def _lifted(sheet: Sheet, told: Told) -> bool:
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


def _costs(sheet: Sheet, told: Told) -> bool:
    measure = told.symbols[0].measure
    known = measure is not None and measure.agrees(sheet.price)
    return known and measure is not None and measure.currency == sheet.currency


def _wished(sheet: Sheet, told: Told) -> bool:
    return sheet.wish is not None


def _photographed(sheet: Sheet, told: Told) -> bool:
    return sheet.photo


def _is_new(sheet: Sheet, told: Told) -> bool:
    return sheet.new


def _named(sheet: Sheet, told: Told) -> bool:
    """The item, its category or its brand: names without a claim."""
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of claim."""

    name: str
    pattern: re.Pattern[str]
    proof: Proof
    tells_deed: bool = False
    """Whether a time that hangs on after it is said of its deed."""


def _rule(name: str, pattern: str, proof: Proof, *, tells_deed: bool = False) -> Rule:
    return Rule(name, re.compile(pattern), proof, tells_deed)


RULES = (
    _rule("together", r"P?WV[TC],?&?P?VI", _together),
    _rule("together, passive", r"I?VBPWV[TC]", _together),
    _rule("never did", r"Y~VI", _is_new),
    _rule("did", rf"[ceoa]*,?Y[oc]*V[oc]*t?{_X}{_AFTER}", _did, tells_deed=True),
    _rule("is liked", rf"Yl{_X}", _did),
    _rule(
        "did, of what was named", rf"(?<={_X})Y[oc]*V{_AFTER}", _did_to_the_last, tells_deed=True
    ),
    _rule("doing", rf"v{_X}{_HOW}*", _did, tells_deed=True),
    _rule("did also", rf"(?<=[ITCaetoc])[,&]+[oc]*V{_X}{_AFTER}", _did, tells_deed=True),
    _rule("and of that", rf"(?<=[ITCaetoc])[,&]+{_X}[tae]+", _did_likewise, tells_deed=True),
    _rule("deeds", rf"[oct]+N{_X}?{_AFTER}", _did, tells_deed=True),
    _rule("sold, by people", rf"PV{_X}(?:tp|pt)", _sold),
    _rule("sold, so often", r"tNp", _sold),
    _rule("sold", r"I?V(?:tp|pt)(?:BP)?|I?VtBPp", _sold),
    _rule("done", rf"I?[oc]*V{_HOW}+(?:BY)?", _did, tells_deed=True),
    _rule("and by you", r"[,&]+tBY", _did),
    _rule("and by people", r"[,&]+tBPp", _sold),
    _rule("hangs on", r"(?<=.)[ae]+", _did_before),
    _rule("usual", r"[oe]+I|o(?=[,.&])", _did),
    _rule("due", r"h?,?I?[DS][IC]?h?", _due),
    _rule("offer", r"[Hw]*I?[Hw]*O(?:[,&]*[Hw]*O)*(?:f?I)?[Hw]*", _offered),
    _rule("lifted", r"[sH]*,?I?[sH]*(?:r?L|rV|Vr)[sH]*", _lifted),
    _rule("goes with", r"I?GT", _goes_with),
    _rule(
        "matches", r"(?:[MAfg]*Q|[MAfg]+U+g?(?:f?U+)*(?:&U+)*g?|YA(?:Q|U+)|U+(?:g|YA))+", _wished
    ),
    _rule("looks like the photo", r"F", _photographed),
    _rule("new", r"n", _is_new),
    _rule("price", r"m", _costs),
    _rule("named", r"f?I|B?k|M|g(?=f?I)|C|f(?=[ICm])|f?T(?=Y[oc]*V)", _named),
    _rule("joint", r"[,.&]", _named),
)
"""Of those that fit, the longest is meant."""


def unproved(symbols: Sequence[Symbol], sheet: Sheet) -> str | None:
    """The first stretch of a sentence that is no claim, or one that the sheet does not prove.

    Returns:
        What it is and the words; None where everything is proved.
    """
    line = "".join(symbol.part for symbol in symbols)
    at, before = 0, None
    while at < len(line):
        fits = [(m.end(), rule) for rule in RULES if (m := rule.pattern.match(line, at))]
        fits = [(end, rule) for end, rule in fits if end > at]
        if not fits:
            return f"nothing is claimed so: {_words(symbols[at : at + 4])}"
        end, rule = max(fits, key=lambda fit: fit[0])
        named = [one for one in symbols[:at] if one.part in _NAMED]
        told = Told(tuple(symbols[at:end]), before, named[-1] if named else None)
        if not rule.proof(sheet, told):
            return f"not known ({rule.name}): {_words(told.symbols)}"
        if rule.tells_deed:
            before = _deed_of(sheet, told, rule) or before
        at = end
    return None


def _deed_of(sheet: Sheet, told: Told, rule: Rule) -> Deed | None:
    """The deed that a proved claim tells of."""
    return next((d for d in sheet.deeds if rule.proof(replace(sheet, deeds=(d,)), told)), None)


def _words(symbols: Sequence[Symbol]) -> str:
    return " ".join(symbol.text for symbol in symbols)
