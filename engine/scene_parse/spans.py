"""What the parts of the parser hand to each other: clues, rules and spans."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time


@dataclass(frozen=True, slots=True)
class Clue:
    """What one stretch of text says of the scene; None where it says nothing."""

    day: date | None = None
    feast_day: date | None = None
    """Gives way to a ``day``: "tomorrow, for Christmas" is tomorrow."""
    clock: time | None = None
    moment: datetime | None = None
    """Day and clock at once: "in two hours"."""
    weather: str | None = None
    temperature: float | None = None
    occasion: str | None = None
    companions: str | None = None
    recipient: str | None = None
    recipient_age: float | None = None
    price_min: float | None = None
    price_max: float | None = None
    currency: str | None = None
    device: str | None = None
    place: str | None = None
    country: str | None = None
    hemisphere: str | None = None
    locale: str | None = None
    setting: str | None = None
    literal: str | None = None
    """Words that are a wish whatever they look like."""

    @property
    def facets(self) -> frozenset[str]:
        """Names of what it says."""
        said = {f.name for f in fields(self) if getattr(self, f.name) is not None}
        if "moment" in said:
            said |= {"day", "clock"}
        # Any number of texts in quotation marks may be wishes.
        return frozenset(said - {"literal"})

    def beside(self, other: Clue) -> Clue:
        """Both clues as one; they share no facet."""
        news = {f.name: v for f in fields(other) if (v := getattr(other, f.name)) is not None}
        return replace(self, **news)


@dataclass(frozen=True, slots=True)
class Context:
    """What words are read against."""

    now: datetime
    country: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A clue and the stretch of text that it was read from."""

    start: int
    end: int
    clue: Clue


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the text and what it became."""

    start: int
    end: int
    text: str
    """The stretch, as it was typed."""
    field: str
    """Field of the scene that it fills: ``time``, ``occasion``, ``price_max``, ...; ``query`` for
    words of the wish; ``filler`` for words that say nothing; ``unread`` past the length read."""
    value: str
    """What it became, for people: "birthday", "2026-11-27 19:00", "30 EUR"."""


Read = Callable[[re.Match[str], Context], Clue | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern and how to read it. The span is the group ``span``, else the whole match."""

    pattern: re.Pattern[str]
    read: Read

    def find(self, text: str, context: Context) -> Iterator[Found]:
        """Everything in a text that the rule can read."""
        for match in self.pattern.finditer(text):
            clue = self.read(match, context)
            if clue is not None:
                group = "span" if "span" in self.pattern.groupindex else 0
                yield Found(match.start(group), match.end(group), clue)


def rule(pattern: str, read: Read) -> Rule:
    """A rule that looks at whole words, whatever their case.

    Chinese has no spaces, so its words may stand against anything but Latin letters.
    """
    return Rule(re.compile(rf"(?<![A-Za-z0-9_])(?:{pattern})(?![A-Za-z0-9_])", re.IGNORECASE), read)


def clause(words: str) -> str:
    """A pattern for words that mean the scene only when they stand for themselves.

    "hot" between commas is the weather, in "hot sauce" it is not.
    """
    stop = r",.;:!?，。；：！？、"
    return rf"(?:(?:^|(?<=[{stop}]))\s*(?P<span>{words})(?=\s*(?:$|[{stop}])))"
