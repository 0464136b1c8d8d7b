"""Searching while vectors are added: does every search answer, and how much slower?"""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval_cases.vectors import Catalogue, more
from retrieval.index import FaissIndex
from retrieval.index.structures import threads


@dataclass(frozen=True, slots=True)
class WriteLoadFigures:
    """Latency of single queries before and while vectors come."""

    quiet_p50_ms: float
    quiet_p99_ms: float
    loaded_p50_ms: float
    loaded_p99_ms: float
    searches: int
    """Answered under load."""
    short: int
    """Of these, with fewer answers than asked for."""
    added_per_second: float
    """Durable, batch by batch."""

    @property
    def p99_ratio(self) -> float:
        """Under load over quiet."""
        return self.loaded_p99_ms / self.quiet_p99_ms


def measure_write_load(
    shop: Catalogue,
    folder: Path,
    work: Path,
    *,
    n_new: int = 10_000,
    batch: int = 100,
    seconds: float = 10.0,
) -> WriteLoadFigures:
    """Add to a live copy of a saved index while it is searched.

    Args:
        shop: What the index holds, and the questions.
        folder: Where the index was saved.
        work: Where the copy may lie; it must not exist.
        n_new: Vectors that are added, spread over the time.
        batch: So many at a time.
        seconds: How long, quiet and loaded each.
    """
    shutil.copytree(folder, work)
    begin, dim = shop.vectors.shape
    new = more(n_new, begin, seed=3, dim=dim)
    with FaissIndex.open(work, live=True) as index, threads(1):
        _search_for(min(seconds, 2.0), index, shop)
        quiet, _ = _search_for(seconds, index, shop)
        with ThreadPoolExecutor(1) as pool:
            adding = pool.submit(_add_all, index, begin, new, batch, 0.9 * seconds)
            loaded, short = _search_for(seconds, index, shop)
            spent = adding.result()
    before, under = np.percentile(quiet, [50, 99]), np.percentile(loaded, [50, 99])
    return WriteLoadFigures(
        quiet_p50_ms=float(before[0]),
        quiet_p99_ms=float(before[1]),
        loaded_p50_ms=float(under[0]),
        loaded_p99_ms=float(under[1]),
        searches=len(loaded),
        short=short,
        added_per_second=n_new / spent,
    )


def _search_for(
    seconds: float, index: FaissIndex, shop: Catalogue
) -> tuple[NDArray[np.float64], int]:
    taken, short, at = [], 0, 0
    until = time.perf_counter() + seconds
    while (started := time.perf_counter()) < until:
        found = index.search(shop.queries[at % len(shop.queries)][None], shop.k)
        taken.append(1000 * (time.perf_counter() - started))
        short += int(not found.valid.all())
        at += 1
    return np.array(taken), short


def _add_all(
    index: FaissIndex,
    begin: int,
    new: NDArray[np.float32],
    batch: int,
    seconds: float,
) -> float:
    """Add batch by batch over a time; returns the seconds that adding took of it."""
    spent = 0.0
    pause = seconds * batch / len(new)
    for start in range(0, len(new), batch):
        part = new[start : start + batch]
        began = time.perf_counter()
        index.add(np.arange(begin + start, begin + start + len(part)), part)
        taken = time.perf_counter() - began
        spent += taken
        time.sleep(max(0.0, pause - taken))
    return spent
