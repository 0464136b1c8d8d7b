"""What an index says of itself: its size, its cost, and which way its searches went."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock


class SearchPath(StrEnum):
    """How a search was answered."""

    ALL = "all"
    """Without a filter."""
    SELECTOR = "selector"
    """The filter was pushed down into the index, which passed over what it leaves out."""
    EXACT_SUBSET = "exact subset"
    """The rows of the filter were few, and all of them were compared."""
    EVERY_LIST = "every list"
    """The lists that were visited held too few answers, so all of them were."""


@dataclass(frozen=True, slots=True)
class SearchCounts:
    """Queries answered since the index was opened, by the way they went."""

    all: int = 0
    selector: int = 0
    exact_subset: int = 0
    every_list: int = 0


@dataclass(frozen=True, slots=True)
class IndexStats:
    """An index at one moment."""

    kind: str
    """Such as ``flat``, ``ivf-flat``, ``ivf-sq8``, ``hnsw``, ``milvus``."""
    count: int
    """Rows that a search can answer."""
    dim: int
    """Width D of the vectors."""
    bytes_per_item: float
    """Memory that answering needs per row, with its id; files that are mapped to be read here
    and there (the vectors of re-scoring) are not counted. NaN where it cannot be known."""
    nprobe: int | None = None
    """Inverted lists visited per unfiltered search, or the breadth of an HNSW search; None
    where every vector is compared."""
    recall: float | None = None
    """Recall on the sample that chose ``nprobe``; None where answers are exact or unmeasured."""
    deleted: int = 0
    """Vectors that are still stored but never answered, until the next compaction."""
    log_records: int = 0
    """Changes that would be replayed if the index were opened now."""
    searches: SearchCounts = field(default_factory=SearchCounts)


class SearchTally:
    """Counts queries by path; safe between threads."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(SearchPath, 0)
        self._lone = 0  # apart, because a member of an enumeration is slow to look up
        self._lock = Lock()

    def add_lone(self) -> None:
        """Count one query that was answered without a filter."""
        with self._lock:
            self._lone += 1

    def add(self, path: SearchPath, queries: int) -> None:
        """Count queries that were answered one way."""
        with self._lock:
            self._counts[path] += queries

    def counts(self) -> SearchCounts:
        """What was counted so far."""
        with self._lock:
            now, lone = dict(self._counts), self._lone
        return SearchCounts(
            all=now[SearchPath.ALL] + lone,
            selector=now[SearchPath.SELECTOR],
            exact_subset=now[SearchPath.EXACT_SUBSET],
            every_list=now[SearchPath.EVERY_LIST],
        )
