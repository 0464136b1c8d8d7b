"""One sentence out of one or two pieces of evidence, in English or Chinese.

Always the same for the same facts and seed: the wording is drawn by the item's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Final
from zlib import crc32

from engine.explain.chinese import ago as ago_in_chinese
from engine.explain.chinese import in_chinese
from engine.explain.claim import Claim, Kind
from engine.explain.evidence import claims
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
_HOW_OFTEN_AND_WHEN = frozenset(permutations((Kind.HABIT, Kind.LAST_TIME)))
_DIFFERENT = frozenset(
    (first, other)
    for (first, mine), (other, its) in permutations(_THEMES.items(), 2)
    if mine != its and {mine, its} not in _BESIDE_THE_POINT
)
"""Pairs of kinds whose second adds something to the first."""
_HEADLINES = {Kind.OFFER, Kind.POPULAR, Kind.CATEGORY}
"""Kinds that open without "it is": "On display here this week"."""


CHINESE: Final = "zh"


def sentence(
    evidence: Sequence[Evidence], facts: Facts, *, locale: str | None = None, seed: int = 0
) -> str:
    """Say the first piece of evidence, and the next one that adds something, in one sentence.

    Args:
        evidence: What :func:`engine.explain.evidence_of` found in ``facts``, or a part of it,
            in order of preference. Kinds that the facts do not support are not said; if none
            is left, the heaviest that the facts do support is.
        facts: Where the wording comes from.
        locale: BCP 47 tag; Chinese for ``zh`` and its kin, English for every other.
        seed: Another one draws other wordings of the same.

    Returns:
        At most 160 characters and a full stop. The wording depends on the item's id, so that a
        list does not repeat itself, and on nothing random.
    """
    supported = {claim.evidence.kind: claim for claim in claims(facts)}
    said = [supported[e.kind] for e in evidence if e.kind in supported]
    first, *others = said or supported.values()
    language = _Chinese if is_chinese(locale) else _English
    voice = language(facts, _draw(facts, seed))
    for other in others:
        if _adds(first, other) and len(text := voice.pair(first, other)) <= MAX_CHARS:
            return text
    return voice.alone(first)


def is_chinese(locale: str | None) -> bool:
    """Whether a BCP 47 tag asks for Chinese."""
    return locale is not None and locale.replace("_", "-").lower().split("-")[0] == CHINESE


def _adds(first: Claim, other: Claim) -> bool:
    kinds = first.kind, other.kind
    if kinds in _HOW_OFTEN_AND_WHEN:
        return True
    if other.evidence.weight < MIN_SECOND_WEIGHT or kinds not in _DIFFERENT:
        return False
    return not _same_name(first.name, other.name)


def _same_name(first: str | None, other: str | None) -> bool:
    if first is None or other is None:
        return False
    first, other = first.casefold(), other.casefold()
    return first in other or other in first


@dataclass(frozen=True, slots=True)
class _English:
    facts: Facts
    draw: int

    def alone(self, claim: Claim) -> str:
        return _finish(self._opening(claim))

    def pair(self, first: Claim, other: Claim) -> str:
        if (first.kind, other.kind) in _HOW_OFTEN_AND_WHEN:
            how_often = self._wording(first if first.kind is Kind.HABIT else other)
            again = "" if self.facts.times_taken == 1 else "the last time "
            return _finish(f"{how_often}, {again}{ago(self.facts.days_since or 0)}")
        opening, addition = self._opening(first), self._wording(other)
        if first.kind is Kind.CATEGORY and addition.startswith("it "):
            addition = f"this one {addition.removeprefix('it ')}"  # "it" would be the category
        crowded = ", and " in opening or ", and " in addition
        return _finish(f"{opening}; {addition}" if crowded else f"{opening}, and {addition}")

    def _opening(self, claim: Claim) -> str:
        text = self._wording(claim)
        if claim.kind in _HEADLINES:
            text = text.removeprefix("it is ").removeprefix("it was ")
        return text

    def _wording(self, claim: Claim) -> str:
        return claim.wordings[self.draw % len(claim.wordings)]


@dataclass(frozen=True, slots=True)
class _Chinese:
    facts: Facts
    draw: int

    def alone(self, claim: Claim) -> str:
        return f"{self._wording(claim)}。"

    def pair(self, first: Claim, other: Claim) -> str:
        if (first.kind, other.kind) in _HOW_OFTEN_AND_WHEN:
            how_often = self._wording(first if first.kind is Kind.HABIT else other)
            last = "" if self.facts.times_taken == 1 else "上次是"
            return f"{how_often}，{last}{ago_in_chinese(self.facts.days_since or 0)}。"
        return f"{self._wording(first)}；{self._wording(other)}。"

    def _wording(self, claim: Claim) -> str:
        wordings = in_chinese(claim, self.facts).wordings
        return wordings[self.draw % len(wordings)]


def _draw(facts: Facts, seed: int) -> int:
    """A number that decides between wordings of the same."""
    # A seed of 0 adds nothing, and reasons stay what they were.
    salt = f"{seed}:" if seed else ""
    return crc32(f"{salt}{facts.item.item_id}".encode())


def _finish(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
