"""Claims of Chinese sentences as patterns over their symbols; the proofs are those of English."""

from __future__ import annotations

from dataclasses import replace

from engine.explain.grammar import rule_of
from engine.explain.lexicon import Part
from engine.explain.proofs import (
    Proof,
    Told,
    costs,
    did,
    did_before,
    did_likewise,
    did_to_the_last,
    due,
    goes_with,
    is_new,
    lifted,
    named,
    offered,
    photographed,
    sold,
    together,
    wished,
)
from engine.explain.sheet import Sheet
from engine.explain.symbols import Symbol

_X, _T = "[ITC]", "[TC]"
_HOW = "[coaet]*"
"""Numbers and times that a deed may carry, before the verb or behind it."""
_AFTER = r"(?:[coaet]|[,&.]+[ae](?![~VYIPDxL]))*"
_LEAD = "[coae]*,?"


def _is_own_kind(symbol: Symbol) -> bool:
    """Whether a name is that of the item, of its category, or of both."""
    return symbol.part is not Part.THING or symbol.thing is None


def _did_that_one(sheet: Sheet, told: Told) -> bool:
    """It was done to the name at the end: "this is the yogurt that you often buy"."""
    first, *others = told.all_of(Part.ITEM, Part.THING, Part.CATEGORY)
    head = others[-1] if others else first
    if others and head.thing is not None:
        return False  # this is not the coat that you bought
    if others and head.part is not Part.CATEGORY:
        head = first
    rest = tuple(s for s in told.symbols if s.part not in (Part.ITEM, Part.THING, Part.CATEGORY))
    return did(sheet, replace(told, symbols=(head, *rest)))


def _goes_with_yours(sheet: Sheet, told: Told) -> bool:
    """It goes with a thing, which you bought then."""
    return goes_with(sheet, told) and did(
        sheet, replace(told, symbols=tuple(s for s in told.symbols if s.part is not Part.ITEM))
    )


def _is_one_too(sheet: Sheet, told: Told) -> bool:
    """Of a category, never of a deed: "you often rate crime films, and this is one"."""
    return told.last_named is not None and _is_own_kind(told.last_named)


def _of_the_item(proof: Proof) -> Proof:
    """The proof of a claim that may leave its subject out: then it must not be another thing."""

    def proved(sheet: Sheet, told: Told) -> bool:
        before = None if told.all_of(Part.ITEM) else told.last_named
        return (before is None or _is_own_kind(before)) and proof(sheet, told)

    return proved


def _named_kind(sheet: Sheet, told: Told) -> bool:
    """The item is called by the name of its kind."""
    return all(map(_is_own_kind, told.symbols))


CHINESE_RULES = (
    rule_of("together", rf"P?(?:V{_T}|{_T}V)W,?&?(?:VI|IV)", together),
    rule_of("together, of this", rf"I,?P?(?:V{_T}|{_T}V)WV", together),
    rule_of("never did", rf"I?,?Y~V(?:I|(?!{_X}|d))", _of_the_item(is_new)),
    rule_of("not since", rf"Y?{_LEAD}a~V{_X}?", did, tells_deed=True),
    rule_of("did that one", rf"{_LEAD}I?,?Y{_HOW}V{_HOW}d{_X}", _did_that_one, tells_deed=True),
    rule_of("did", rf"{_LEAD}Y{_HOW}V{_HOW}{_X}{_AFTER}", did, tells_deed=True),
    rule_of("did, object first", rf"{_LEAD}Y{_HOW}{_X}{_HOW}V{_AFTER}", did, tells_deed=True),
    rule_of("of that, you did", rf"{_X},?Y{_HOW}V{_AFTER}d?(?!{_X})", did, tells_deed=True),
    rule_of(
        "did, of what was named",
        rf"{_LEAD}Y{_HOW}V{_AFTER}(?![ITCWd])",
        did_to_the_last,
        tells_deed=True,
    ),
    rule_of("is liked", rf"Yo*l{_X}", did),
    rule_of("did also", rf"(?<=[ITCaetocV,&]){_HOW}V{_HOW}{_X}{_AFTER}", did, tells_deed=True),
    rule_of(
        "did, without a doer",
        rf"(?:[coae]+V[coaet]*|V[coaet]+)(?![ITCWd]){_AFTER}",
        did_to_the_last,
        tells_deed=True,
    ),
    rule_of("and of that", rf"(?<=[ITCaetoc])[,&]+{_X}[tae]+", did_likewise, tells_deed=True),
    rule_of("sold", r"(?:I,?)?pI?xI?t|I?xtp", _of_the_item(sold)),
    rule_of("sold, by people", r"(?:I,?)?(?:pP|Pp)VI?tI?|pI?PVt", _of_the_item(sold)),
    rule_of("hangs on", r"(?<=.)[tae]+(?![~VYPx])", did_before),
    rule_of("due", r"w?Y?w?(?:h?,?I?w?[DS]I?h?|I?hI?VI?)", _of_the_item(due)),
    rule_of("offer", r"[Hw]*(?:Id?)?[Hw]*O(?:[,&]*[Hw]*O)*(?:d?I)?[Hw]*", _of_the_item(offered)),
    rule_of("lifted", r"[sHw]*,?(?:Id?)?[sHw]*d?L(?:,?r)?", _of_the_item(lifted)),
    rule_of("goes with", r"I?&?TG|I?GT|T&IG", goes_with),
    rule_of("goes with yours", rf"I?(?:&Y{_HOW}V{_HOW}dTG|GY{_HOW}V{_HOW}dT)", _goes_with_yours),
    rule_of("matches", r"(?:I,?)?M(?:A?[QU]+|A)", _of_the_item(wished)),
    rule_of("looks like the photo", r"(?:I,?)?(?:&?FM|MF)", _of_the_item(photographed)),
    rule_of("price", r"md?", _of_the_item(costs)),
    rule_of("one too", r"I?zI?", _is_one_too),
    rule_of("named", r"I|B?kd?|(?<=I)[TC]|[TC](?=[,.]|$)", _named_kind),
    rule_of("joint", r"[,.&]", named),
)
"""Of those that fit, the longest is meant."""
