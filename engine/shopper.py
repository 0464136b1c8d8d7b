"""What a user did before a moment: the run's events, then the live ones of the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta

import numpy as np

from engine.arrays import KIND_WEIGHT, to_unix_s
from engine.interactions import Ints
from engine.recommendation import Shopper
from engine.runtime import Run
from engine.types import KINDS, Event, EventKind
from engine.vocabulary import SESSION_GAP_S
from retrieval.rerank.records import History, Moment

SUMMARY_CATEGORIES = 3
_CODES = {kind: code for code, kind in enumerate(KINDS) if KIND_WEIGHT.get(kind)}
"""Of the kinds of events that make a history."""


def history_of(run: Run, user_id: str, live: Sequence[Event], moment: Moment) -> History:
    """The user's events before a moment, oldest first; dismissals are not among them.

    Args:
        run: Holds the events that it was trained on.
        user_id: May be unknown to the run.
        live: The user's events of the store, oldest first.
        moment: Only earlier events are taken.
    """
    row = run.vocabulary.users.find(user_id)
    past = run.history.slice(0, 0)
    if row is not None:
        first, last = int(run.offsets[row]), int(run.offsets[row + 1])
        past = run.history.slice(first, last)
        known = int(np.searchsorted(past.at_unix_s, moment.at_unix_s))
        past = past.slice(0, known)
    fresh = _live_history(run, live, moment)
    if fresh is None:
        return past
    parts = (np.concatenate([getattr(past, f.name), getattr(fresh, f.name)]) for f in fields(past))
    joined = History(*parts)
    if len(past) and past.at_unix_s[-1] > fresh.at_unix_s[0]:
        order = np.argsort(joined.at_unix_s, kind="stable")
        joined = History(*(getattr(joined, f.name)[order] for f in fields(joined)))
    return joined


def shopper_of(run: Run, row: int) -> Shopper:
    """A user of the run and what they take most."""
    first, last = int(run.offsets[row]), int(run.offsets[row + 1])
    names: dict[str, int] = {}
    paths = run.catalogue.column("categories")  # whole items of many users would take seconds
    items, times = np.unique(run.history.item[first:last], return_counts=True)
    for item, n in zip(items, times, strict=True):
        path = paths[int(item)]
        if path:
            name = path[min(1, len(path) - 1)]
            names[name] = names.get(name, 0) + int(n)
    top = sorted(names, key=lambda name: (-names[name], name))[:SUMMARY_CATEGORIES]
    summary = f"mostly {', '.join(name.lower() for name in top)}" if top else ""
    return Shopper(run.vocabulary.users.id(row), last - first, summary)


def dismissed_rows(run: Run, live: Sequence[Event]) -> Ints:
    """Items that the user waved away and did not take up again since."""
    last: dict[int, EventKind] = {}
    for event in live:
        row = run.vocabulary.items.find(event.item_id)
        if row is not None:
            last[row] = event.kind
    return np.array([r for r, kind in last.items() if kind is EventKind.DISMISS], dtype=np.int64)


def _live_history(run: Run, live: Sequence[Event], moment: Moment) -> History | None:
    """The events of the store before a moment that the run does not hold; None without any."""
    rows, times, taken = [], [], []
    lineage = run.manifest.lineage
    # A run that learned from a store holds what lay in it before the run's moment.
    learned = run.as_of if lineage is not None and lineage.from_store else None
    for event in live:
        if (at := to_unix_s(event.timestamp)) >= moment.at_unix_s:
            break
        row = run.vocabulary.items.find(event.item_id)
        if row is None or (learned and event.timestamp < learned and row < run.n_trained):
            continue
        if event.kind in _CODES:
            rows.append(row)
            times.append(at)
            taken.append(event)
    return _history(run, rows, times, taken) if taken else None


def _history(run: Run, rows: list[int], times: list[int], events: list[Event]) -> History:
    zone, at = run.zone, np.array(times, dtype=np.int64)
    ahead = [e.timestamp.astimezone(zone).utcoffset() or timedelta() for e in events]
    return History(
        item=np.array(rows, dtype=np.int64),
        at_unix_s=at,
        local_s=at + np.array([int(a.total_seconds()) for a in ahead], dtype=np.int64),
        session=_sessions(events, at),
        place=np.array([_place(run, e.place) for e in events], dtype=np.int64),
        value=np.array([1.0 if e.value is None else e.value for e in events], dtype=np.float32),
        kind=np.array([_CODES[e.kind] for e in events], dtype=np.int8),
    )


def _place(run: Run, place: str | None) -> int:
    return run.vocabulary.places.find(place) or 0 if place else 0


def _sessions(events: Sequence[Event], at: Ints) -> Ints:
    """Negative numbers, so that no live session is taken for one of the run."""
    named: dict[str, int] = {}
    sessions = np.zeros(len(events), dtype=np.int64)
    loose, last_loose_at = 0, -np.inf
    for i, event in enumerate(events):
        if event.session_id is not None:
            sessions[i] = -named.setdefault(event.session_id, 2 * len(named) + 2)
            continue
        loose += bool(at[i] - last_loose_at > SESSION_GAP_S)
        last_loose_at = at[i]
        sessions[i] = -(2 * loose - 1)
    return sessions
