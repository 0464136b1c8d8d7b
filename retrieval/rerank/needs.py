"""What the next need of a user says of each candidate (:mod:`retrieval.rerank.intervals`).

Alphabet: C candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.rerank.habits import Column
from retrieval.rerank.intervals import IntervalTable, forecast, next_need, pairs_of
from retrieval.rerank.records import History, Ints, Moment

NEED_FEATURES = ("need_chance", "need_due", "need_wait", "need_interval", "need_confidence")
LEAST_CHANCE = 1e-4
HORIZON_DAYS = 7.0


def need_columns(
    history: History, moment: Moment, candidates: Ints, table: IntervalTable | None
) -> list[Column]:
    """``NEED_FEATURES`` of every candidate; NaN for what the user never took.

    Args:
        history: The user's events before the moment.
        moment: Of the request.
        candidates: int64 ``[C]``.
        table: What is usual; None is not known, and gives no columns.
    """
    if table is None:
        return []
    known = history.item < len(table.log_days)  # an item that came since has no interval yet
    need = next_need(
        table,
        history.item[known],
        history.at_unix_s[known],
        candidates,
        moment.at_unix_s,
        horizon_days=HORIZON_DAYS,
    )
    return [
        np.log(need.chance + LEAST_CHANCE),
        np.sign(need.due_in_days) * np.log1p(np.abs(need.due_in_days)),
        np.log1p(need.wait_days),
        np.log1p(need.interval_days),
        need.confidence,
    ]


@dataclass(frozen=True, slots=True)
class Due:
    """When a user will take again what they took before."""

    item: Ints
    """int64 ``[N]``, ascending and distinct."""
    days: NDArray[np.float64]
    """``[N]``: from now on, negative where overdue; NaN for what nobody ever took twice."""

    def of(self, item: int) -> float | None:
        """Days until an item is due; None where nothing can be said."""
        at = int(np.searchsorted(self.item, item))
        if at == len(self.item) or self.item[at] != item or np.isnan(self.days[at]):
            return None
        return float(self.days[at])


def due_of(history: History, moment: Moment, table: IntervalTable) -> Due:
    """When everything of a history is due, seen from a moment: once for a whole answer."""
    known = history.item < len(table.log_days)
    nobody = np.zeros(int(known.sum()), dtype=np.int64)
    pairs = pairs_of(nobody, history.item[known], history.at_unix_s[known])
    return Due(pairs.item, forecast(table, pairs, moment.at_unix_s).due_in_days)
