"""Baselines tuned as hard as ours: on the weeks before the cut, never after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np

from engine.errors import MissingExtraError
from engine.evaluate.baselines.families import FAMILIES, Family
from engine.evaluate.baselines.purchases import SECONDS_PER_DAY, Purchases
from engine.evaluate.baselines.scorer import Baseline, ScoreRanker
from engine.evaluate.protocol import EvaluationSet, Ranked, first_baskets
from engine.evaluate.rankers import Scores, measure

Objective = Literal["all", "new"]
OBJECTIVES: tuple[Objective, Objective] = ("all", "new")


CONFIGURATIONS = 8
"""Settings of a family that are tried."""


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
    configurations: int = CONFIGURATIONS
    """For each view: of every family as many, or all that it has."""
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
    tried: int
    """Settings that were tried for all items, as many as for new ones unless the axes end."""


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
        asked = self.all_items.ask_for_new()
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


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best settings of a family, and after how many."""

    best: Baseline
    value: float
    tried: int


def tune(
    family: Family,
    value_of: Callable[[Baseline], float],
    configurations: int = CONFIGURATIONS,
    seed: int = 0,
) -> Tuned:
    """Try so many settings of a family, or all that it has.

    One axis after the other from the family's start, each from the best settings so far, until a
    round changes nothing; what is left of the budget goes to settings drawn by the seed. Equal
    settings go to the one that came first, so that the result does not depend on luck.

    Args:
        family: Where to start and along which axes to go.
        value_of: What settings reach on the requests that choose; higher is better.
        configurations: Different settings that are tried, at most.
        seed: Of the draw.

    Raises:
        ValueError: There is no budget.
    """
    if configurations < 1:
        raise ValueError(f"configurations is {configurations}: expected at least 1")
    tried: dict[Baseline, float] = {}

    def best() -> Baseline:
        return max(tried, key=lambda settings: tried[settings])

    for settings in _proposed(family, best, np.random.default_rng(seed)):
        if settings not in tried:
            tried[settings] = value_of(settings)
        if len(tried) == configurations:
            break
    return Tuned(best(), tried[best()], len(tried))


def _proposed(
    family: Family, best: Callable[[], Baseline], rng: np.random.Generator
) -> Iterator[Baseline]:
    """Settings in the order in which they are worth a try; ``best`` is of those given so far."""
    yield family.start
    before = None
    while before != best():
        before = best()
        for axis in family.axes:
            origin = best()
            for value in axis.values:
                yield replace(origin, **{axis.field: value})
    for place in rng.permutation(family.size):
        yield family.at(int(place))


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
            outcomes.append(_outcome(family, trial, final, tuning))
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


def _outcome(family: Family, trial: Trial, final: Trial, tuning: Tuning) -> Outcome:
    for_all, for_new = (
        tune(
            family,
            partial(trial.ndcg, objective=objective),
            tuning.configurations,
            tuning.seed,
        )
        for objective in OBJECTIVES
    )
    all_items, new_items = final.scores(family.name, for_all.best)
    if for_new.best != for_all.best:
        _, new_items = final.scores(family.name, for_new.best)
    return Outcome(
        method=family.name,
        for_all=for_all.best,
        for_new=for_new.best,
        all_items=all_items,
        new_items=new_items,
        validation_all=for_all.value,
        validation_new=for_new.value,
        tried=for_all.tried,
    )


def _mean_ndcg(scores: Scores) -> float:
    return float(scores.ndcg.mean()) if len(scores.ndcg) else 0.0
