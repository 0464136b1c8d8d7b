"""Inverted indexes of texts: made, merged, written, and read through a memory map."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.index.base import Rows, replacing
from retrieval.tokens import tokens

Hashes = NDArray[np.uint64]
Places = NDArray[np.int32]
Counts = NDArray[np.uint16]
Bools = NDArray[np.bool_]

FORMAT = 1
META_FILE = "words.json"
_MOST_COUNT = np.iinfo(np.uint16).max
_ARRAYS = ("rows", "lengths", "terms", "starts", "places", "counts")


class WordFormatError(ValueError):
    """A folder does not hold a whole word index that this version reads."""


@dataclass(frozen=True, slots=True)
class Segment:
    """An inverted index that never changes. Shapes: N texts, T different tokens, P postings."""

    rows: Rows
    """Ascending, int64 ``[N]``."""
    lengths: Places
    """Tokens of each text, int32 ``[N]``."""
    terms: Hashes
    """Hashes of the tokens, ascending, uint64 ``[T]``: bisected where they lie, never loaded."""
    starts: Rows
    """Where the postings of each token begin, and the end of the last, int64 ``[T + 1]``."""
    places: Places
    """Positions in ``rows`` of the texts that hold a token, ascending by token, int32 ``[P]``."""
    counts: Counts
    """How often they hold it, uint16 ``[P]``."""

    def postings(self, term: np.uint64) -> tuple[Places, Counts]:
        """Texts that hold a token, as positions int32 ``[p]``, and how often, uint16 ``[p]``."""
        at = int(np.searchsorted(self.terms, term))
        if at == len(self.terms) or self.terms[at] != term:
            return self.places[:0], self.counts[:0]
        span = slice(int(self.starts[at]), int(self.starts[at + 1]))
        return self.places[span], self.counts[span]


def term_of(token: str) -> np.uint64:
    """The hash that stands for a token."""
    return np.uint64(int.from_bytes(blake2b(token.encode(), digest_size=8).digest(), "little"))


def index_texts(rows: Rows, texts: Sequence[str]) -> Segment:
    """Index texts ``[N]`` under distinct int64 rows ``[N]``."""
    order = np.argsort(rows)
    number: dict[str, int] = {}
    numbers: list[int] = []
    counts: list[int] = []
    distinct, lengths = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int32)
    for place, at in enumerate(order.tolist()):
        found = Counter(tokens(texts[at]))
        distinct[place], lengths[place] = len(found), found.total()
        numbers.extend(number.setdefault(token, len(number)) for token in found)
        counts.extend(found.values())
    terms = np.array([term_of(token) for token in number], np.uint64)
    return _segment(
        rows[order],
        lengths,
        terms[np.array(numbers, np.int64)],
        np.repeat(np.arange(len(rows), dtype=np.int32), distinct),
        np.minimum(np.array(counts, np.int64), _MOST_COUNT).astype(np.uint16),
    )


def merge_segments(segments: Sequence[Segment], alive: Sequence[Bools]) -> Segment:
    """One segment of the texts that are alive, bool ``[N]`` for each of one or more segments."""
    rows = np.concatenate([s.rows[here] for s, here in zip(segments, alive, strict=True)])
    order = np.argsort(rows)
    rank = np.empty(len(rows), np.int32)
    rank[order] = np.arange(len(rows), dtype=np.int32)
    terms, places, counts, before = [], [], [], 0
    for segment, here in zip(segments, alive, strict=True):
        kept = here[segment.places]
        place = before + np.cumsum(here) - 1
        terms.append(np.repeat(segment.terms, np.diff(segment.starts))[kept])
        places.append(rank[place[segment.places[kept]]])
        counts.append(segment.counts[kept])
        before += int(here.sum())
    lengths = np.concatenate([s.lengths[here] for s, here in zip(segments, alive, strict=True)])
    return _segment(
        rows[order],
        lengths[order],
        np.concatenate(terms),
        np.concatenate(places),
        np.concatenate(counts),
    )


def write_segment(segment: Segment, folder: Path) -> None:
    """Write a segment into a folder.

    The arrays get names of their own and the description comes last: a crash leaves the older index
    whole, and who has that one open goes on reading it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = [np.ascontiguousarray(getattr(segment, part)) for part in _ARRAYS]
    digest = blake2b(digest_size=8)
    for array in arrays:
        digest.update(array.tobytes())
    name = digest.hexdigest()
    for part, array in zip(_ARRAYS, arrays, strict=True):
        with replacing(folder / _file(name, part)) as path, path.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    meta = {"format": FORMAT, "arrays": name, "count": len(segment.rows)}
    with replacing(folder / META_FILE) as path:
        path.write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    for older in set(folder.glob(_file("*", "*"))) - {folder / _file(name, p) for p in _ARRAYS}:
        older.unlink()


def read_segment(folder: Path) -> Segment:
    """Read what :func:`write_segment` wrote, through a memory map.

    Raises:
        WordFormatError: The folder does not hold a whole segment of this format.
    """
    try:
        meta = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise ValueError(f"got format {meta['format']}, expected {FORMAT}")
        files = [folder / _file(meta["arrays"], part) for part in _ARRAYS]
        segment = Segment(*(np.load(file, "r", allow_pickle=False) for file in files))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WordFormatError(
            f"{folder}: got no readable word index ({error}), expected what WordIndex.save "
            "writes; build it again"
        ) from error
    n, t, p = meta["count"], len(segment.terms), len(segment.places)
    got = [len(getattr(segment, part)) for part in _ARRAYS]
    if got != [n, n, t, t + 1, p, p] or segment.starts[-1] != p:
        raise WordFormatError(
            f"{folder}: got arrays of lengths {got} that contradict each other; build it again"
        )
    return segment


def _segment(rows: Rows, lengths: Places, terms: Hashes, places: Places, counts: Counts) -> Segment:
    """A segment from postings ``[P]`` in any order."""
    order = np.lexsort((places, terms))
    distinct, first = np.unique(terms[order], return_index=True)
    starts = np.append(first, len(terms)).astype(np.int64)
    return Segment(rows, lengths, distinct, starts, places[order], counts[order])


def _file(name: str, part: str) -> str:
    return f"words-{name}-{part}.npy"
