"""Items by their words: BM25 over an inverted index that can be changed while it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from retrieval.index.base import Allowed, Rows, as_allowed, checked_k, checked_rows, present
from retrieval.postings import (
    Bools,
    Segment,
    index_texts,
    merge_segments,
    read_segment,
    term_of,
    write_segment,
)
from retrieval.tokens import tokens

Floats = NDArray[np.float32]

K1 = 1.2
"""How soon repeating a word stops counting."""
B = 0.75
"""How much a long text is held against it."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment without the texts that were taken out of it since it was made."""

    segment: Segment
    alive: Bools
    """bool ``[N]``."""
    count: int
    length: int
    """Tokens of all texts alive."""


_Parts = tuple[_Part, ...]


class WordIndex:
    """Texts by row, asked by words; higher scores are better.

    The score is BM25 (Robertson and Zaragoza, 2009) as a share of what the words of the query
    weigh together: near 1 for a text of mean length that holds all of them once, whatever the
    query, so that it can be added to a cosine. The weights are those of the texts held now:
    after any changes the answers are what building anew would give. A change goes to a small
    segment beside the large ones; neighbours of like size are merged, so that there are
    never more than a few. Searches may run beside each other and beside a change.
    """

    def __init__(self) -> None:
        self._parts: _Parts = ()  # replaced whole, so that a search needs no lock
        self._writing = Lock()

    @classmethod
    def build(cls, texts: Sequence[str], rows: Rows) -> WordIndex:
        """Index texts ``[N]`` under int64 rows ``[N]``, distinct.

        Raises:
            ValueError: There are not equally many, or a row comes twice.
        """
        index = cls()
        index.add(rows, texts)
        return index

    @classmethod
    def open(cls, folder: Path) -> WordIndex:
        """Open what :meth:`save` wrote, through a memory map.

        Raises:
            WordFormatError: The folder does not hold a whole index of this format.
        """
        index = cls()
        index._parts = (_whole(read_segment(folder)),)
        return index

    def __len__(self) -> int:
        return sum(part.count for part in self._parts)

    def add(self, rows: Rows, texts: Sequence[str]) -> None:
        """Put texts ``[n]`` in; a row that is there already gets the new text.

        Raises:
            ValueError: There are not equally many, or a row comes twice.
        """
        rows = checked_rows(rows)
        if len(rows) != len(texts):
            raise ValueError(
                f"add: got {len(rows)} rows and {len(texts)} texts, expected equally many"
            )
        if len(np.unique(rows)) != len(rows):
            raise ValueError("add: got a row twice in one call, expected each row once")
        new = _whole(index_texts(rows, texts))
        with self._writing:
            self._parts = _settled((*_without(self._parts, rows), new))

    def remove(self, rows: Rows) -> int:
        """Take rows out (int64 ``[n]``); rows that are not there are passed over.

        Returns:
            How many were taken out.
        """
        rows = np.unique(checked_rows(rows))
        with self._writing:
            before = len(self)
            self._parts = _settled(_without(self._parts, rows))
            return before - len(self)

    def search(
        self, query: str, k: int, *, allowed: Rows | Allowed | None = None
    ) -> tuple[Rows, Floats]:
        """Find the texts that share the most telling words with a query.

        Args:
            query: As typed.
            k: Most answers, the K of the result.
            allowed: Only these rows may be answered: int64 ``[A]``, ascending, distinct; or a
                filter to be used again.

        Returns:
            Rows int64 and scores float32, both ``[K]`` or fewer: only texts that share a word;
            best first, equal scores by ascending row.

        Raises:
            ValueError: ``k`` or ``allowed`` is not as above.
        """
        k = checked_k(k)
        chosen = None if allowed is None else as_allowed(allowed)
        parts, rows, found = self._parts, [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for part, scores in zip(parts, _scores(parts, query), strict=True):
            at = np.flatnonzero((scores > 0) & part.alive)
            if chosen is not None:
                at = at[chosen.has(part.segment.rows[at])]
            rows.append(part.segment.rows[at])
            found.append(scores[at])
        return _best(np.concatenate(rows), np.concatenate(found), k)

    def save(self, folder: Path) -> None:
        """Write the index into a folder; one that is open there goes on with the old files."""
        parts = self._parts or (_whole(index_texts(np.zeros(0, np.int64), ())),)
        write_segment(_merged(parts).segment, folder)


def _whole(segment: Segment) -> _Part:
    n = len(segment.rows)
    return _Part(segment, np.ones(n, np.bool_), n, int(segment.lengths.sum()))


def _without(parts: _Parts, rows: Rows) -> _Parts:
    """The parts with distinct rows ``[n]`` taken out."""
    return tuple(_part_without(part, rows) for part in parts)


def _part_without(part: _Part, rows: Rows) -> _Part:
    held = part.segment.rows
    at = np.searchsorted(held, rows[present(held, rows)])
    at = at[part.alive[at]]
    if not at.size:
        return part
    alive = part.alive.copy()
    alive[at] = False
    length = part.length - int(part.segment.lengths[at].sum())
    return _Part(part.segment, alive, part.count - len(at), length)


def _settled(parts: _Parts) -> _Parts:
    """Parts of which each is at least twice as large as the next, mostly alive."""
    settled: list[_Part] = []
    for part in parts:
        while settled and settled[-1].count < 2 * part.count:
            part = _merged((settled.pop(), part))
        if part.count:
            settled.append(_merged((part,)) if 2 * part.count < len(part.alive) else part)
    return tuple(settled)


def _merged(parts: _Parts) -> _Part:
    if len(parts) == 1 and parts[0].count == len(parts[0].alive):
        return parts[0]
    return _whole(merge_segments([part.segment for part in parts], [part.alive for part in parts]))


def _scores(parts: _Parts, query: str) -> list[Floats]:
    """The score of every text of every part, float32 ``[N]`` each; 0 where no word is shared."""
    count = sum(part.count for part in parts)
    mean_length = np.float32(sum(part.length for part in parts) / max(count, 1) or 1.0)
    scores, total = [np.zeros(len(part.alive), np.float32) for part in parts], 0.0
    for token in dict.fromkeys(tokens(query)):
        found = [part.segment.postings(term_of(token)) for part in parts]
        holding = sum(
            int(np.count_nonzero(part.alive[places]))
            for part, (places, _) in zip(parts, found, strict=True)
        )
        weight = np.float32(np.log1p((count - holding + 0.5) / (holding + 0.5)))
        total += float(weight)
        for part, (places, counts), points in zip(parts, found, scores, strict=True):
            length = part.segment.lengths[places] / mean_length
            damped = counts + np.float32(K1) * (1 - B + B * length)
            points[places] += weight * (K1 + 1) * counts / damped
    return [points / np.float32(total or 1.0) for points in scores]


def _best(rows: Rows, scores: Floats, k: int) -> tuple[Rows, Floats]:
    if k < len(rows):
        near = scores >= np.partition(scores, -k)[-k]  # ties at the cut are settled below
        rows, scores = rows[near], scores[near]
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]
