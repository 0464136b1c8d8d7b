"""A Chinese sentence as a row of symbols: of all that a stretch may begin with, the longest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.explain.lexicon import Part
from engine.explain.lexicon_chinese import CATEGORY_ENDINGS, DAYS, DAYTIMES, LONGEST, PHRASES
from engine.explain.measures import Measure
from engine.explain.measures_chinese import read_chinese_measures
from engine.explain.naming import Name, Named, Names, names_in, stem, words_of
from engine.explain.naming_chinese import HanNames, han_names_in
from engine.explain.sheet import Sheet
from engine.explain.symbols import MEASURED, Reading, Symbol, plain

_QUOTED = re.compile(r'「([^「」]*)」|『([^『』]*)』|《([^《》]*)》|"([^"]*)"')
_LATIN = re.compile(r"[a-z0-9]+(?:['.\-&][a-z0-9]+)*")
_STOPS, _PAUSES = frozenset("。.;!?"), frozenset(",、:()—-~")
_TO_THE_ITEM = (Part.BRAND, Part.MONEY, Part.OF)
"""May stand between "this" and the name that it points at."""
_OTHERS_TOOK = re.compile(r"(?:V[TC]|[TC]V)W[oc]*V?$")
_NAMED = (Part.ITEM, Part.THING, Part.CATEGORY)
_Found = tuple[Symbol, int]
"""A symbol and how many characters it takes."""


@dataclass(frozen=True, slots=True)
class _Known:
    line: str
    sheet: Sheet
    han: HanNames
    latin: Names
    measures: tuple[Measure, ...]
    wish: str


def read_chinese(text: str, sheet: Sheet) -> Reading:
    """Read a Chinese sentence in the light of a sheet."""
    line = plain(text)
    known = _Known(
        line,
        sheet,
        han_names_in(sheet),
        names_in(sheet),
        read_chinese_measures(line),
        plain(sheet.wish or ""),
    )
    symbols: list[Symbol] = []
    at, this = 0, False
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        found = max(_candidates(known, at, this=this), key=_length, default=None)
        if found is None:
            return Reading(tuple(symbols), line[at : at + 4])
        symbol, size = found
        at += size
        if symbol.part in (Part.NEUTRAL, Part.OWN):
            continue
        if this and symbol.part not in _TO_THE_ITEM:
            if symbol.part is not Part.ITEM:
                symbols.append(Symbol(Part.ITEM, "这"))
            this = False
        if symbol.part is Part.THIS:
            this = True
        else:
            symbols.append(_resolved(symbol, symbols))
    symbols += [Symbol(Part.ITEM, "这")] * this
    return Reading(tuple(_told_once(_without_adjectives(symbols))))


def _length(found: _Found) -> int:
    return found[1]


def _candidates(known: _Known, at: int, *, this: bool) -> Iterator[_Found]:
    """Whatever may begin at a place; where two are as long, the earlier is meant."""
    line = known.line
    if line[at] in _STOPS or line[at] in _PAUSES:
        yield Symbol(Part.STOP if line[at] in _STOPS else Part.PAUSE, line[at]), 1
        return
    if (quoted := _QUOTED.match(line, at)) is not None:
        yield from _quotation(known, quoted, this=this)
        return
    if known.wish and line.startswith(known.wish, at):
        yield Symbol(Part.WISH, known.wish), len(known.wish)
    names, size = _name(known, at)
    if names:
        yield _named(known, names, (at, at + size), this=this)
    for measure in known.measures:
        if measure.start == at:
            text = line[at : measure.end]
            yield Symbol(MEASURED[measure.of], text, measure=measure), measure.end - at
    if (moment := _moment(line, at)) is not None:
        yield moment
    for end in range(min(at + LONGEST, len(line)), at, -1):
        if (phrase := PHRASES.get(line[at:end])) is not None:
            yield Symbol(phrase[0], line[at:end], phrase[1]), end - at
            return


def _quotation(known: _Known, quoted: re.Match[str], *, this: bool) -> Iterator[_Found]:
    """A name or the wish between marks; nothing where it is neither."""
    said = next(group for group in quoted.groups() if group is not None).strip()
    size = len(quoted[0])
    if known.wish and said.rstrip("…") and known.wish.startswith(said.rstrip("…")):
        whole = said == known.wish or said.endswith("…")
        if whole:
            yield Symbol(Part.QUOTE, quoted[0]), size
            return
    names = known.han.get(said) or known.latin.get(tuple(map(stem, words_of(said))))
    if names:
        yield _named(known, names, (quoted.start(), quoted.end()), this=this)


def _name(known: _Known, at: int) -> tuple[frozenset[Name], int]:
    """The longest name at a place, in either script, and its length."""
    line = known.line
    best: tuple[frozenset[Name], int] = frozenset(), 0
    for alias, names in known.han.items():
        if len(alias) > best[1] and line.startswith(alias, at):
            best = names, len(alias)
    words: list[str] = []
    end = at
    while (word := _LATIN.match(line, end)) is not None:
        words.append(stem(word[0]))
        if (found := known.latin.get(tuple(words))) is not None and word.end() - at > best[1]:
            best = found, word.end() - at
        end = word.end() + 1
        if line[word.end() : end] not in (" ", ","):
            break
        end += line[end : end + 1] == " "
    return best


def _named(known: _Known, names: frozenset[Name], place: tuple[int, int], *, this: bool) -> _Found:
    """What a name stands for, by what stands around it."""
    start, end = place
    text = known.line[start:end]
    kinds = {name.of for name in names}
    things = sorted(name.thing or "" for name in names if name.of is Named.THING)
    own = bool(kinds & {Named.ITEM, Named.CATEGORY, Named.BOTH})
    ending = next((e for e in CATEGORY_ENDINGS if known.line.startswith(e, end)), "")
    if ending:
        of_category = bool(kinds & {Named.CATEGORY, Named.BOTH})
        part = Part.CATEGORY if of_category else Part.UNCLEAR
        return Symbol(part, text), end - start + len(ending)
    if things:
        clear = len(things) == 1 and not own and not this
        symbol = Symbol(Part.THING if clear else Part.UNCLEAR, text, thing=things[0])
    elif not own:
        symbol = Symbol(Part.BRAND, text)
    elif this or Named.ITEM in kinds:
        symbol = Symbol(Part.ITEM, text)
    elif Named.BOTH in kinds:  # "you often buy yogurt": this one, or the category
        symbol = Symbol(Part.THING, text, or_category=True)
    else:
        symbol = Symbol(Part.CATEGORY, text)
    return symbol, end - start


def _moment(line: str, at: int) -> _Found | None:
    """A part of the week, told as the sheet tells it: 周五晚上 is "friday evening"."""
    told: list[str] = []
    end = at
    for names in (DAYS, DAYTIMES):
        end += told != [] and line.startswith("的", end)
        hit = next((name for name in names if line.startswith(name, end)), None)
        if hit is not None:
            told.append(names[hit])
            end += len(hit)
    return (Symbol(Part.WHEN, " ".join(told)), end - at) if told else None


def _resolved(symbol: Symbol, before: list[Symbol]) -> Symbol:
    """With "it" replaced by what it stands for; of "who bought A bought it", not A."""
    if symbol.part is not Part.IT:
        return symbol
    line = "".join(one.part for one in before)
    since = before[line.rfind(Part.STOP) + 1 :]
    spoken = [one for one in since if one.part in _NAMED]
    if not spoken or spoken[-1].thing is None or _OTHERS_TOOK.search(line):
        return Symbol(Part.ITEM, symbol.text)
    return replace(spoken[-1], text=symbol.text)


def _without_adjectives(symbols: list[Symbol]) -> list[Symbol]:
    """Without brands that stand before what they made."""
    kept = []
    for at, symbol in enumerate(symbols):
        rest = [one for one in symbols[at + 1 : at + 3] if one.part is not Part.OF]
        made = bool(rest) and rest[0].thing is None and rest[0].part in _NAMED
        if symbol.part is Part.BRAND and made:
            continue
        if symbol.part is Part.OF and at and symbols[at - 1].part is Part.BRAND and made:
            continue
        kept.append(symbol)
    return kept


def _told_once(symbols: list[Symbol]) -> list[Symbol]:
    """Without the "once" of "buys it once every 8 days", which counts nothing."""
    kept: list[Symbol] = []
    rhythm = False
    for symbol in symbols:
        if symbol.part in (Part.PAUSE, Part.STOP):
            rhythm = False
        once = symbol.part is Part.TIMES and symbol.measure is not None
        if once and rhythm and symbol.measure is not None and symbol.measure.value == 1:
            continue
        rhythm = rhythm or symbol.part is Part.EVERY
        kept.append(symbol)
    return kept
