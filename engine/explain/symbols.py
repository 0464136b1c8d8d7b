"""A sentence as a row of symbols: names, measures and known words; whatever is left is a claim."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from engine.explain.lexicon import DAY_WORDS, DAYTIME_WORDS, LONGEST, PHRASES, Part
from engine.explain.measures import Measure, Of, read_measures
from engine.explain.naming import Name, Named, Names, names_in, stem, words_of
from engine.explain.sheet import Sheet

_TOKEN = re.compile(r"[^\W_]+(?:['.\-&][^\W_]+)*|\S")
_QUOTE = re.compile(r'"([^"]*)"')
_STOPS, _PAUSES = frozenset(".;!?"), frozenset(",:()–—-")
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})
_MARKUP = re.compile(r"[<>{}\[\]\\|`*_#@~^=]|https?:|www\.")
_QUOTED = "\x01"
MEASURED = {
    Of.TIMES: Part.TIMES,
    Of.AGO: Part.AGO,
    Of.EVERY: Part.EVERY,
    Of.PERIOD: Part.PERIOD,
    Of.AHEAD: Part.AHEAD,
    Of.RATIO: Part.RATIO,
    Of.MONEY: Part.MONEY,
    Of.UNKNOWN: Part.UNCLEAR,
}
"""What a number does in a sentence, by what it measures."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """One word, phrase, name or number of a sentence."""

    part: Part
    text: str
    meaning: str = ""
    """Of a deed or an offer: which."""
    thing: str | None = None
    """Of a name: the thing of the sheet; None is the item."""
    or_category: bool = False
    """Whether the name may as well be that of the item's category."""
    measure: Measure | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A text in symbols, and the first thing in it that nothing stands for."""

    symbols: tuple[Symbol, ...]
    strange: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    names: Names
    wish: frozenset[str]
    measures: tuple[Measure, ...]


def plain(text: str) -> str:
    """Lower case, one line, straight quotes; forms that look alike are one."""
    folded = unicodedata.normalize("NFKC", text.translate(_PLAIN)).translate(_PLAIN)
    return " ".join(folded.lower().split())


def is_clean(text: str) -> bool:
    """Whether a text holds letters, digits and punctuation only: no control, no markup."""
    return text.replace("\n", " ").isprintable() and not _MARKUP.search(text)


def read_symbols(text: str, sheet: Sheet) -> Reading:
    """Read a sentence in the light of a sheet."""
    line = plain(text)
    wish = () if sheet.wish is None else tuple(map(stem, words_of(sheet.wish)))
    for match in _QUOTE.finditer(line):
        if not wish or tuple(map(stem, words_of(match[1]))) != wish:
            return Reading((), f"quotation {match[0]}")
    # As long as before, so that places in the text stay places in the text.
    line = _QUOTE.sub(lambda match: _QUOTED + " " * (len(match[0]) - 1), line)
    known = _Known(names_in(sheet), frozenset(wish), read_measures(line))
    tokens = list(_TOKEN.finditer(line))
    symbols: list[Symbol] = []
    article: Part | None = None
    at = 0
    while at < len(tokens):
        symbol, used = _next(tokens, at, known, article)
        if symbol is None:
            return Reading(tuple(symbols), tokens[at][0])
        if symbol.part in (Part.ARTICLE, Part.OWN, Part.THIS) and _leads(tokens, at + used, known):
            article = symbol.part
        elif symbol.part is not Part.NEUTRAL or symbol.text not in ("usual", "brand"):
            if symbol.part not in (Part.OFTEN, Part.EVERY, Part.BRAND, Part.NEUTRAL):
                article = None
            symbols.append(symbol)
        at += used
    kept = [
        symbol for symbol in symbols if symbol.part not in (Part.NEUTRAL, Part.ARTICLE, Part.OWN)
    ]
    return Reading(tuple(_resolved(_without_adjectives(kept))))


def _next(
    tokens: Sequence[re.Match[str]], at: int, known: _Known, article: Part | None
) -> tuple[Symbol | None, int]:
    """The symbol that begins at a token, and how many tokens it takes."""
    token = tokens[at]
    text = token[0]
    if text == _QUOTED:
        return Symbol(Part.QUOTE, text), 1
    if text in _STOPS or text in _PAUSES:
        return Symbol(Part.STOP if text in _STOPS else Part.PAUSE, text), 1
    words = _words_from(tokens, at)
    names, length = _name(words, known.names)
    measure = next((m for m in known.measures if m.start <= token.start() < m.end), None)
    phrase, size = _phrase(words)
    if names and length >= size and (measure is None or length > 1):
        return _named(names, article, " ".join(words[:length])), length
    if stem(text) in known.wish and phrase is None:
        return Symbol(Part.WISH, text), 1
    if measure is not None:
        inside = sum(token.start() <= other.start() < measure.end for other in tokens[at:])
        return Symbol(MEASURED[measure.of], text, measure=measure), inside
    daytime = _daytime(words)
    if daytime:
        return Symbol(Part.WHEN, " ".join(words[:daytime])), daytime
    if phrase is not None:
        return Symbol(phrase[0], " ".join(words[:size]), phrase[1]), size
    return None, 1


def _words_from(tokens: Sequence[re.Match[str]], at: int) -> list[str]:
    """Words up to the next mark."""
    found = []
    for token in tokens[at : at + 20]:
        if token[0] in _STOPS or token[0] in _PAUSES or token[0] == _QUOTED:
            break
        found.append(token[0])
    return found


def _name(words: Sequence[str], names: Names) -> tuple[frozenset[Name], int]:
    """The longest name that the words begin with, and its length."""
    stems = [stem(word) for word in words]
    for size in range(len(stems), 0, -1):
        if (found := names.get(tuple(stems[:size]))) is not None:
            return found, size
    return frozenset(), 0


def _phrase(words: Sequence[str]) -> tuple[tuple[Part, str] | None, int]:
    """The longest phrase of the lexicon that the words begin with, and its length."""
    for size in range(min(len(words), LONGEST), 0, -1):
        if (found := PHRASES.get(tuple(words[:size]))) is not None:
            return found, size
    return None, 0


def _daytime(words: Sequence[str]) -> int:
    """How many words tell a part of the week: "weekday early mornings"."""
    told = 0
    for word in words:
        if stem(word) not in DAY_WORDS | DAYTIME_WORDS | {"early"}:
            break
        told += 1
    return told


def _leads(tokens: Sequence[re.Match[str]], at: int, known: _Known) -> bool:
    """Whether a name follows a "this" or a "your", with at most three words between."""
    for start in range(at, min(at + 4, len(tokens))):
        words = _words_from(tokens, start)
        if not words:
            return False
        if _name(words, known.names)[1]:
            return True
        phrase, _ = _phrase(words)
        between = (Part.NEUTRAL, Part.OFTEN)
        measured = any(m.start <= tokens[start].start() < m.end for m in known.measures)
        if not measured and (phrase is None or phrase[0] not in between or words[0] in _BREAKS):
            return False
    return False


_BREAKS = frozenset(
    [
        "is",
        "are",
        "was",
        "were",
        "has",
        "have",
        "had",
        "could",
        "would",
        "may",
        "might",
        "can",
        "will",
        "that",
        "which",
    ]
)


def _named(names: frozenset[Name], article: Part | None, text: str) -> Symbol:
    """What a name stands for, by what stands before it."""
    kinds = {name.of for name in names}
    things = sorted(name.thing or "" for name in names if name.of is Named.THING)
    own = bool(kinds & {Named.ITEM, Named.CATEGORY, Named.BOTH})
    if own and (article is Part.THIS or (not things and Named.ITEM in kinds)):
        return Symbol(Part.ITEM, text)
    if things:
        is_clear = len(things) == 1 and not (own and article is Part.ARTICLE)
        part = Part.THING if is_clear else Part.UNCLEAR
        return Symbol(part, text, thing=things[0], or_category=own and article is None)
    if own:
        return Symbol(Part.CATEGORY if article is None else Part.ITEM, text)
    return Symbol(Part.BRAND, text)


def _without_adjectives(symbols: Sequence[Symbol]) -> list[Symbol]:
    """Without brands that stand before what they made: "this Nordlys scarf"."""
    names = (Part.ITEM, Part.CATEGORY)
    return [
        symbol
        for symbol, following in zip_longest(symbols, symbols[1:])
        if symbol.part is not Part.BRAND or following is None or following.part not in names
    ]


def _resolved(symbols: Sequence[Symbol]) -> list[Symbol]:
    """With "it" and "this" replaced by what they stand for."""
    found: list[Symbol] = []
    spoken: list[Symbol] = []
    for symbol in symbols:
        if symbol.part is Part.THIS:
            symbol = Symbol(Part.ITEM, symbol.text)
        elif symbol.part is Part.IT:
            meant = _antecedent("".join(one.part for one in found), spoken)
            symbol = replace(meant or Symbol(Part.ITEM, ""), text=symbol.text)
        if symbol.part in (Part.ITEM, Part.THING, Part.CATEGORY):
            spoken.append(symbol)
        found.append(symbol)
    return found


_OTHERS_TOOK = re.compile(r"W[oc]*V[TCI][oc]*V?$|WV[TCI].*V$")


def _antecedent(before: str, spoken: Sequence[Symbol]) -> Symbol | None:
    """What "it" stands for; of "people who bought A bought it", not A. None is the item."""
    if _OTHERS_TOOK.search(before):
        spoken = [one for one in spoken if one.thing != spoken[-1].thing or one.part is Part.ITEM]
    if before.endswith(Part.GOES_WITH):  # nothing goes with itself
        spoken = [one for one in spoken if one.part is not Part.ITEM]
    if not spoken:
        return None
    last = spoken[-1]
    # The category stays behind: "you often buy yogurt, and it is reduced" is said of the item.
    opens = before == "" or before[-1] in ",.&"
    return None if opens and _is_many(last) else last


def _is_many(symbol: Symbol) -> bool:
    return symbol.part is Part.CATEGORY or symbol.text.split()[-1].endswith("s")
