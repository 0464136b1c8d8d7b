"""Honest evaluation: the protocol, the measures, and the baselines to beat.

Names are loaded when they are first used: who needs an interval needs no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import engine.lazy as _lazy

if TYPE_CHECKING:
    from engine.evaluate.beyond import BeyondAccuracy, beyond_accuracy
    from engine.evaluate.bootstrap import (
        Interval,
        Resampling,
        difference_interval,
        mean_interval,
        mean_intervals,
        ratio_interval,
    )
    from engine.evaluate.compare import RunComparison, compare_runs
    from engine.evaluate.html_report import html_report
    from engine.evaluate.items import ItemFacts
    from engine.evaluate.judge import Judged, judge
    from engine.evaluate.leakage import Check, LeakageReport, Learned, check_leakage
    from engine.evaluate.metrics import (
        average_precision,
        hit_at_k,
        ndcg_at_k,
        recall_at_k,
        reciprocal_rank,
    )
    from engine.evaluate.protocol import EvaluationSet, Ranked, Requests, first_baskets
    from engine.evaluate.protocols import (
        item_cold_start,
        leave_last_out,
        next_baskets,
        user_cold_start,
    )
    from engine.evaluate.rankers import Ranker, Scores, evaluate, lists_of
    from engine.evaluate.report import Figures, Row, Table, baseline_rows
    from engine.evaluate.run import Comparison, evaluate_run
    from engine.evaluate.significance import PairedTest, paired_test
    from engine.evaluate.slices import Slice, Surroundings, slices_of
    from engine.evaluate.tune import Outcome, Outcomes, Tuning, evaluate_baselines

__all__ = [
    "BeyondAccuracy",
    "Check",
    "Comparison",
    "EvaluationSet",
    "Figures",
    "Interval",
    "ItemFacts",
    "Judged",
    "LeakageReport",
    "Learned",
    "Outcome",
    "Outcomes",
    "PairedTest",
    "Ranked",
    "Ranker",
    "Requests",
    "Resampling",
    "Row",
    "RunComparison",
    "Scores",
    "Slice",
    "Surroundings",
    "Table",
    "Tuning",
    "average_precision",
    "baseline_rows",
    "beyond_accuracy",
    "check_leakage",
    "compare_runs",
    "difference_interval",
    "evaluate",
    "evaluate_baselines",
    "evaluate_run",
    "first_baskets",
    "hit_at_k",
    "html_report",
    "item_cold_start",
    "judge",
    "leave_last_out",
    "lists_of",
    "mean_interval",
    "mean_intervals",
    "ndcg_at_k",
    "next_baskets",
    "paired_test",
    "ratio_interval",
    "recall_at_k",
    "reciprocal_rank",
    "slices_of",
    "user_cold_start",
]

_HOMES = {
    "BeyondAccuracy": "engine.evaluate.beyond",
    "Check": "engine.evaluate.leakage",
    "Comparison": "engine.evaluate.run",
    "EvaluationSet": "engine.evaluate.protocol",
    "Figures": "engine.evaluate.report",
    "Interval": "engine.evaluate.bootstrap",
    "ItemFacts": "engine.evaluate.items",
    "Judged": "engine.evaluate.judge",
    "LeakageReport": "engine.evaluate.leakage",
    "Learned": "engine.evaluate.leakage",
    "Outcome": "engine.evaluate.tune",
    "Outcomes": "engine.evaluate.tune",
    "PairedTest": "engine.evaluate.significance",
    "Ranked": "engine.evaluate.protocol",
    "Ranker": "engine.evaluate.rankers",
    "Requests": "engine.evaluate.protocol",
    "Resampling": "engine.evaluate.bootstrap",
    "Row": "engine.evaluate.report",
    "RunComparison": "engine.evaluate.compare",
    "Scores": "engine.evaluate.rankers",
    "Slice": "engine.evaluate.slices",
    "Surroundings": "engine.evaluate.slices",
    "Table": "engine.evaluate.report",
    "Tuning": "engine.evaluate.tune",
    "average_precision": "engine.evaluate.metrics",
    "baseline_rows": "engine.evaluate.report",
    "beyond_accuracy": "engine.evaluate.beyond",
    "check_leakage": "engine.evaluate.leakage",
    "compare_runs": "engine.evaluate.compare",
    "difference_interval": "engine.evaluate.bootstrap",
    "evaluate": "engine.evaluate.rankers",
    "evaluate_baselines": "engine.evaluate.tune",
    "evaluate_run": "engine.evaluate.run",
    "first_baskets": "engine.evaluate.protocol",
    "hit_at_k": "engine.evaluate.metrics",
    "html_report": "engine.evaluate.html_report",
    "item_cold_start": "engine.evaluate.protocols",
    "judge": "engine.evaluate.judge",
    "leave_last_out": "engine.evaluate.protocols",
    "lists_of": "engine.evaluate.rankers",
    "mean_interval": "engine.evaluate.bootstrap",
    "mean_intervals": "engine.evaluate.bootstrap",
    "ndcg_at_k": "engine.evaluate.metrics",
    "next_baskets": "engine.evaluate.protocols",
    "paired_test": "engine.evaluate.significance",
    "ratio_interval": "engine.evaluate.bootstrap",
    "recall_at_k": "engine.evaluate.metrics",
    "reciprocal_rank": "engine.evaluate.metrics",
    "slices_of": "engine.evaluate.slices",
    "user_cold_start": "engine.evaluate.protocols",
}

__getattr__ = _lazy.names_from(__name__, _HOMES)
