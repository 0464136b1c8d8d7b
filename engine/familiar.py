"""What a user's past has in common with each item of a list: one walk along the history.

Alphabet: K items of the list, H events of the history, N neighbours of an item, I items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.interactions import Floats, Ints
from retrieval.kernels import kernel
from retrieval.neighbours import Neighbours
from retrieval.rerank.records import History


@dataclass(frozen=True, slots=True)
class Familiar:
    """How a user knows each item of a list. Shapes ``[K]``."""

    times: Ints
    """Events of the item."""
    first_unix_s: Ints
    last_unix_s: Ints
    """Of those events; without meaning where there are none."""
    group_times: Ints
    """Events of the item's group."""
    companion: NDArray[np.int32]
    """The item of the history that most users of this one took too; without meaning where ``share``
    is 0."""
    share: Floats
    """How far the users of the two overlap; 0 where the history holds no neighbour."""


def familiar(rows: Ints, history: History, groups: Ints, neighbours: Neighbours) -> Familiar:
    """Find what a history says of some items.

    Args:
        rows: Of the items, int64 ``[K]``.
        history: Oldest first.
        groups: int64 ``[I]``: finest group of every item.
        neighbours: Items that the same users take, and how many of them.

    Raises:
        IndexError: An event names no item.
    """
    near, weight = neighbours.rows[rows], neighbours.weight[rows]
    return Familiar(*_walk(rows, history.item, history.at_unix_s, groups, near, weight))


@kernel
def _walk(
    rows: Ints,
    item: Ints,
    at_unix_s: Ints,
    groups: Ints,
    near: NDArray[np.int32],
    weight: Floats,
) -> tuple[Ints, Ints, Ints, Ints, NDArray[np.int32], Floats]:
    """The arrays of :class:`Familiar`.

    Args:
        rows: int64 ``[K]``.
        item: int64 ``[H]``.
        at_unix_s: int64 ``[H]``, ascending.
        groups: int64 ``[I]``.
        near: Neighbours of the items of the list, int32 ``[K, N]``.
        weight: float32 ``[K, N]``; 0 is no neighbour.
    """
    n_items, n_events = len(rows), len(item)
    times, group_times = np.zeros_like(rows), np.zeros_like(rows)
    first, last = np.zeros_like(rows), np.zeros_like(rows)
    companion, share = np.zeros(n_items, np.int32), np.zeros(n_items, np.float32)
    taken, group = np.zeros(len(groups), np.bool_), np.empty_like(item)
    for h in range(n_events):
        if not 0 <= item[h] < len(groups):
            raise IndexError("an event of the history is of no known item; expected rows of items")
        taken[item[h]] = True
        group[h] = groups[item[h]]
    for k in range(n_items):
        row, own = rows[k], groups[rows[k]]
        of_item, of_group = 0, 0
        for h in range(n_events):  # without a branch, so that several are compared at once
            of_item += item[h] == row
            of_group += group[h] == own
        times[k], group_times[k] = of_item, of_group
        if of_item:
            h = 0
            while item[h] != row:
                h += 1
            first[k] = at_unix_s[h]
            h = n_events - 1
            while item[h] != row:
                h -= 1
            last[k] = at_unix_s[h]
        for n in range(near.shape[1]):
            if taken[near[k, n]] and weight[k, n] > share[k]:
                companion[k], share[k] = near[k, n], weight[k, n]
    return times, first, last, group_times, companion, share
