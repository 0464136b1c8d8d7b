"""Anything that ranks, and what its rankings are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.errors import DataError
from engine.evaluate import metrics
from engine.evaluate.protocol import EvaluationSet, Ranked, Requests
from engine.interactions import Ints


class Ranker(Protocol):
    """Answers requests with lists of item rows, best first."""

    @property
    def name(self) -> str:
        """What the table of figures calls it."""
        ...

    def rank(self, requests: Requests, k: int, *, new_only: bool) -> Ranked:
        """The best ``k`` candidates of each request; with ``new_only``, none that its user had."""
        ...


@dataclass(frozen=True, slots=True)
class Scores:
    """What each request's ranking was worth; arrays are ``[B]``, floats are float64."""

    method: str
    k: int
    new_only: bool
    user: Ints
    recall: metrics.PerRequest
    ndcg: metrics.PerRequest
    hit: metrics.PerRequest
    reciprocal_rank: metrics.PerRequest
    average_precision: metrics.PerRequest


def evaluate(ranker: Ranker, evaluation_set: EvaluationSet, k: int = 10) -> Scores:
    """Rank every request and measure the first ``k`` answers.

    Raises:
        DataError: The ranker broke the rules: a repeated answer, an item that is no candidate,
            or, when only new items may be recommended, one that the user already had.
    """
    requests = evaluation_set.requests
    ranked = ranker.rank(requests, k, new_only=evaluation_set.new_only)
    check_rules(ranker.name, ranked, evaluation_set)
    return measure(ranker.name, ranked, evaluation_set, k)


def measure(method: str, ranked: Ranked, evaluation_set: EvaluationSet, k: int = 10) -> Scores:
    """Measure the first ``k`` of rankings that are already made."""
    rows, valid, targets = ranked.rows[:, :k], ranked.valid[:, :k], evaluation_set.targets
    return Scores(
        method=method,
        k=k,
        new_only=evaluation_set.new_only,
        user=evaluation_set.requests.user,
        recall=metrics.recall_at_k(rows, valid, targets, k),
        ndcg=metrics.ndcg_at_k(rows, valid, targets, k),
        hit=metrics.hit_at_k(rows, valid, targets, k),
        reciprocal_rank=metrics.reciprocal_rank(rows, valid, targets),
        average_precision=metrics.average_precision(rows, valid, targets),
    )


def check_rules(method: str, ranked: Ranked, evaluation_set: EvaluationSet) -> None:
    """Refuse rankings that would make a comparison unfair.

    Raises:
        DataError: As :func:`evaluate` says.
    """
    n_items = evaluation_set.history.n_items
    request, _ = np.nonzero(ranked.valid)
    item = ranked.rows[ranked.valid]
    keys = request * n_items + item
    if len(np.unique(keys)) < len(keys):
        raise DataError(f"{method} repeats an item in one list: answers must be distinct")
    if not evaluation_set.candidates[item].all():
        raise DataError(f"{method} answers with items that are no candidates: mask them first")
    if evaluation_set.new_only:
        user = evaluation_set.requests.user[request]
        if evaluation_set.had_before(user, item).any():
            raise DataError(f"{method} answers with items that the user already had: mask them")
