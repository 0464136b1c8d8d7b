"""Honest evaluation: the protocol, the measures, and the baselines to beat."""

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
