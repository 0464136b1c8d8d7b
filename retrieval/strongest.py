"""The best few of many scored rows, best first; equal scores by ascending row.

The best so far stand in a heap, the worst of them on top: most rows cost one comparison, with a
number, as a call costs many.

Alphabet: I items, A items of a shelf, N rows, K answers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.kernels import kernel

Ints = NDArray[np.int64]
Rows = NDArray[np.int32]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Best = tuple[Ints, Floats]
"""Rows and scores, int64 and float32 ``[K]``, best first."""


@kernel
def strongest(rows: Ints, scores: Floats, n: int) -> Best:
    """The ``n`` best of some distinct rows ``[N]`` with a score each."""
    kept_rows, kept = _room(n, len(rows))
    size, least = 0, np.float32(-np.inf)
    for i in range(len(rows)):
        if scores[i] >= least:
            size, least = _keep(kept_rows, kept, size, least, rows[i], scores[i])
    return _best_first(kept_rows, kept, size)


@kernel
def strongest_open(rows: Ints, scores: Floats, is_open: Bools, n: int) -> Best:
    """The same of the rows that a mask ``[I]`` leaves."""
    kept_rows, kept = _room(n, len(rows))
    size, least = 0, np.float32(-np.inf)
    for i in range(len(rows)):
        if scores[i] >= least and is_open[rows[i]]:
            size, least = _keep(kept_rows, kept, size, least, rows[i], scores[i])
    return _best_first(kept_rows, kept, size)


@kernel
def first_open(rows: Ints, scores: Floats, is_open: Bools, n: int) -> Best:
    """The first ``n`` of rows ``[N]`` in the order of their scores that a mask ``[I]`` leaves."""
    kept_rows, kept = _room(n, len(rows))
    size = 0
    for i in range(len(rows)):
        if size == len(kept_rows):
            break
        if is_open[rows[i]]:
            kept_rows[size], kept[size] = rows[i], scores[i]
            size += 1
    return kept_rows[:size], kept[:size]


@kernel
def strongest_above_zero(rows: Rows, scores: Floats, is_open: Bools, n: int) -> Best:
    """The ``n`` best of a shelf that a mask leaves and that score above 0.

    Args:
        rows: int32 ``[A]``, distinct; the likeliest first, to be fast.
        scores: float32 ``[I]``.
        is_open: bool ``[I]``.
        n: Answers.
    """
    kept_rows, kept = _room(n, len(rows))
    size, least = 0, np.float32(0)
    for row in rows:
        score = scores[row]
        if score >= least and score > 0 and is_open[row]:
            size, least = _keep(kept_rows, kept, size, least, row, score)
    return _best_first(kept_rows, kept, size)


@kernel
def strongest_of_kinds(
    shelf: tuple[Rows, Floats, Rows],
    habit: Floats,
    is_open: Bools,
    on_offer: NDArray[np.uint8],
    quotas: tuple[int, int],
) -> tuple[Best, Best]:
    """The best of a shelf by what each item sold times what its group counts, and those on offer.

    Args:
        shelf: Its items, int32 ``[A]``, distinct; what each sold, float32 ``[A]``, descending,
            none below 0; the group of each, int32 ``[A]``.
        habit: What a group counts, float32 ``[groups]``; at least one.
        is_open: Which items may be answered, bool ``[I]``; of these, those that score above 0 are.
        on_offer: uint8 ``[I]``, not 0 where an item is.
        quotas: Answers, and answers that are on offer.
    """
    rows, sold, group = shelf
    best_rows, best = _room(quotas[0], len(rows))
    offer_rows, offer = _room(quotas[1], len(rows))
    n_best, n_offer = 0, 0
    # Where nothing is asked for, nothing is good enough: the walk need not go on for its sake.
    least = np.float32(0 if len(best) else np.inf)
    least_offer = np.float32(0 if len(offer) else np.inf)
    highest = habit.max()
    for i in range(len(rows)):
        if sold[i] * highest < min(least, least_offer):
            break  # nor will any that sold less be among them
        row, score = rows[i], sold[i] * habit[group[i]]
        if score < min(least, least_offer) or not score > 0 or not is_open[row]:
            continue
        if score >= least:
            n_best, least = _keep(best_rows, best, n_best, least, row, score)
        if score >= least_offer and on_offer[row]:
            n_offer, least_offer = _keep(offer_rows, offer, n_offer, least_offer, row, score)
    return _best_first(best_rows, best, n_best), _best_first(offer_rows, offer, n_offer)


@kernel
def _room(n: int, most: int) -> Best:
    """Room for ``n`` answers, or for all that there are."""
    size = min(n, most)
    return np.empty(size, np.int64), np.empty(size, np.float32)


@kernel
def _keep(
    rows: Ints, scores: Floats, size: int, least: np.float32, row: int, score: np.float32
) -> tuple[int, np.float32]:
    """Keep a row if it is among the best so far, of which ``size`` stand in ``[K]``.

    Returns:
        How many are kept, and what the next has to reach: once there is no room, the worst score.
    """
    if size < len(rows):
        rows[size], scores[size] = row, score
        size += 1
        if size < len(rows):
            return size, least
        _make_heap(rows, scores, size)
    elif size and _is_worse(rows[0], scores[0], row, score):
        rows[0], scores[0] = row, score
        _sink(rows, scores, 0, size)
    return size, (scores[0] if size else np.float32(np.inf))


@kernel
def _best_first(rows: Ints, scores: Floats, size: int) -> Best:
    """Sort what is kept, worst to the end (heapsort)."""
    _make_heap(rows, scores, size)
    for last in range(size - 1, 0, -1):
        rows[0], rows[last] = rows[last], rows[0]
        scores[0], scores[last] = scores[last], scores[0]
        _sink(rows, scores, 0, last)
    return rows[:size], scores[:size]


@kernel
def _make_heap(rows: Ints, scores: Floats, size: int) -> None:
    """Order the first ``size`` as a heap, the worst on top."""
    for at in range(size // 2 - 1, -1, -1):
        _sink(rows, scores, at, size)


@kernel
def _sink(rows: Ints, scores: Floats, at: int, size: int) -> None:
    """Let what stands at a place sink until the two below it are no worse."""
    row, score = rows[at], scores[at]
    below = 2 * at + 1
    while below < size:
        if below + 1 < size and _is_worse(
            rows[below + 1], scores[below + 1], rows[below], scores[below]
        ):
            below += 1
        if not _is_worse(rows[below], scores[below], row, score):
            break
        rows[at], scores[at] = rows[below], scores[below]
        at, below = below, 2 * below + 1
    rows[at], scores[at] = row, score


@kernel
def _is_worse(row: int, score: np.float32, other_row: int, other_score: np.float32) -> bool:
    """Whether a row comes behind another: a lower score, or the same and a higher row."""
    return bool(score < other_score or (score == other_score and row > other_row))
