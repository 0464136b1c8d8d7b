"""A catalogue's own names: which categories and brands the words of a request speak of."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from engine.explain.naming import stem, words_of

Path = tuple[str, ...]
K = TypeVar("K")
V = TypeVar("V")
MAX_NAME = 5
"""Words of the longest name that is looked for."""
SHELF_DEPTH = 2
"""Down to here a whole name is a shelf; deeper ones are kinds of goods, found on many shelves."""
MIN_ITEMS = 2
"""A category of one item is an item, not a shelf."""
_PARTS = re.compile(r",\s*|\s+and\s+|\s*&\s*")


@dataclass(frozen=True, slots=True)
class Mention:
    """Words of a request that name a category or a brand."""

    start: int
    end: int
    """Positions of words."""
    categories: frozenset[Path] = frozenset()
    brands: frozenset[str] = frozenset()
    exact: bool = True
    """Whether the words are a whole name, and not its last part."""


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Names of a catalogue by their stemmed words."""

    whole: Mapping[tuple[str, ...], frozenset[Path]]
    endings: Mapping[tuple[str, ...], frozenset[Path]]
    """Categories whose names end in the words: "wine" of "Imported wine"."""
    holding: Mapping[str, frozenset[Path]]
    """Categories whose names hold a word anywhere."""
    brands: Mapping[tuple[str, ...], frozenset[str]]

    @classmethod
    def of(cls, items: pl.DataFrame) -> Shelf:
        """Read the names off an ``items`` table."""
        whole: defaultdict[tuple[str, ...], set[Path]] = defaultdict(set)
        endings: defaultdict[tuple[str, ...], set[Path]] = defaultdict(set)
        holding: defaultdict[str, set[Path]] = defaultdict(set)
        for path in _paths(items):
            stems = tuple(map(stem, words_of(path[-1])))
            if len(path) <= SHELF_DEPTH:
                whole[stems].add(path)
            for name in (path[-1], *_PARTS.split(path[-1])):
                part = tuple(map(stem, words_of(name)))
                for start in range(len(part)):
                    endings[part[start:]].add(path)
            for word in stems[:-1] or stems:  # "dog food" is about dogs, and "hot dogs" are not
                holding[word].add(path)
        brands: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for brand in items["brand"].drop_nulls().unique().to_list():
            brands[tuple(map(stem, words_of(brand)))].add(brand)
        return cls(_frozen(whole), _frozen(endings), _frozen(holding), _frozen(brands))

    def mentions(self, words: Sequence[str]) -> list[Mention]:
        """What the words name, longest first, in order and without overlap."""
        stems = [stem(word) for word in words]
        found: list[Mention] = []
        start = 0
        while start < len(stems):
            hit = self._longest(stems, start)
            if hit is None:
                start += 1
                continue
            found.append(hit)
            start = hit.end
        return found

    def about(self, word: str) -> frozenset[Path]:
        """Categories whose names hold a word: "dog" of "Dog food"."""
        return self.holding.get(stem(word), frozenset())

    def knows(self, word: str) -> bool:
        """Whether a name of the catalogue holds a word."""
        key = (stem(word),)
        return key in self.endings or key in self.brands or key[0] in self.holding

    def _longest(self, stems: Sequence[str], start: int) -> Mention | None:
        for size in range(min(MAX_NAME, len(stems) - start), 0, -1):
            key, end = tuple(stems[start : start + size]), start + size
            if key in self.brands:
                return Mention(start, end, brands=self.brands[key])
            if key in self.whole:
                return Mention(start, end, self.whole[key])
            if key in self.endings:
                return Mention(start, end, self.endings[key], exact=False)
        return None


def under(path: Path, allowed: Iterable[Path]) -> bool:
    """Whether a category lies in one of some others."""
    return any(path[: len(one)] == one for one in allowed)


def _paths(items: pl.DataFrame) -> list[Path]:
    counts: defaultdict[Path, int] = defaultdict(int)
    for path in items["categories"].to_list():
        for depth in range(1, len(path or ()) + 1):
            counts[tuple(path[:depth])] += 1
    return [path for path, n in counts.items() if n >= MIN_ITEMS]


def _frozen(sets: Mapping[K, set[V]]) -> dict[K, frozenset[V]]:
    return {key: frozenset(values) for key, values in sets.items()}
