"""What the next need of a user says of each candidate (:mod:`retrieval.rerank.intervals`).

Alphabet: C candidates.
"""

from __future__ import annotations

import math

from retrieval.kernels import kernel
from retrieval.rerank.interval_kernels import Doubles
from retrieval.rerank.intervals import (
    IntervalTable,
    NextNeed,
    next_need,
    next_need_of,
)
from retrieval.rerank.records import Floats, History, Moment
from retrieval.rerank.taken import Taken

NEED_FEATURES = ("need_chance", "need_due", "need_wait", "need_interval", "need_confidence")
N_NEED = len(NEED_FEATURES)
LEAST_CHANCE = 1e-4
HORIZON_DAYS = 7.0


def write_needs(
    features: Floats,
    at: int,
    history: History,
    taken: Taken,
    moment: Moment,
    table: IntervalTable | None,
) -> int:
    """Write ``NEED_FEATURES`` of every candidate; NaN for what the user never took.

    Args:
        features: float32 ``[C, F]``.
        at: First column to write.
        history: The user's events before the moment.
        taken: The items of the history, and the candidates among them.
        moment: Of the request.
        table: What is usual; None is not known, and gives no columns.

    Returns:
        The column behind the last.
    """
    if table is None:
        return at
    need = need_of(history, taken, moment, table)
    told = (need.chance, need.due_in_days, need.wait_days, need.interval_days, need.confidence)
    _write(features, at, told)
    return at + N_NEED


@kernel
def _write(
    features: Floats, at: int, need: tuple[Doubles, Doubles, Doubles, Doubles, Doubles]
) -> None:
    """Write a forecast, float64 ``[C]`` each as unpacked here; NaN where there is none."""
    chance, due, wait, interval, confidence = need
    for c in range(len(features)):
        if math.isnan(chance[c]):
            features[c, at : at + N_NEED] = math.nan
            continue
        features[c, at] = math.log(chance[c] + LEAST_CHANCE)
        features[c, at + 1] = math.copysign(math.log1p(abs(due[c])), due[c])
        features[c, at + 2] = math.log1p(wait[c])
        features[c, at + 3] = math.log1p(interval[c])
        features[c, at + 4] = confidence[c]


def need_of(history: History, taken: Taken, moment: Moment, table: IntervalTable) -> NextNeed:
    """The next need of each candidate, ``[C]``.

    What is numbered already is used, unless an event lies outside what the forecast may read.
    """
    at, now_unix_s, horizon_days = history.at_unix_s, moment.at_unix_s, HORIZON_DAYS
    n_known = len(table.log_days)
    if len(taken) and (taken.item.max() >= n_known or at[-1] >= now_unix_s):
        # An item that came since has no interval yet.
        return next_need(
            table, history.item, at, taken.candidates, now_unix_s, horizon_days=horizon_days
        )
    return next_need_of(table, taken, at, now_unix_s, horizon_days=horizon_days)
