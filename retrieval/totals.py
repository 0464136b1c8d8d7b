"""What a history comes to, item by item: its events summed, and where its last visits begin.

Alphabet: H history, T distinct items of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.kernels import kernel

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]


def decayed(age_days: Doubles, half_life_days: float) -> Doubles:
    """What events of some ages still count, of any shape: a half at the half-life."""
    return np.exp2(age_days * (-1.0 / half_life_days))


def totals(item: Ints, weight: Doubles) -> tuple[Ints, Doubles]:
    """The distinct items of a history and the sum of each one's weights.

    Args:
        item: int64 ``[H]``, from 0 on.
        weight: float64 ``[H]``.

    Returns:
        int64 ``[T]``, ascending, and float64 ``[T]``, summed in the order of the events.
    """
    return _totals(np.sort(item), item, weight)


def distinct(rows: Ints) -> Ints:
    """The distinct ones of some rows in any order, int64 ``[T]``, ascending."""
    return _distinct(np.sort(rows))


@kernel
def last_visits_from(session: Ints, n: int) -> int:
    """Position in a history from which on lie its last ``n`` visits; sessions are int64 ``[H]``."""
    for at in range(len(session) - 1, 0, -1):
        if session[at] != session[at - 1]:
            n -= 1
            if n == 0:
                return at
    return 0


@kernel
def _distinct(ascending: Ints) -> Ints:
    """The distinct ones of int64 ``[H]``, ascending: ``[T]``."""
    found, n = np.empty_like(ascending), 0
    for row in ascending:
        if n == 0 or row != found[n - 1]:
            found[n] = row
            n += 1
    return found[:n]


@kernel
def _totals(ascending: Ints, item: Ints, weight: Doubles) -> tuple[Ints, Doubles]:
    """As :func:`totals`; the items come twice, sorted ``[H]`` and as they are ``[H]``."""
    found = _distinct(ascending)
    place = np.empty(found[-1] + 1 if len(found) else 0, np.int32)
    for at in range(len(found)):
        place[found[at]] = at
    total = np.zeros(len(found), np.float64)
    for at in range(len(item)):
        total[place[item[at]]] += weight[at]
    return found, total
