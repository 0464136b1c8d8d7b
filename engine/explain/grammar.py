"""Claims as patterns over a sentence's symbols, each with what the sheet must hold for it.

A sentence is one string of letters (:class:`engine.explain.lexicon.Part`). It is accepted where
patterns cover all of it, and the sheet proves what each of them covers: a name, a number or a deed
that no pattern takes with its role is a claim that nothing proves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from engine.explain.sheet import Deed, Sheet
from engine.explain.symbols import Symbol

_NAMED = frozenset({Part.ITEM, Part.THING, Part.CATEGORY})
_X = "[ITC]"
_HOW = "[taeoc]"
"""Numbers and times that a deed may carry."""
_AFTER = rf"(?:{_HOW}|[,&.]+[ae](?![hNVYIPD]))*"


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of claim."""

    name: str
    pattern: re.Pattern[str]
    proof: Proof
    tells_deed: bool = False
    """Whether a time that hangs on after it is said of its deed."""


def rule_of(name: str, pattern: str, proof: Proof, *, tells_deed: bool = False) -> Rule:
    """A rule by its pattern over letters."""
    return Rule(name, re.compile(pattern), proof, tells_deed)


RULES = (
    rule_of("together", r"P?WV[TC],?&?P?VI", together),
    rule_of("together, passive", r"I?VBPWV[TC]", together),
    rule_of("never did", r"Y~VI", is_new),
    rule_of("did", rf"[ceoa]*,?Y[oc]*V[oc]*t?{_X}{_AFTER}", did, tells_deed=True),
    rule_of("is liked", rf"Yl{_X}", did),
    rule_of(
        "did, of what was named", rf"(?<={_X})Y[oc]*V{_AFTER}", did_to_the_last, tells_deed=True
    ),
    rule_of("doing", rf"v{_X}{_HOW}*", did, tells_deed=True),
    rule_of("did also", rf"(?<=[ITCaetoc])[,&]+[oc]*V{_X}{_AFTER}", did, tells_deed=True),
    rule_of("and of that", rf"(?<=[ITCaetoc])[,&]+{_X}[tae]+", did_likewise, tells_deed=True),
    rule_of("deeds", rf"[oct]+N{_X}?{_AFTER}", did, tells_deed=True),
    rule_of("sold, by people", rf"PV{_X}(?:tp|pt)", sold),
    rule_of("sold, so often", r"tNp", sold),
    rule_of("sold", r"I?V(?:tp|pt)(?:BP)?|I?VtBPp", sold),
    rule_of("done", rf"I?[oc]*V{_HOW}+(?:BY)?", did, tells_deed=True),
    rule_of("and by you", r"[,&]+tBY", did),
    rule_of("and by people", r"[,&]+tBPp", sold),
    rule_of("hangs on", r"(?<=.)[ae]+", did_before),
    rule_of("usual", r"[oe]+I|o(?=[,.&])", did),
    rule_of("due", r"h?,?I?[DS][IC]?h?", due),
    rule_of("offer", r"[Hw]*I?[Hw]*O(?:[,&]*[Hw]*O)*(?:f?I)?[Hw]*", offered),
    rule_of("lifted", r"[sH]*,?I?[sH]*(?:r?L|rV|Vr)[sH]*", lifted),
    rule_of("goes with", r"I?GT", goes_with),
    rule_of(
        "matches", r"(?:[MAfg]*Q|[MAfg]+U+g?(?:f?U+)*(?:&U+)*g?|YA(?:Q|U+)|U+(?:g|YA))+", wished
    ),
    rule_of("looks like the photo", r"F", photographed),
    rule_of("new", r"n", is_new),
    rule_of("price", r"m", costs),
    rule_of("named", r"f?I|B?k|M|g(?=f?I)|C|f(?=[ICm])|f?T(?=Y[oc]*V)", named),
    rule_of("joint", r"[,.&]", named),
)
"""Of those that fit, the longest is meant."""


def unproved(symbols: Sequence[Symbol], sheet: Sheet, rules: Sequence[Rule] = RULES) -> str | None:
    """The first stretch of a sentence that is no claim, or one that the sheet does not prove.

    Args:
        symbols: The sentence.
        sheet: What is known.
        rules: Kinds of claims of the sentence's language.

    Returns:
        What it is and the words; None where everything is proved.
    """
    line = "".join(symbol.part for symbol in symbols)
    at, before = 0, None
    while at < len(line):
        fits = [(m.end(), rule) for rule in rules if (m := rule.pattern.match(line, at))]
        fits = [(end, rule) for end, rule in fits if end > at]
        if not fits:
            return f"nothing is claimed so: {_words(symbols[at : at + 4])}"
        end, rule = max(fits, key=lambda fit: fit[0])
        spoken = [one for one in symbols[:at] if one.part in _NAMED]
        told = Told(tuple(symbols[at:end]), before, spoken[-1] if spoken else None)
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
