"""Baselines tuned as hard as ours: on the weeks before the cut, never after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from engine.errors import MissingExtraError
from engine.evaluate.baselines.families import FAMILIES, Family
from engine.evaluate.baselines.purchases import SECONDS_PER_DAY, Purchases
from engine.evaluate.baselines.scorer import Baseline, ScoreRanker
from engine.evaluate.protocol import EvaluationSet, Ranked, first_baskets
from engine.evaluate.rankers import Scores, measure

Objective = Literal["all", "new"]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How hard to try."""

    days: float = 28.0
    """The validation requests are the first baskets of so many days before the cut."""
    max_requests: int = 1000
    """More validation requests than this are sampled."""
    min_users: int = 5
    k: int = 10
    """NDCG at this depth decides."""
    passes: int = 2
    """Rounds over the axes of a family, each one from the best settings so far."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A tuned baseline, refitted on everything before the cut, and what it reached."""

    method: str
    for_all: Baseline
    """Settings with the best validation NDCG on all items."""
    for_new: Baseline
    """Settings with the best validation NDCG on items that are new to their user."""
    all_items: Scores
    new_items: Scores
    validation_all: float
    """NDCG on the validation requests."""
    validation_new: float


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Every family that could be run, and a line for each that could not."""

    outcomes: tuple[Outcome, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """Requests on which settings are tried; each is fitted and scored once for both views."""

    all_items: EvaluationSet
    new_items: EvaluationSet
    purchases: Purchases
    k: int
    seen: dict[Baseline, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, evaluation_set: EvaluationSet, k: int) -> Trial:
        """Prepare both views."""
        purchases = Purchases.of(evaluation_set)
        return cls(evaluation_set, evaluation_set.new_items(), purchases, k)

    def scores(self, method: str, baseline: Baseline) -> tuple[Scores, Scores]:
        """What the settings reach on all items and on new items."""
        ranker = ScoreRanker.fitted(method, baseline, self.purchases)
        every, new = ranker.rank_both(self.all_items.requests, self.k)
        asked = np.isin(self.all_items.requests.user, self.new_items.requests.user)
        new = Ranked(new.rows[asked], new.valid[asked])
        return (
            measure(method, every, self.all_items, self.k),
            measure(method, new, self.new_items, self.k),
        )

    def ndcg(self, baseline: Baseline, objective: Objective) -> float:
        """Mean NDCG of the settings, remembered."""
        if baseline not in self.seen:
            every, new = self.scores("", baseline)
            self.seen[baseline] = _mean_ndcg(every), _mean_ndcg(new)
        return self.seen[baseline][objective == "new"]


def tune(family: Family, trial: Trial, objective: Objective, passes: int = 2) -> Baseline:
    """Go up one axis at a time from the family's start, until a round changes nothing.

    Equal settings go to the one that came first, so that the result does not depend on luck.
    """
    best = family.start
    for _ in range(passes):
        before = best
        for axis in family.axes:
            tried = [best, *(replace(best, **{axis.field: value}) for value in axis.values)]
            best = max(tried, key=lambda baseline: trial.ndcg(baseline, objective))
        if best == before:
            break
    return best


def evaluate_baselines(
    evaluation_set: EvaluationSet,
    tuning: Tuning | None = None,
    families: Sequence[Family] = FAMILIES,
    on_start: Callable[[str], None] | None = None,
) -> Outcomes:
    """Tune every family before the cut, refit it on all of the history, and measure it after.

    Args:
        evaluation_set: All items after the cut; the view of new items is derived from it.
        tuning: How hard to try.
        families: What to run.
        on_start: Called with the name of each family before its turn.

    Raises:
        DataError: The days before the cut hold no basket to tune on.
    """
    tuning = tuning or Tuning()
    trial = Trial.of(validation_set(evaluation_set, tuning), tuning.k)
    final = Trial.of(evaluation_set, tuning.k)
    outcomes: list[Outcome] = []
    skipped: list[str] = []
    for family in families:
        if on_start is not None:
            on_start(family.name)
        try:
            outcomes.append(_outcome(family, trial, final, tuning.passes))
        except MissingExtraError as error:
            skipped.append(f"{family.name} skipped: {error}")
    return Outcomes(tuple(outcomes), tuple(skipped))


def validation_set(evaluation_set: EvaluationSet, tuning: Tuning) -> EvaluationSet:
    """First baskets of the last days before the cut, made from the history alone."""
    cut = evaluation_set.cut_unix_s
    return first_baskets(
        evaluation_set.history,
        cut - int(tuning.days * SECONDS_PER_DAY),
        cut,
        min_users=tuning.min_users,
        kind=evaluation_set.kind,
    ).sample(tuning.max_requests, tuning.seed)


def _outcome(family: Family, trial: Trial, final: Trial, passes: int) -> Outcome:
    for_all = tune(family, trial, "all", passes)
    for_new = tune(family, trial, "new", passes)
    all_items, new_items = final.scores(family.name, for_all)
    if for_new != for_all:
        _, new_items = final.scores(family.name, for_new)
    return Outcome(
        method=family.name,
        for_all=for_all,
        for_new=for_new,
        all_items=all_items,
        new_items=new_items,
        validation_all=trial.ndcg(for_all, "all"),
        validation_new=trial.ndcg(for_new, "new"),
    )


def _mean_ndcg(scores: Scores) -> float:
    return float(scores.ndcg.mean()) if len(scores.ndcg) else 0.0
