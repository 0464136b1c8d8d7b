"""Numbers, spans of time and names as they stand inside an English sentence."""

from __future__ import annotations

import re
from functools import lru_cache

REMEMBERED = 16_384
"""Texts of a catalogue that were tidied and named: an answer asks for the same ones again."""

_FEW_TIMES = {1: "once", 2: "twice"}
_DAYS_PER_WEEK, _DAYS_PER_MONTH, _DAYS_PER_YEAR = 7, 365.25 / 12, 365.25
_MAX_IN_DAYS, _MAX_IN_WEEKS, _MAX_IN_MONTHS = 20, 62, 600
"""Up to so many days a span is told in days, in weeks, in months."""

_NOTHING = {"n/a", "nan", "none", "null"}
_EDGES = " .,;:!?…-–—→/&"
_BRACKET = re.compile(r"\s*\([^()]*\)$")
_OPEN_BRACKET = re.compile(r"\s*\([^()]*$")
_PLAIN_START = re.compile(r"[A-Z](?:[a-z]*[a-z]['’]s|[a-z]*)(?:-[a-z]+)*")
_LOOSE_END = re.compile(r"(?: (?:a|an|and|at|for|from|in|of|on|or|the|to|with))+$", re.IGNORECASE)
_CAPITAL_ALWAYS = {
    "African", "American", "Asian", "Australian", "Austrian", "Belgian", "Brazilian", "British",
    "Canadian", "Caribbean", "Chinese", "Christmas", "Cuban", "Danish", "Dijon", "Dutch", "Easter",
    "English", "European", "French", "Fuji", "Gala", "German", "Granny", "Greek", "Halloween",
    "Hawaiian", "Hispanic", "Hungarian", "Indian", "Irish", "Italian", "Japanese", "Jewish",
    "Korean", "Kosher", "Lebanese", "Mediterranean", "Mexican", "Moroccan", "Norwegian", "Parmesan",
    "Polish", "Portuguese", "Roma", "Russian", "Scandinavian", "Scottish", "Spanish", "Swedish",
    "Swiss", "Thai", "Turkish", "Valentine's", "Vietnamese", "Welsh",
}  # fmt: skip
"""First words that would be misspelled in small letters."""


def times(n: int) -> str:
    """How often: once, twice, 9 times."""
    return _FEW_TIMES.get(n) or f"{n:,} times"


def fold(ratio: float) -> str:
    """A ratio above one in front of "as": twice, 1.5 times, 12 times."""
    digits = f"{ratio:.1f}".removesuffix(".0") if ratio < 9.95 else f"{ratio:,.0f}"
    return "twice" if digits == "2" else f"{digits} times"


def ago(days: float) -> str:
    """A moment in the past: less than a day ago, a day ago, 9 days ago, 5 weeks ago."""
    if days < 1:
        return "less than a day ago"
    count, unit = span_of(days)
    return f"a {unit} ago" if count == 1 else f"{count:,} {unit}s ago"


def every(days: float) -> str:
    """A rhythm: every day or so, every week or so, every 8 days or so."""
    count, unit = span_of(days)
    if (count, unit) == (_DAYS_PER_WEEK, "day"):
        count, unit = 1, "week"
    return f"every {unit} or so" if count <= 1 else f"every {count:,} {unit}s or so"


def due(days: float) -> str:
    """When something is needed again: due in 3 days, nearly due, due now."""
    if days >= 1:
        count, unit = span_of(days)
        return f"due in a {unit}" if count == 1 else f"due in {count:,} {unit}s"
    return "nearly due" if days > 0 else "due now"


def span_of(days: float) -> tuple[int, str]:
    """A span as people count it: 9 days, 5 weeks, 3 months; the unit in the singular."""
    if round(days) <= _MAX_IN_DAYS:
        return round(days), "day"
    if round(days) <= _MAX_IN_WEEKS:
        return round(days / _DAYS_PER_WEEK), "week"
    if round(days) <= _MAX_IN_MONTHS:
        return round(days / _DAYS_PER_MONTH), "month"
    return round(days / _DAYS_PER_YEAR), "year"


@lru_cache(maxsize=REMEMBERED)
def tidy(text: str) -> str:
    """One line without control characters, repeated spaces, or punctuation at its edges.

    Empty where a table wrote "None" or "nan" for nothing, or where no letter or digit is left.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(text.split()).strip(_EDGES)
    says_something = any(map(str.isalnum, line)) and line.lower() not in _NOTHING
    return line if says_something else ""


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters of a text, cut after a word that can stand last."""
    if len(text) <= limit:
        return text
    head = text[: limit + 1]
    cut = head.rpartition(" ")[0] or text[:limit]
    return _LOOSE_END.sub("", _OPEN_BRACKET.sub("", cut).rstrip(_EDGES)).rstrip(_EDGES)


@lru_cache(maxsize=REMEMBERED)
def name_of(title: str | None, limit: int, *, proper: bool = False) -> str | None:
    """A title or a category as a noun: "Ground coffee, 12 oz (maker 5)" is "ground coffee".

    The bracket at the end and sizes after a comma go. The capital of the first word goes where
    it only marks the beginning: "Mexican dinner kits", "Toy Story" and "L'Oreal cosmetics" keep
    theirs.

    Args:
        title: As the shop writes it.
        limit: Most characters of the name.
        proper: The title is a name (of a film, a book), not a description: case is kept.

    Returns:
        None where nothing is left that names anything.
    """
    whole = tidy(title or "")
    name = tidy(_OPEN_BRACKET.sub("", _BRACKET.sub("", whole))) or whole
    name = tidy(shorten(_without_size(name), limit))
    if not name:
        return None
    return name if proper else _lowered(name)


def _without_size(name: str) -> str:
    """Parts after a comma go, unless a list ends in them: "Wreaths, tinsel and garland"."""
    parts = name.split(", ")
    while len(parts) > 1 and not re.search(r"\b(?:and|or)\b", parts[-1]):
        parts.pop()
    return ", ".join(parts)


def _lowered(name: str) -> str:
    if name.isupper() and len(name.split()) > 1:
        return name.lower()
    first, *others = name.split(" ")
    marks_the_start = _PLAIN_START.fullmatch(first.rstrip(",")) and first not in _CAPITAL_ALWAYS
    if marks_the_start and not any(c.isupper() for word in others for c in word):
        return name[:1].lower() + name[1:]
    return name


def quoted(words: str, limit: int) -> str | None:
    """What someone typed, in quotation marks and cut to ``limit``; None where that is nothing."""
    text = re.sub(r"[.!?]+\s+", ", ", tidy(words.replace('"', "'")))
    if not text:
        return None
    short = shorten(text, limit)
    return f'"{short}"' if short == text else f'"{short}…"'
