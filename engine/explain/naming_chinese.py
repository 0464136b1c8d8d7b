"""Names that are written in Chinese characters: which stretch stands for the item or another."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.explain.lexicon_chinese import is_of_known_words, speaks
from engine.explain.naming import Name, names_by
from engine.explain.sheet import Sheet
from engine.explain.wording import tidy

HAN = re.compile(r"[\u3400-\u9fff]")
MAX_CHARS = 40
_RUN = re.compile(r"(?<![\d.])[\u3400-\u9fff]+")
_BRACKET = re.compile(r"\([^()]*\)|（[^（）]*）|【[^【】]*】")
_TURNS = re.compile("[不无非零低免未没少脱去]")
"""Whoever cuts a name behind one of these turns it round: sugar-free cola is no sugar cola."""

HanNames = dict[str, frozenset[Name]]
"""What a stretch of characters may stand for."""


def han_names_in(sheet: Sheet) -> HanNames:
    """Every way to name in Chinese what the sheet holds; a name that speaks is none."""
    return names_by(_aliases, _brand_aliases, sheet)


def _brand_aliases(brand: str) -> Iterator[str]:
    name = tidy(brand).lower()
    if HAN.search(name) and not speaks(name) and not is_of_known_words(name):
        yield name


def _aliases(title: str) -> Iterator[str]:
    """The name in full, its parts, and how these end: a wool scarf is a scarf."""
    whole = tidy(_BRACKET.sub("", title)).lower()
    if not HAN.search(whole) or len(whole) > MAX_CHARS or speaks(whole):
        return
    yield whole
    yield "".join(whole.split())
    for run in _RUN.findall(whole):
        turned = _TURNS.search(run) is not None
        starts = {0, max(len(run) - 2, 0)} if turned else range(max(len(run) - 1, 1))
        for start in starts:
            alias = run[start:]
            if len(alias) > 1 and not is_of_known_words(alias):
                yield alias
