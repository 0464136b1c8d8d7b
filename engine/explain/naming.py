"""The names in a sentence: which stretch of words stands for the item, and which for another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import combinations
from typing import TypeVar

from engine.explain import lexicon_chinese
from engine.explain.lexicon import SMALL_WORDS, WORDS
from engine.explain.sheet import Sheet
from engine.explain.wording import tidy

A = TypeVar("A", str, tuple[str, ...])

MAX_NAME_WORDS = 8
_TOKEN = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")
_BRACKET = re.compile(r"\s*\([^()]*\)\s*$")


class Named(Enum):
    """What a name stands for."""

    ITEM = auto()
    CATEGORY = auto()
    """Of the item; the item itself with "this" before it."""
    BOTH = auto()
    """A title and a category read alike."""
    THING = auto()
    BRAND = auto()


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the sheet."""

    of: Named
    thing: str | None = None
    """As the sheet has it, of another thing."""


def stem(word: str) -> str:
    """A word without its plural: scarves and scarf are one."""
    word = word.lower().replace("’", "'").removesuffix("'s").removesuffix("'")
    if len(word) > 4 and word.endswith("ves"):
        return f"{word[:-3]}f"
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses", "oes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] not in "su" else word


def words_of(text: str) -> tuple[str, ...]:
    """Words and numbers of a text, lower case."""
    return tuple(match[0].lower().replace("’", "'") for match in _TOKEN.finditer(text))


Names = dict[tuple[str, ...], frozenset[Name]]
"""What stemmed words may stand for."""


def names_in(sheet: Sheet) -> Names:
    """Every way to name what the sheet holds.

    A name that speaks (a verb, a "you", too many words) is none: a title may hold an instruction.
    """
    return names_by(_aliases, _brand_aliases, sheet)


def names_by(
    aliases: Callable[[str], Iterable[A]], of_brand: Callable[[str], Iterable[A]], sheet: Sheet
) -> dict[A, frozenset[Name]]:
    """What each alias may stand for, in whatever a language writes its aliases.

    Args:
        aliases: Of a title, a category or another thing.
        of_brand: Of a brand.
        sheet: What is named.
    """
    found: dict[A, set[Name]] = {}
    item, category = set(aliases(sheet.title)), set(aliases(sheet.category or ""))
    for alias in item | category:
        both = alias in item and alias in category
        kind = Named.BOTH if both else Named.ITEM if alias in item else Named.CATEGORY
        found[alias] = {Name(kind)}
    things = {deed.thing for deed in sheet.deeds} | {other.thing for other in sheet.company}
    for thing in sorted(filter(None, things)):
        if thing != sheet.category:
            for alias in aliases(thing):
                found.setdefault(alias, set()).add(Name(Named.THING, thing))
    for alias in of_brand(sheet.brand or ""):
        found.setdefault(alias, set()).add(Name(Named.BRAND))
    return {alias: frozenset(names) for alias, names in found.items()}


def _brand_aliases(brand: str) -> Iterable[tuple[str, ...]]:
    whole = _whole(brand)
    return [whole] if whole and _is_plain(whole) else []


def _aliases(title: str) -> Iterable[tuple[str, ...]]:
    """The name in full, and its head noun with any of the words before it."""
    whole = tidy(title)
    full = _whole(whole)
    name = tidy(_BRACKET.sub("", whole)).split(", ")[0]
    words = tuple(map(stem, words_of(name)))
    if not words or len(full) > MAX_NAME_WORDS * 2 or not _is_plain(words):
        return
    yield words
    if _is_plain(full):
        yield full
    head = next((i for i, word in enumerate(words) if word in SMALL_WORDS), len(words))
    if head == 0 or name[:1].isdigit():
        return
    *modifiers, noun = words[:head]
    if noun in WORDS or noun.isdigit():
        return
    for size in range(min(len(modifiers), 4) + 1):
        for kept in combinations(modifiers[-4:], size):
            yield (*kept, noun)


def _whole(title: str) -> tuple[str, ...]:
    return tuple(map(stem, words_of(title)))


def _is_plain(words: tuple[str, ...]) -> bool:
    """Whether words name something instead of saying something."""
    speaking = [word for word in words if word in WORDS and word not in SMALL_WORDS]
    if len(words) > MAX_NAME_WORDS or len(speaking) > 1 or len(speaking) == len(words):
        return False
    return not any(lexicon_chinese.speaks(word) for word in words if not word.isascii())
