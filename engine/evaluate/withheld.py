"""What the parts of serving are worth: the same requests, asked again without one.

Nothing is trained anew, so that a part counts for what the run makes of it; what training would
make of its absence is measured by ``benchmarks/rerank_cases/ablations.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.evaluate.bootstrap import Interval, PerRequest, difference_interval, mean_interval
from engine.evaluate.engine_ranker import EngineRanker, Request
from engine.evaluate.protocol import EvaluationSet, Ranked, Requests
from engine.evaluate.rankers import Ranker, Scores, evaluate
from engine.recommend import Engine
from engine.stages import Reporter
from retrieval.candidates import MAX_CHANNELS, Candidates
from retrieval.rerank.records import DAY_S, Moment

N_REQUESTS, SEED = 400, 0
"""Each part costs one more pass over so many requests, which are drawn by the seed."""
NOON_S = 12 * 3600
NOBODY = "(a shopper who was never seen)"


@dataclass(frozen=True, slots=True)
class Withheld:
    """NDCG without a part, and what the part adds to it."""

    part: str
    without: Interval
    worth: Interval
    """With it less without it, over the same requests."""
    n_requests: int


class RecallRanker:
    """What the channels propose, by their best rank in any, then by how many: no reranker."""

    name = "candidates as they were found"

    def __init__(self, engine: EngineRanker, evaluation_set: EvaluationSet) -> None:
        """Order the candidates that an engine finds."""
        self._engine, self._candidates = engine, evaluation_set.candidates

    def rank(self, requests: Requests, k: int, *, new_only: bool) -> Ranked:
        """The first ``k`` of each request.

        Raises:
            ValueError: Only new items are asked for, which the channels do not know.
        """
        if new_only:
            raise ValueError("candidates are found for all items, expected new_only=False")
        rows = np.zeros((len(requests), k), dtype=np.int64)
        valid = np.zeros((len(requests), k), dtype=np.bool_)
        for i, found in enumerate(self._engine.candidates(requests)):
            first = self._first(found, k)
            rows[i, : len(first)], valid[i, : len(first)] = first, True
        return Ranked(rows, valid)

    def _first(self, found: Candidates, k: int) -> np.ndarray:
        kept = found.keep(self._candidates[found.rows])
        channels = (kept.found_by[:, None] >> np.arange(MAX_CHANNELS, dtype=np.uint16) & 1).sum(1)
        order = np.lexsort((kept.rows, -channels, kept.best_rank))
        return kept.rows[order[:k]]


def worth_of_parts(
    engine: Engine,
    asked: EvaluationSet,
    whole: Scores,
    without_scene: Scores,
    reporter: Reporter,
) -> tuple[Withheld, ...]:
    """Ask again without each part.

    Args:
        engine: The run.
        asked: Every user once.
        whole: Of all its requests, with everything.
        without_scene: The same without place and facets, which is measured anyway.
        reporter: Told how far the work is.
    """
    some = asked.sample(N_REQUESTS, SEED)
    chosen = np.isin(asked.requests.user, some.requests.user)
    found = [_withheld("place and facets", whole.ndcg, without_scene.ndcg)]
    for part, ranker in _rankers(engine, some, reporter).items():
        reporter.note(f"without {part}")
        found.append(_withheld(part, whole.ndcg[chosen], evaluate(ranker, some).ndcg))
    return tuple(found)


def at_noon(user_id: str, moment: Moment) -> Request:
    """The same request with the clock at noon, which tells nothing of the hour."""
    local_s = moment.local_s - moment.local_s % DAY_S + NOON_S
    return user_id, replace(moment, local_s=local_s)


def of_nobody(_: str, moment: Moment) -> Request:
    """The same request of someone who was never seen."""
    return NOBODY, moment


def _rankers(engine: Engine, some: EvaluationSet, reporter: Reporter) -> Mapping[str, Ranker]:
    hour = EngineRanker(engine, some, with_scene=True, change=at_noon)
    past = EngineRanker(engine, some, with_scene=True, change=of_nobody)
    whole = EngineRanker(engine, some, with_scene=True)
    for ranker in (hour, past, whole):
        ranker.reporter = reporter
    return {
        "the hour": hour,
        "the shopper's past": past,
        "the reranker": RecallRanker(whole, some),
    }


def _withheld(part: str, whole: PerRequest, without: PerRequest) -> Withheld:
    return Withheld(part, mean_interval(without), difference_interval(whole, without), len(without))
