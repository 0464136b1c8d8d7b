"""Rows of the tables of the paper cases."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.graph_cases.ranking import Ranking
from engine.evaluate.bootstrap import Interval, mean_interval


@dataclass(frozen=True, slots=True)
class Row:
    """One method in one protocol: mean Recall@20 with its 95% interval, and NDCG@20."""

    protocol: str
    method: str
    recall: Interval
    ndcg: float
    users: int


def row(protocol: str, ranking: Ranking) -> Row:
    """The row of a ranking; the interval is a bootstrap over users."""
    ndcg = float(ranking.ndcg.mean())
    interval = mean_interval(ranking.recall)
    return Row(protocol, ranking.method, interval, ndcg, len(ranking.recall))
