"""What came of an experiment, from the lists that were shown and the events that followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from engine.evaluate.bootstrap import Interval
from engine.experiments.plan import Experiment, Metric
from engine.experiments.sequential import (
    difference,
    fixed_interval,
    relative_difference,
    sample_ratio_p,
    sequential_interval,
    sequential_p,
)
from engine.store import EventStore

Doubles = NDArray[np.float64]

LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
FEWEST = 30
"""Users of a variant from which its mean may be taken for normal."""
MISMATCH_P = 1e-3
"""Below it, the counts of users do not fit the weights."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant."""

    name: str
    exposed: int
    """Users who were shown a list in it."""
    counted: int
    """Those of them whose outcome is complete."""
    mean: float | None
    """Acts per counted user; None where there is none."""


@dataclass(frozen=True, slots=True)
class Uplift:
    """One variant against the first."""

    name: str
    absolute: Interval
    """Difference of the means; an interval that may be looked at as often as one likes."""
    relative: Interval | None
    """The same as a share of the first variant's mean; None where that is 0."""
    fixed: Interval
    """Difference with the usual interval: right for one look, at a size chosen beforehand."""
    p_value: float
    """Valid at every look."""


@dataclass(frozen=True, slots=True)
class Report:
    """An experiment as it stands."""

    experiment: Experiment
    arms: tuple[Arm, ...]
    uplifts: tuple[Uplift, ...]
    """Of the variants that have users enough."""
    moved: int
    """Users who were shown lists of two variants, as after a change of the weights; left out."""
    sample_ratio_p: float

    @property
    def mismatch(self) -> bool:
        """Whether the users do not share out as the weights say: trust no figure then."""
        return self.sample_ratio_p < MISMATCH_P


@dataclass(frozen=True, slots=True)
class Exposure:
    """A user's first list in an experiment."""

    variant: str
    at: datetime


def report_of(store: EventStore, experiment: Experiment, now: datetime | None = None) -> Report:
    """Compare the variants of an experiment.

    Users are those who were shown a list in a variant; each counts once, with their acts in the
    days after it. With more than two variants the error is shared out among the comparisons
    (Bonferroni).

    Args:
        store: Holds lists and events.
        experiment: As planned.
        now: Up to when to read; None is now.
    """
    now = now or datetime.now(UTC)
    exposures, lists, moved = _exposures(store, experiment, now)
    outcomes = _outcomes(store, experiment.metric, exposures, lists, now)
    counted = {
        variant.name: np.array(
            [n for user, n in outcomes.items() if exposures[user].variant == variant.name],
            dtype=np.float64,
        )
        for variant in experiment.variants
    }
    names = [exposure.variant for exposure in exposures.values()]
    arms = tuple(
        Arm(name, names.count(name), len(values), float(values.mean()) if len(values) else None)
        for name, values in counted.items()
    )
    weights = np.array([variant.weight for variant in experiment.variants])
    ratio_p = sample_ratio_p(np.array([arm.exposed for arm in arms], np.float64), weights)
    return Report(experiment, arms, _uplifts(experiment, counted), moved, ratio_p)


def _uplifts(experiment: Experiment, counted: Mapping[str, Doubles]) -> tuple[Uplift, ...]:
    first, *others = experiment.variants
    control = counted[first.name]
    level = 1.0 - (1.0 - experiment.level) / len(others)
    found = []
    for variant in others:
        treated = counted[variant.name]
        if min(len(treated), len(control)) < FEWEST:
            continue
        seen, share = difference(treated, control), relative_difference(treated, control)
        found.append(
            Uplift(
                variant.name,
                sequential_interval(seen, level),
                None if share is None else sequential_interval(share, level),
                fixed_interval(seen, level),
                min(1.0, len(others) * sequential_p(seen, level)),
            )
        )
    return tuple(found)


def _exposures(
    store: EventStore, experiment: Experiment, now: datetime
) -> tuple[dict[str, Exposure], dict[str, tuple[str, datetime]], int]:
    """First list of each user, user and moment of every list, and users of two variants."""
    first: dict[str, Exposure] = {}
    lists: dict[str, tuple[str, datetime]] = {}
    moved: set[str] = set()
    since = experiment.starts_at or LONG_AGO
    for shown in store.shown.between(since, now, slots=False):
        variant = shown.variants.get(experiment.name)
        if variant is None or variant not in {known.name for known in experiment.variants}:
            continue
        met = first.setdefault(shown.user_id, Exposure(variant, shown.timestamp))
        if met.variant != variant:
            moved.add(shown.user_id)
        lists[shown.request_id] = (shown.user_id, shown.timestamp)
    kept = {user: exposure for user, exposure in first.items() if user not in moved}
    return kept, lists, len(moved)


def _outcomes(
    store: EventStore,
    metric: Metric,
    exposures: Mapping[str, Exposure],
    lists: Mapping[str, tuple[str, datetime]],
    now: datetime,
) -> dict[str, float]:
    """Acts of each user whose days are over."""
    days = timedelta(days=metric.outcome_days)
    counts = {user: 0.0 for user, met in exposures.items() if met.at + days <= now}
    for event in store.between(LONG_AGO, now):
        if event.kind is not metric.kind:
            continue
        user, at = lists.get(event.request_id or "", (None, event.timestamp))
        if metric.attributed and user != event.user_id:
            continue
        met = exposures.get(event.user_id)
        if met is not None and event.user_id in counts and met.at <= at < met.at + days:
            counts[event.user_id] += 1.0
    return counts
