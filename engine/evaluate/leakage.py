"""Did anything know the answers? Checks that run in every evaluation and say what leaked.

A method may know what happened before it is asked, and nothing else. Each check looks at one way
in which shops and papers break that; what it looked at is told also where nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from engine.dataset import Dataset
from engine.evaluate.leaky_tables import features_of_the_future, offers_made_from_sales
from engine.evaluate.protocol import EvaluationSet, flat_targets
from engine.interactions import Ints

if TYPE_CHECKING:
    from engine.recommend import Engine

SAME_VISIT_S = 30 * 60
"""What a user took so shortly before asking, and is to be found then, is one and the same visit."""
NAMED = 3
"""Features that a line names at most."""


@dataclass(frozen=True, slots=True)
class Check:
    """One way of knowing too much."""

    name: str
    looked_at: str
    n_leaked: int
    says: str = ""
    """What leaked and how to mend it; empty where nothing did."""


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """Every check that could be made of what was given."""

    checks: tuple[Check, ...]

    @property
    def leaks(self) -> tuple[str, ...]:
        """A line for each check that found something."""
        return tuple(f"{check.name}: {check.says}" for check in self.checks if check.n_leaked)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a trained run holds of the past."""

    up_to_unix_s: int
    """The moment up to which it says that it was trained."""
    features_unix_s: int
    """The moment that what sells was counted at."""
    event_at_unix_s: Ints
    """Of every event that it holds, int64 ``[E]``."""
    n_live_later: int
    """Events of its store from the cut on, which serving adds to the history."""

    @classmethod
    def of(cls, engine: Engine, cut_unix_s: int) -> Learned:
        """Read an engine that is to be asked from a cut on."""
        run, cut = engine.run, datetime.fromtimestamp(cut_unix_s, UTC)
        later = engine.store.between(cut, datetime.max.replace(tzinfo=UTC) - timedelta(days=1))
        return cls(
            run.manifest.as_of_unix_s,
            run.world.trends.as_of_unix_s,
            run.history.at_unix_s,
            sum(1 for _ in later),
        )


def check_leakage(
    asked: EvaluationSet,
    *,
    learned: Learned | None = None,
    tuned_on: EvaluationSet | None = None,
    dataset: Dataset | None = None,
) -> LeakageReport:
    """Make every check that can be made of what is given.

    Args:
        asked: What is asked, and what is learned from.
        learned: What the run that is asked holds.
        tuned_on: On what settings were chosen.
        dataset: The tables that features and offers come from.
    """
    checks = list(_of_the_requests(asked))
    if learned is not None:
        checks += _of_the_run(learned, asked)
    if tuned_on is not None:
        checks += _of_the_tuning(tuned_on, asked)
    if dataset is not None:
        checks += _of_the_tables(dataset, asked.cut_unix_s)
    return LeakageReport(tuple(checks))


def _of_the_requests(asked: EvaluationSet) -> Iterator[Check]:
    history, requests = asked.history, asked.requests
    events = f"{len(history):,} events of the history"
    n = int((history.at_unix_s >= asked.cut_unix_s).sum())
    says = f"{n:,} events lie at or after the cut: keep only those before it" if n else ""
    yield Check("history after the cut", events, n, says)

    last = int(history.at_unix_s.max(initial=np.iinfo(np.int64).min))
    n = int((requests.at_unix_s <= last).sum())
    says = (
        f"{n:,} of {len(requests):,} requests are asked before some event that is learned, as "
        "leaving the last out does: methods know what others took later; choose a cut"
    )
    yield Check(
        "events after a request", f"{events}, {len(requests):,} requests", n, says if n else ""
    )

    yield _of_what_is_told(asked)
    n = _same_visit(asked)
    says = (
        f"{n:,} targets were taken by the same user less than half an hour before the request, or "
        "later, in the history: a visit lies on both sides of the cut, or events came twice"
    )
    looked = f"{sum(map(len, asked.targets)):,} targets, {events}"
    yield Check("the same events on both sides", looked, n, says if n else "")
    yield _of_the_candidates(asked)


def _of_what_is_told(asked: EvaluationSet) -> Check:
    name, since, requests = "told events", asked.requests.since, asked.requests
    if since is None:
        return Check(name, "nothing is told", 0)
    last = np.full(since.n_users, np.iinfo(np.int64).min, np.int64)
    np.maximum.at(last, requests.user, requests.at_unix_s)
    n = int((since.at_unix_s >= last[since.user]).sum())
    says = f"{n:,} events lie at or after the last request of their user: leave them out"
    return Check(name, f"{len(since):,} events since the cut", n, says if n else "")


def _same_visit(asked: EvaluationSet) -> int:
    """Targets that the history has of the same user, shortly before the request or later."""
    had, requests, n_items = asked.had(), asked.requests, asked.history.n_items
    owner, item = flat_targets(asked.targets)
    near = had.where(had.at_unix_s > requests.at_unix_s.min(initial=0) - SAME_VISIT_S)
    if len(near) == 0 or len(owner) == 0:
        return 0
    wanted = requests.user[owner] * n_items + item
    pairs = np.unique(wanted)
    key = near.user * n_items + near.item
    known = np.isin(key, pairs)
    latest = np.full(len(pairs), np.iinfo(np.int64).min, np.int64)
    np.maximum.at(latest, np.searchsorted(pairs, key[known]), near.at_unix_s[known])
    since = requests.at_unix_s[owner] - SAME_VISIT_S
    return int((latest[np.searchsorted(pairs, wanted)] > since).sum())


def _of_the_candidates(asked: EvaluationSet) -> Check:
    name, candidates = "candidates", asked.candidates
    looked = f"{int(candidates.sum()):,} candidates of {len(candidates):,} items"
    touched = np.bincount(asked.history.item, minlength=asked.history.n_items) > 0
    unknown, left_out = candidates & ~touched, ~candidates & ~touched
    _, item = flat_targets(asked.targets)
    taken = np.zeros(len(candidates), np.bool_)
    taken[item] = True
    # Among items without a past only the future can tell those that will be taken.
    n = int(unknown.sum()) if left_out.any() and not (unknown & ~taken).any() else 0
    says = (
        f"{n:,} candidates have no event before the cut and every one of them is asked for, while "
        f"{int(left_out.sum()):,} other such items are no candidates: choose by the past, or all"
    )
    return Check(name, looked, n, says if n else "")


def _of_the_run(learned: Learned, asked: EvaluationSet) -> Iterator[Check]:
    cut = asked.cut_unix_s
    for name, moment in (
        ("training after the cut", learned.up_to_unix_s),
        ("features after the cut", learned.features_unix_s),
    ):
        late = moment > cut
        says = f"it goes to {_day(moment)}, the cut is {_day(cut)}: train up to the cut"
        yield Check(name, f"up to {_day(moment)}", int(late), says if late else "")
    n = int((learned.event_at_unix_s >= cut).sum())
    says = f"{n:,} lie at or after the cut: train again up to it"
    looked = f"{len(learned.event_at_unix_s):,} events that the run holds"
    yield Check("events of the run after the cut", looked, n, says if n else "")
    n = learned.n_live_later
    says = f"{n:,} lie at or after the cut, and serving uses them: evaluate with an empty store"
    yield Check("events of the store", "the run's store", n, says if n else "")


def _of_the_tuning(tuned_on: EvaluationSet, asked: EvaluationSet) -> Iterator[Check]:
    at, history = tuned_on.requests.at_unix_s, tuned_on.history
    looked = f"{len(tuned_on):,} requests that settings were chosen on"
    n = int((at >= asked.cut_unix_s).sum())
    says = f"{n:,} of them are asked at or after the cut of the test: tune before it"
    yield Check("tuning after the cut", looked, n, says if n else "")

    n = int((history.at_unix_s >= tuned_on.cut_unix_s).sum())
    says = f"{n:,} events that were learned for it lie at or after its own cut"
    yield Check(
        "tuning's own history", f"{len(history):,} events learned for it", n, says if n else ""
    )

    known = np.bincount(asked.history.user, minlength=asked.history.n_users) > 0
    newcomers = np.unique(asked.requests.user[~known[asked.requests.user]])
    n = int(np.isin(newcomers, tuned_on.requests.user).sum())
    says = f"{n:,} of them were asked in tuning: a newcomer cannot have been there"
    yield Check(
        "test users in tuning", f"{len(newcomers):,} newcomers of the test", n, says if n else ""
    )


def _of_the_tables(dataset: Dataset, cut_unix_s: int) -> Iterator[Check]:
    cut = datetime.fromtimestamp(cut_unix_s, UTC)
    n = offers_made_from_sales(dataset, cut)
    says = (
        f"{n:,} of those that begin from the cut on do so at the very second of a sale of their "
        "item: they were made from sales and give them away; load offers as they were planned"
    )
    looked = f"{len(dataset.offers):,} offers, known before they start"
    yield Check("offers", looked, n, says if n else "")

    found, n_looked = features_of_the_future(dataset, cut)
    names = ", ".join(found[:NAMED]) + (", ..." if len(found) > NAMED else "")
    says = f"{names} counts events after the cut: leave it out, or count it before the cut"
    looked = f"{n_looked:,} attributes of items and users that are numbers"
    yield Check("features that count events", looked, len(found), says if found else "")


def _day(at_unix_s: int) -> str:
    return f"{datetime.fromtimestamp(at_unix_s, UTC):%Y-%m-%d %H:%M} UTC"
