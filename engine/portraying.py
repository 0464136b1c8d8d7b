"""What a user's events say of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from engine.interactions import Ints
from engine.portrait import Frequented, Habit, Interest, Portrait, PriceBand, Rhythm
from engine.runtime import Run
from engine.types import Item
from retrieval.rerank.records import DAY_S, History

MOST_INTERESTS, MOST_HABITS, MOST_PLACES = 10, 20, 5
MIN_TAKES_FOR_HABIT = 3
MIN_VISITS_FOR_RHYTHM = 3


def portrait_of(run: Run, user_id: str, history: History) -> Portrait:
    """The portrait that a history makes.

    Args:
        run: Knows the items and the places.
        user_id: Whose it is.
        history: Oldest first.
    """
    at = history.at_unix_s
    return Portrait(
        user_id=user_id,
        events=len(history),
        first_at=_moment(at[0]) if len(at) else None,
        last_at=_moment(at[-1]) if len(at) else None,
        interests=_interests(run, history),
        habits=_habits(run, history),
        price_band=_price_band(run, history),
        rhythm=_rhythm(history),
        places=_places(run, history),
    )


def _interests(run: Run, history: History) -> tuple[Interest, ...]:
    if len(history) == 0:
        return ()
    age_days = (history.at_unix_s[-1] - history.at_unix_s) / DAY_S
    weight = 0.5 ** (age_days / run.config.candidates.habit_half_life_days)
    rows, inverse, times = np.unique(history.item, return_inverse=True, return_counts=True)
    weights = np.bincount(inverse, weights=weight)
    strength: dict[tuple[str, ...], float] = {}
    events: dict[tuple[str, ...], int] = {}
    for row, mass, n in zip(rows, weights, times, strict=True):
        path = run.catalogue[int(row)].categories[:2]
        if path:
            strength[path] = strength.get(path, 0.0) + float(mass)
            events[path] = events.get(path, 0) + int(n)
    total = float(weights.sum())
    largest = sorted(strength, key=lambda path: (-strength[path], path))[:MOST_INTERESTS]
    return tuple(Interest(path, strength[path] / total, events[path]) for path in largest)


def _habits(run: Run, history: History) -> tuple[Habit, ...]:
    rows, times = np.unique(history.item, return_counts=True)
    often = np.flatnonzero(times >= MIN_TAKES_FOR_HABIT)
    found = []
    for at in often[np.argsort(-times[often], kind="stable")]:
        moments = history.at_unix_s[history.item == rows[at]]
        every_days = float(moments[-1] - moments[0]) / DAY_S / (len(moments) - 1)
        if every_days > 0:
            item, last = run.catalogue[int(rows[at])], _moment(moments[-1])
            found.append(_habit(item, len(moments), last, every_days))
        if len(found) == MOST_HABITS:
            break
    return tuple(found)


def _habit(item: Item, times: int, last: datetime, every_days: float) -> Habit:
    due = last + timedelta(days=every_days)
    return Habit(item.item_id, item.title, times, last, every_days, due)


def _price_band(run: Run, history: History) -> PriceBand | None:
    log_price = run.world.items.log_price[history.item]
    known = log_price[np.isfinite(log_price)]
    if len(known) == 0:
        return None
    low, median, high = (float(price) for price in np.exp(np.quantile(known, (0.25, 0.5, 0.75))))
    return PriceBand(round(low, 2), round(median, 2), round(high, 2), run.settings.currency)


def _rhythm(history: History) -> Rhythm | None:
    first = _first_of_visits(history)
    if len(first) < MIN_VISITS_FOR_RHYTHM:
        return None
    local = history.local_s[first]
    gaps_days = np.diff(np.sort(history.at_unix_s[first])) / DAY_S
    return Rhythm(
        visits=len(first),
        every_days=float(np.median(gaps_days)),
        weekdays=_shares((local // DAY_S + 3) % 7, 7),
        hours=_shares(local % DAY_S // 3600, 24),
    )


def _places(run: Run, history: History) -> tuple[Frequented, ...]:
    place = history.place[_first_of_visits(history)]
    rows, visits = np.unique(place[place > 0], return_counts=True)
    busiest = np.argsort(-visits, kind="stable")[:MOST_PLACES]
    share = visits / max(int(visits.sum()), 1)
    return tuple(
        Frequented(run.vocabulary.places.id(int(rows[at])), float(share[at])) for at in busiest
    )


def _first_of_visits(history: History) -> Ints:
    """Where each visit begins, int64; a session that is taken up again is one visit."""
    return np.sort(np.unique(history.session, return_index=True)[1])


def _shares(values: Ints, n: int) -> tuple[float, ...]:
    counts = np.bincount(values, minlength=n)
    return tuple(float(share) for share in counts / counts.sum())


def _moment(at_unix_s: np.int64) -> datetime:
    return datetime.fromtimestamp(int(at_unix_s), UTC)
