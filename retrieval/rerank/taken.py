"""Which items a user took: those of a history, numbered.

Alphabet: H history, K distinct items of it, C candidates, I items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.kernels import kernel
from retrieval.rerank.records import Ints


@dataclass(frozen=True, slots=True)
class Taken:
    """The items of a history, numbered in the order of their first time; and some candidates."""

    item: Ints
    """int64 ``[K]``, distinct."""
    times: Ints
    """int64 ``[K]``: events of each."""
    of_event: Ints
    """int64 ``[H]``: number of each event's item."""
    of_item: NDArray[np.int32]
    """int32 ``[I]``: number of every item, -1 for one that was never taken."""
    candidates: Ints
    """int64 ``[C]``."""
    of_candidate: Ints
    """int64 ``[C]``: number of each candidate, K (one past the end) for one never taken."""

    def __len__(self) -> int:
        return len(self.item)


def taken_of(item: Ints, candidates: Ints, n_items: int) -> Taken:
    """Number the items of a history, and find the candidates among them.

    Args:
        item: int64 ``[H]``, oldest first.
        candidates: int64 ``[C]``.
        n_items: Number I of items.

    Raises:
        IndexError: An event or a candidate names no item.
    """
    distinct, times, of_event, of_item, of_candidate = _number(item, candidates, n_items)
    return Taken(distinct, times, of_event, of_item, candidates, of_candidate)


@kernel
def _number(
    item: Ints, candidates: Ints, n_items: int
) -> tuple[Ints, Ints, Ints, NDArray[np.int32], Ints]:
    """The arrays of :class:`Taken`, without the candidates."""
    distinct, times, of_event = np.empty_like(item), np.zeros_like(item), np.empty_like(item)
    number = np.full(n_items, -1, np.int32)
    n = 0
    for i in range(len(item)):
        row = item[i]
        if row < 0 or row >= n_items:
            raise IndexError("an event of the history is of no known item; expected rows of items")
        if number[row] < 0:
            number[row] = n
            distinct[n] = row
            n += 1
        of_event[i] = number[row]
        times[number[row]] += 1
    of_candidate = np.empty_like(candidates)
    for c in range(len(candidates)):
        row = candidates[c]
        if row < 0 or row >= n_items:
            raise IndexError("a candidate is no known item; expected rows of items")
        of_candidate[c] = number[row] if number[row] >= 0 else n
    return distinct[:n].copy(), times[:n].copy(), of_event, number, of_candidate
