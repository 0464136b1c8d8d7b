"""Latency of single queries, taken in turns so that a busy machine slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ask: TypeAlias = Callable[[NDArray[np.float32]], object]
"""Answers one query ``[1, D]``."""


def latencies(asks: Sequence[Ask], queries: NDArray[np.float32]) -> NDArray[np.float64]:
    """Milliseconds of each way to ask each query: ``[n asks, Q]``; every way is warmed up first.

    In one turn every way asks another query, and in another order: were it the same query, the
    first would read the lists from memory and the others find them in the processor's cache.
    """
    for ask in asks:
        for query in queries[:20]:
            ask(query[None])
    taken, ways = np.empty((len(asks), len(queries))), np.arange(len(asks))
    apart, rng = -(-len(queries) // len(asks)), np.random.default_rng(0)
    for turn in range(len(queries)):
        for way in rng.permutation(ways):
            at = (turn + way * apart) % len(queries)
            query = queries[at][None]
            started = time.perf_counter()
            asks[way](query)
            taken[way, at] = time.perf_counter() - started
    return 1000 * taken
