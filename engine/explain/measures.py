"""Numbers and times in English sentences: what they measure, and whether a known value agrees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from engine.scene_parse.numerals import SMALL

_UNIT_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}
_SMALL = SMALL[1:13]
"""From one to twelve."""
_CARDINAL = {word: n for n, word in enumerate(_SMALL, start=1)} | {"a": 1, "an": 1}
_RATE = {"daily": 1.0, "weekly": 7.0, "monthly": 365.25 / 12, "yearly": 365.25}
_CURRENCY = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}

_N = rf"(?:\d[\d,]*(?:\.\d+)?|{'|'.join([*_SMALL, 'an', 'a'])})"
_UNIT = r"(?:hour|day|week|month|year)s?"
_ABOUT = r"(?:about |around |roughly |nearly |almost |some )?"
_SO = r"(?: or so)?"


class Of(Enum):
    """What a number measures."""

    TIMES = auto()
    AGO = auto()
    EVERY = auto()
    PERIOD = auto()
    AHEAD = auto()
    RATIO = auto()
    MONEY = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Measure:
    """A number in a text, with what it measures."""

    of: Of
    value: float
    """A count, a ratio, an amount, or days."""
    unit_days: float = 1.0
    """How coarse a time is told: 7 of one told in weeks."""
    currency: str | None = None
    start: int = 0
    end: int = 0
    """Where it stands in the text."""

    def agrees(self, known: float | None) -> bool:
        """Whether a known value reads so, rounded as people round."""
        if known is None:
            return False
        if self.of in (Of.TIMES,):
            return self.value == known
        if self.of is Of.MONEY:
            return abs(self.value - known) < 0.005
        if self.of is Of.RATIO:
            step = 0.5 if self.unit_days > 1 else 0.05 if known < 10 else 0.5
            return abs(self.value - known) <= step + 1e-9
        if self.of is Of.AGO and self.value == 0:
            return known < 1
        return abs(known - self.value) <= 0.51 * self.unit_days


def _number(word: str) -> float:
    return float(_CARDINAL[word]) if word in _CARDINAL else float(word.replace(",", ""))


def _span(match: re.Match[str]) -> tuple[float, float]:
    unit = _UNIT_DAYS[match["unit"].removesuffix("s")]
    count = _number(match["n"]) if match["n"] else 1.0
    return count * unit, unit


def _timed(of: Of, pattern: str) -> tuple[Of, re.Pattern[str]]:
    return of, re.compile(rf"\b{pattern}")


_RATIO_TAIL = r"(?= as (?:popular|often|much|many|frequently|well)\b)"
_PATTERNS: tuple[tuple[Of, re.Pattern[str]], ...] = (
    (
        Of.MONEY,
        re.compile(
            r"(?P<sign>[$€£¥]) ?(?P<money>\d[\d,]*(?:\.\d+)?)"
            r"|\b(?P<amount>\d[\d,]*(?:\.\d+)?) ?(?P<code>usd|eur|gbp|dollars?|euros?|pounds?)\b"
        ),
    ),
    (
        Of.RATIO,
        re.compile(
            rf"(?P<about>\b(?:about|around|roughly|nearly|almost) )?\b"
            rf"(?:(?P<n>{_N}) times|(?P<twice>twice)){_RATIO_TAIL}"
        ),
    ),
    _timed(Of.AGO, rf"less than (?P<n>a|an) (?P<less>)(?P<unit>{_UNIT}) ago\b"),
    _timed(Of.AGO, rf"{_ABOUT}(?P<n>{_N}) (?P<unit>{_UNIT}) (?:ago|earlier|since|back)\b"),
    _timed(Of.EVERY, rf"{_ABOUT}every (?:(?P<n>{_N}) )?(?P<unit>{_UNIT}){_SO}\b"),
    _timed(Of.EVERY, rf"{_ABOUT}once (?:a|an|every|per) (?P<n>)(?P<unit>{_UNIT})\b"),
    _timed(
        Of.PERIOD,
        r"(?:in|over|during|within) the (?:last|past|previous) "
        rf"(?:(?P<n>{_N}) )?(?P<unit>{_UNIT})\b",
    ),
    _timed(Of.AHEAD, rf"in {_ABOUT}(?P<n>{_N}) (?P<unit>{_UNIT})\b"),
    (Of.TIMES, re.compile(rf"\b(?:(?P<n>(?!an?\b){_N}) times?|(?P<word>once|twice))\b")),
)
_WORDS = (
    (re.compile(r"\b(?:today|earlier today)\b"), Measure(Of.AGO, 0.0)),
    (re.compile(r"\byesterday\b"), Measure(Of.AGO, 1.0)),
    *(
        (re.compile(rf"\b{_ABOUT}{word}\b"), Measure(Of.EVERY, days, days))
        for word, days in _RATE.items()
    ),
)
_LOOSE = re.compile(
    rf"(?<![\w.])(?P<n>\d[\d,]*(?:\.\d+)?)(?P<tail>[%\w-]*)|\b(?P<word>{'|'.join(_SMALL[1:])})\b"
)


def read_measures(text: str) -> tuple[Measure, ...]:
    """Every number of a lower-case text, in order, none twice.

    A number that nothing says the meaning of is a count if nothing is stuck to it, such as the
    "nine" of "nine purchases", and :attr:`Of.UNKNOWN` otherwise: "20%", "15 kg" spelled "15kg".
    """
    found: list[Measure] = []
    for of, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            keep(found, _measure(of, match), match.span())
    for pattern, measure in _WORDS:
        for match in pattern.finditer(text):
            keep(found, measure, match.span())
    for match in _LOOSE.finditer(text):
        if match["word"]:
            loose = Measure(Of.TIMES, float(_CARDINAL[match["word"]]))
        else:
            loose = Measure(Of.UNKNOWN if match["tail"] else Of.TIMES, _number(match["n"]))
        keep(found, loose, match.span())
    return tuple(sorted(found, key=lambda measure: measure.start))


def keep(found: list[Measure], measure: Measure, span: tuple[int, int]) -> None:
    """Add a measure with its place, unless something was found there before."""
    start, end = span
    if all(end <= other.start or start >= other.end for other in found):
        found.append(
            Measure(measure.of, measure.value, measure.unit_days, measure.currency, start, end)
        )


def _measure(of: Of, match: re.Match[str]) -> Measure:
    named = match.groupdict()
    if of is Of.MONEY:
        if named["sign"]:
            return Measure(of, _number(named["money"]), currency=_CURRENCY[named["sign"]])
        code = {"dol": "USD", "eur": "EUR", "pou": "GBP"}.get(named["code"][:3])
        return Measure(of, _number(named["amount"]), currency=code or named["code"].upper())
    if of is Of.RATIO:
        loose = 2.0 if named["about"] else 1.0
        return Measure(of, 2.0 if named["twice"] else _number(named["n"]), loose)
    if of is Of.TIMES:
        spoken = {"once": 1.0, "twice": 2.0}
        return Measure(of, spoken[named["word"]] if named["word"] else _number(named["n"]))
    if "less" in named:
        return Measure(of, 0.0)
    days, unit = _span(match)
    return Measure(of, days, unit)
