"""What lists are worth besides their hits: variety, novelty, balance, and who gains from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.evaluate.bootstrap import Interval, Resampling, mean_interval
from engine.evaluate.exposure import Exposure, coverage, exposure_of, gini, groups_of, unfairness
from engine.evaluate.items import ItemFacts, Renown
from engine.evaluate.list_measures import (
    PerRequest,
    diversity,
    miscalibration,
    novelty,
    serendipity,
)
from engine.evaluate.popularity_bias import PopularityLift, popularity_lifts
from engine.evaluate.protocol import EvaluationSet, Ranked

N_BRANDS = 20
"""Brands that are told of one by one."""


@dataclass(frozen=True, slots=True)
class BeyondAccuracy:
    """Figures of one method's first ``k`` answers; plain values, ready for JSON.

    An interval is over users, and None where no request has a value: no vectors, no categories,
    lists of one item.
    """

    method: str
    k: int
    n_requests: int
    coverage: float
    """Share of the candidates that any list holds."""
    gini: float
    """How unequally candidates are shown: 0 all alike, near 1 a few alone."""
    novelty_bits: Interval | None
    """Surprise of the answers: mean of -log2 of the share of users who had the item."""
    diversity: Interval | None
    """Mean of 1 less the cosine over pairs of one list."""
    serendipity: Interval | None
    """Share of the answers that are targets and that popularity would not have given."""
    miscalibration_nats: Interval | None
    """How far a list's categories are from those of its user's history; 0 is the same mix."""
    popularity_lift: tuple[PopularityLift, ...]
    """By how much lists are more popular than what their users take."""
    exposure: tuple[Exposure, ...]
    """New and known items, popular and other ones."""
    brands: tuple[Exposure, ...]
    """Brands with most candidates."""
    brand_unfairness: float | None
    """Share of all exposure that would have to change brands to go where targets go: 0 is fair.
    None where no item has a brand."""


def beyond_accuracy(
    ranked: Ranked,
    asked: EvaluationSet,
    items: ItemFacts,
    *,
    method: str = "",
    k: int = 10,
    resampling: Resampling | None = None,
) -> BeyondAccuracy:
    """Judge lists by more than their hits; requests are taken in chunks, so memory is bounded.

    Args:
        ranked: Lists of all requests.
        asked: The requests.
        items: What the items are.
        method: Whose lists they are.
        k: Answers that count.
        resampling: Of the intervals.
    """
    first = Ranked(ranked.rows[:, :k], ranked.valid[:, :k])
    renown = Renown.of(asked)
    shown = exposure_of(first, asked)

    def interval(values: PerRequest) -> Interval | None:
        counts = ~np.isnan(values)
        if not counts.any():
            return None
        return mean_interval(values[counts], resampling, asked.requests.user[counts])

    return BeyondAccuracy(
        method=method,
        k=k,
        n_requests=len(asked),
        coverage=coverage(shown.times[asked.candidates]),
        gini=gini(shown.times[asked.candidates]),
        novelty_bits=interval(novelty(first, renown)),
        diversity=interval(diversity(first, items.vectors)),
        serendipity=interval(serendipity(first, asked, renown, k)),
        miscalibration_nats=interval(miscalibration(first, asked, items)),
        popularity_lift=popularity_lifts(first, asked, renown),
        exposure=(
            *groups_of(shown, renown.new, ("known items", "new items")),
            *groups_of(shown, renown.head, ("other items", "popular items")),
        ),
        brands=groups_of(shown, items.brand, items.brand_names)[:N_BRANDS],
        brand_unfairness=unfairness(shown, items.brand),
    )
