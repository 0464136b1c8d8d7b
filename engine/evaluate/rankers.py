"""Anything that ranks, and what its rankings are worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from engine.errors import DataError
from engine.evaluate import metrics
from engine.evaluate.leakage import check_leakage
from engine.evaluate.protocol import EvaluationSet, Ranked, Requests
from engine.interactions import Ints

BATCH = 1024
"""Requests that a ranker is given at a time, so that memory does not grow with all of them."""


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
    leaks: tuple[str, ...] = ()
    """What a method could know that it must not, a line each; empty where nothing leaked."""


def evaluate(ranker: Ranker, evaluation_set: EvaluationSet, k: int = 10) -> Scores:
    """Rank every request, measure the first ``k`` answers, and say what leaked.

    Raises:
        DataError: The ranker broke the rules: a repeated answer, an item that is no candidate,
            or, when only new items may be recommended, one that the user already had.
    """
    ranked = lists_of(ranker, evaluation_set, k)
    scores = measure(ranker.name, ranked, evaluation_set, k)
    return replace(scores, leaks=check_leakage(evaluation_set).leaks)


def lists_of(
    ranker: Ranker, evaluation_set: EvaluationSet, k: int = 10, batch: int = BATCH
) -> Ranked:
    """The lists of every request, asked for in batches and checked against the rules.

    Where only new items may be recommended, what a request tells of is taken out of its list: a
    ranker that learned before the cut cannot know of it.

    Raises:
        DataError: As :func:`evaluate` says.
    """
    requests, told = evaluation_set.requests, _told(evaluation_set)
    more = int(np.bincount(told[0], minlength=1).max(initial=0))
    rows = np.zeros((len(requests), k), np.int64)
    valid = np.zeros((len(requests), k), np.bool_)
    for start in range(0, len(requests), batch):
        part = slice(start, start + batch)
        found = ranker.rank(requests[part], k + more, new_only=evaluation_set.new_only)
        found = _without(found, told, start, evaluation_set.history.n_items)
        width = min(k, found.rows.shape[1])
        rows[part, :width], valid[part, :width] = found.rows[:, :width], found.valid[:, :width]
    ranked = Ranked(rows, valid)
    check_rules(ranker.name, ranked, evaluation_set)
    return ranked


def _told(evaluation_set: EvaluationSet) -> tuple[Ints, Ints]:
    """Request and item of what must leave lists of new items; nothing for lists of all."""
    if evaluation_set.new_only:
        return evaluation_set.told_items()
    return np.empty(0, np.int64), np.empty(0, np.int64)


def _without(ranked: Ranked, told: tuple[Ints, Ints], start: int, n_items: int) -> Ranked:
    """Lists of the requests from row ``start`` on, without what they are told of."""
    if len(told[0]) == 0:
        return ranked
    request = np.arange(start, start + len(ranked.rows), dtype=np.int64)[:, None]
    kept = ranked.valid & ~np.isin(request * n_items + ranked.rows, told[0] * n_items + told[1])
    order = np.argsort(~kept, axis=1, kind="stable")
    return Ranked(
        np.take_along_axis(ranked.rows, order, axis=1),
        np.take_along_axis(kept, order, axis=1),
    )


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
    if evaluation_set.new_only and evaluation_set.had_by(request, item).any():
        raise DataError(f"{method} answers with items that the user already had: mask them")
