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
    """Milliseconds of each way to ask each query: ``[n asks, Q]``; every way is warmed up first."""
    for ask in asks:
        for query in queries[:20]:
            ask(query[None])
    taken = np.empty((len(asks), len(queries)))
    for at, query in enumerate(queries):
        for way, ask in enumerate(asks):
            started = time.perf_counter()
            ask(query[None])
            taken[way, at] = time.perf_counter() - started
    return 1000 * taken
