"""One sentence out of one or two pieces of evidence: always the same for the same facts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from zlib import crc32

from engine.explain.evidence import Claim, Kind, claims
from engine.explain.facts import Facts
from engine.explain.wording import ago
from engine.recommendation import Evidence

MAX_CHARS = 160
MIN_SECOND_WEIGHT = 0.1
"""A lighter piece of evidence does not earn its place beside another."""

_OWN, _TASTE, _CROWD, _SCENE, _WISH, _OFFER = range(6)
_THEMES = {
    Kind.DUE: _OWN,
    Kind.HABIT: _OWN,
    Kind.LAST_TIME: _OWN,
    Kind.TOGETHER: _TASTE,
    Kind.CATEGORY: _TASTE,
    Kind.POPULAR: _CROWD,
    Kind.PLACE: _SCENE,
    Kind.HOUR: _SCENE,
    Kind.WISH: _WISH,
    Kind.LOOK: _WISH,
    Kind.OFFER: _OFFER,
}
"""Claims of one theme say nearly the same; kinds that are missing here stand alone."""
_BESIDE_THE_POINT = ({_OWN, _TASTE}, {_OWN, _CROWD})
"""Whoever takes the very item need not hear of the taste or the crowd that it fits."""
_HOW_OFTEN_AND_WHEN = {Kind.HABIT, Kind.LAST_TIME}
_HEADLINES = {Kind.OFFER, Kind.POPULAR, Kind.CATEGORY}
"""Kinds that open without "it is": "On display here this week"."""


def sentence(evidence: Sequence[Evidence], facts: Facts) -> str:
    """Say the first piece of evidence, and the next one that adds something, in one sentence.

    Args:
        evidence: What :func:`engine.explain.evidence_of` found in ``facts``, or a part of it,
            in order of preference. Kinds that the facts do not support are not said; if none
            is left, the heaviest that the facts do support is.
        facts: Where the wording comes from.

    Returns:
        A capital, at most 160 characters, a full stop. The wording depends on the item's id, so
        that a list does not repeat itself, and on nothing random.
    """
    supported = {claim.kind.value: claim for claim in claims(facts)}
    said = [supported[e.kind] for e in evidence if e.kind in supported]
    first, *others = said or supported.values()
    for other in others:
        if _adds(first, other) and len(text := _pair(first, other, facts)) <= MAX_CHARS:
            return text
    return _finish(_opening(first, facts))


def _adds(first: Claim, other: Claim) -> bool:
    if {first.kind, other.kind} == _HOW_OFTEN_AND_WHEN:
        return True
    if other.weight < MIN_SECOND_WEIGHT:
        return False
    mine, its = _THEMES.get(first.kind), _THEMES.get(other.kind)
    if mine is None or its is None or mine == its or {mine, its} in _BESIDE_THE_POINT:
        return False
    return not _same_name(first, other)


def _same_name(*pair: Claim) -> bool:
    names = [claim.name.casefold() for claim in pair if claim.name is not None]
    return any(a in b or b in a for a, b in combinations(names, 2))


def _pair(first: Claim, other: Claim, facts: Facts) -> str:
    if {first.kind, other.kind} == _HOW_OFTEN_AND_WHEN:
        how_often = _wording(first if first.kind is Kind.HABIT else other, facts)
        again = "" if facts.times_taken == 1 else "the last time "
        return _finish(f"{how_often}, {again}{ago(facts.days_since or 0)}")
    opening = _opening(first, facts)
    addition = _wording(other, facts)
    if first.kind is Kind.CATEGORY and addition.startswith("it "):
        addition = f"this one {addition.removeprefix('it ')}"  # "it" would be the category
    crowded = ", and " in opening or ", and " in addition
    return _finish(f"{opening}; {addition}" if crowded else f"{opening}, and {addition}")


def _opening(claim: Claim, facts: Facts) -> str:
    text = _wording(claim, facts)
    if claim.kind in _HEADLINES:
        text = text.removeprefix("it is ").removeprefix("it was ")
    return text


def _wording(claim: Claim, facts: Facts) -> str:
    return claim.wordings[crc32(facts.item.item_id.encode()) % len(claim.wordings)]


def _finish(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
