"""Everything that is measured of one method, in one pass over its lists."""

from __future__ import annotations

from dataclasses import dataclass

from engine.evaluate.beyond import BeyondAccuracy, beyond_accuracy
from engine.evaluate.bootstrap import Resampling
from engine.evaluate.items import ItemFacts
from engine.evaluate.protocol import EvaluationSet
from engine.evaluate.rankers import Ranker, Scores, lists_of, measure
from engine.evaluate.slices import Slice, Surroundings, slices_of


@dataclass(frozen=True, slots=True)
class Judged:
    """What a method's lists are worth."""

    scores: Scores
    beyond: BeyondAccuracy
    slices: tuple[Slice, ...]


def judge(
    ranker: Ranker,
    asked: EvaluationSet,
    items: ItemFacts,
    around: Surroundings,
    *,
    k: int = 10,
    resampling: Resampling | None = None,
) -> Judged:
    """Ask a method once and measure its lists in every way that there is.

    Scores of all candidates never lie in memory for more than a batch of requests: what is kept
    is the ``k`` answers of each.

    Args:
        ranker: The method.
        asked: The requests.
        items: What the items are.
        around: Tells the scenes of the requests.
        k: Answers that count.
        resampling: Of the intervals.

    Raises:
        DataError: The ranker broke the rules; see :func:`engine.evaluate.rankers.evaluate`.
    """
    ranked = lists_of(ranker, asked, k)
    return Judged(
        measure(ranker.name, ranked, asked, k),
        beyond_accuracy(ranked, asked, items, method=ranker.name, k=k, resampling=resampling),
        slices_of(ranked, asked, around, k=k, resampling=resampling),
    )
