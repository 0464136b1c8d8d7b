"""Honest evaluation: the protocol, the measures, and the baselines to beat.

Names are loaded when they are first used: who needs an interval needs no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import engine.lazy as _lazy

if TYPE_CHECKING:
    from engine.evaluate.bootstrap import (
        Interval,
        Resampling,
        difference_interval,
        mean_interval,
        ratio_interval,
    )
    from engine.evaluate.metrics import (
        average_precision,
        hit_at_k,
        ndcg_at_k,
        recall_at_k,
        reciprocal_rank,
    )
    from engine.evaluate.protocol import EvaluationSet, Ranked, Requests, first_baskets
    from engine.evaluate.rankers import Ranker, Scores, evaluate
    from engine.evaluate.report import Figures, Row, Table, baseline_rows
    from engine.evaluate.tune import Outcome, Outcomes, Tuning, evaluate_baselines

__all__ = [
    "EvaluationSet",
    "Figures",
    "Interval",
    "Outcome",
    "Outcomes",
    "Ranked",
    "Ranker",
    "Requests",
    "Resampling",
    "Row",
    "Scores",
    "Table",
    "Tuning",
    "average_precision",
    "baseline_rows",
    "difference_interval",
    "evaluate",
    "evaluate_baselines",
    "first_baskets",
    "hit_at_k",
    "mean_interval",
    "ndcg_at_k",
    "ratio_interval",
    "recall_at_k",
    "reciprocal_rank",
]

_HOMES = {
    "EvaluationSet": "engine.evaluate.protocol",
    "Figures": "engine.evaluate.report",
    "Interval": "engine.evaluate.bootstrap",
    "Outcome": "engine.evaluate.tune",
    "Outcomes": "engine.evaluate.tune",
    "Ranked": "engine.evaluate.protocol",
    "Ranker": "engine.evaluate.rankers",
    "Requests": "engine.evaluate.protocol",
    "Resampling": "engine.evaluate.bootstrap",
    "Row": "engine.evaluate.report",
    "Scores": "engine.evaluate.rankers",
    "Table": "engine.evaluate.report",
    "Tuning": "engine.evaluate.tune",
    "average_precision": "engine.evaluate.metrics",
    "baseline_rows": "engine.evaluate.report",
    "difference_interval": "engine.evaluate.bootstrap",
    "evaluate": "engine.evaluate.rankers",
    "evaluate_baselines": "engine.evaluate.tune",
    "first_baskets": "engine.evaluate.protocol",
    "hit_at_k": "engine.evaluate.metrics",
    "mean_interval": "engine.evaluate.bootstrap",
    "ndcg_at_k": "engine.evaluate.metrics",
    "ratio_interval": "engine.evaluate.bootstrap",
    "recall_at_k": "engine.evaluate.metrics",
    "reciprocal_rank": "engine.evaluate.metrics",
}

__getattr__ = _lazy.names_from(__name__, _HOMES)
