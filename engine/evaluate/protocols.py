"""Other questions than each user's next basket: the last one, every one, newcomers, new items.

All rank every candidate, and none learns anything from the cut on. What those who ask did
between the cut and their request is told with it (:attr:`Requests.since`). Whether items that a
user already had may be answered is a view of any of them: :meth:`EvaluationSet.new_items`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from engine.evaluate.asked_for import Protocol
from engine.evaluate.protocol import (
    Baskets,
    Bools,
    EvaluationSet,
    first_baskets,
    had_by_at_least,
    of_kind,
)
from engine.interactions import Interactions, Ints
from engine.types import KINDS, EventKind

Unit = Literal["basket", "event"]


def ask(
    protocol: Protocol,
    interactions: Interactions,
    cut_unix_s: int,
    *,
    min_users: int,
    offered: Bools,
) -> EvaluationSet:
    """The requests of a protocol, from a cut in time on.

    Args:
        protocol: What is asked for.
        interactions: All events.
        cut_unix_s: Methods learn from the events strictly before it.
        min_users: Buyers that a candidate has before the cut; new items have none.
        offered: Items that may be recommended, bool ``[I]``; for new items alone.

    Raises:
        DataError: Nothing can be asked for.
    """
    match protocol:
        case Protocol.FIRST_BASKETS:
            return first_baskets(interactions, cut_unix_s, min_users=min_users)
        case Protocol.NEXT_BASKETS:
            return next_baskets(interactions, cut_unix_s, min_users=min_users)
        case Protocol.LAST_BASKETS:
            return leave_last_out(interactions, cut_unix_s, min_users=min_users)
        case Protocol.NEW_USERS:
            return user_cold_start(interactions, cut_unix_s, min_users=min_users)
        case Protocol.NEW_ITEMS:
            return item_cold_start(interactions, cut_unix_s, offered=offered)


def leave_last_out(
    interactions: Interactions,
    cut_unix_s: int | None = None,
    *,
    unit: Unit = "basket",
    min_users: int = 5,
    kind: EventKind = EventKind.PURCHASE,
) -> EvaluationSet:
    """Ask for the last basket of each user who did anything before it.

    Most published figures leave the last *event* of each user out and learn from all others: a
    method then knows what other users did after the request, trends and novelties among it.
    Without a cut this is that protocol, to compare with such figures; its leakage is reported.
    With a cut only last baskets from the cut on are asked for, and nothing after it is learned.

    Args:
        interactions: All events.
        cut_unix_s: Methods learn from the events strictly before it. None: from all but those
            that are left out.
        unit: What the last one is: a basket, or a single event.
        min_users: An item is a candidate when so many distinct users had it in the history.
        kind: What is asked for.

    Raises:
        DataError: Nobody has a last one with a candidate.
    """
    baskets = Baskets.of(_apart(interactions) if unit == "event" else interactions, kind)
    start = interactions.at_unix_s.min(initial=0) if cut_unix_s is None else cut_unix_s
    chosen = _last_of_each_user(baskets, baskets.starting(int(start)))
    chosen = chosen[_did_before(interactions, baskets, chosen, kind)]
    if cut_unix_s is None:
        cut = int(interactions.at_unix_s.max(initial=0)) + 1
        history = _without_last(interactions, baskets, chosen, kind)
        return baskets.ask(chosen, history, _candidates(history, kind, min_users), cut, kind)
    history = interactions.before(cut_unix_s)
    asked = baskets.ask(chosen, history, _candidates(history, kind, min_users), cut_unix_s, kind)
    return _told(asked, interactions)


def next_baskets(
    interactions: Interactions,
    cut_unix_s: int,
    end_unix_s: int | None = None,
    *,
    min_users: int = 5,
    kind: EventKind = EventKind.PURCHASE,
) -> EvaluationSet:
    """Ask for every basket from the cut on; a user is asked as often as they come.

    What a user took since the cut is told before each further basket. Draw intervals by user,
    as requests of one user are no independent draws.

    Args:
        interactions: All events.
        cut_unix_s: Methods learn from the events strictly before it.
        end_unix_s: Baskets that start here or later are not asked for.
        min_users: An item is a candidate when so many distinct users had it before the cut.
        kind: What a basket is made of.

    Raises:
        DataError: No basket with a candidate lies between the cut and the end.
    """
    history, baskets = interactions.before(cut_unix_s), Baskets.of(interactions, kind)
    chosen = baskets.starting(cut_unix_s, end_unix_s)
    candidates = _candidates(history, kind, min_users)
    return _told(baskets.ask(chosen, history, candidates, cut_unix_s, kind), interactions)


def user_cold_start(
    interactions: Interactions,
    cut_unix_s: int,
    end_unix_s: int | None = None,
    *,
    min_users: int = 5,
    kind: EventKind = EventKind.PURCHASE,
) -> EvaluationSet:
    """Ask for the first basket of users of whom nothing is known before the cut.

    Args:
        interactions: All events.
        cut_unix_s: Methods learn from the events strictly before it.
        end_unix_s: Baskets that start here or later are not asked for.
        min_users: An item is a candidate when so many distinct users had it before the cut.
        kind: What a basket is made of.

    Raises:
        DataError: No newcomer's basket holds a candidate.
    """
    history, baskets = interactions.before(cut_unix_s), Baskets.of(interactions, kind)
    chosen = baskets.first_of_each_user(baskets.starting(cut_unix_s, end_unix_s))
    known = np.bincount(history.user, minlength=history.n_users) > 0
    chosen = chosen[~known[baskets.events.user[baskets.opening[chosen]]]]
    candidates = _candidates(history, kind, min_users)
    return _told(baskets.ask(chosen, history, candidates, cut_unix_s, kind), interactions)


def item_cold_start(
    interactions: Interactions,
    cut_unix_s: int,
    end_unix_s: int | None = None,
    *,
    offered: Bools | None = None,
    kind: EventKind = EventKind.PURCHASE,
) -> EvaluationSet:
    """Ask for items that nobody had touched before the cut, among all that are offered.

    Each user is asked once, for the first basket from the cut on that holds such an item; its
    other items are no targets. Candidates are new and old alike: a method must find the new
    item among everything, not among the new.

    Args:
        interactions: All events.
        cut_unix_s: Methods learn from the events strictly before it.
        end_unix_s: Baskets that start here or later are not asked for.
        offered: Items that may be recommended, bool ``[I]``, chosen without looking past the
            cut; None is every item.
        kind: What a basket is made of.

    Raises:
        DataError: No basket holds an item that is offered and was never touched before.
    """
    history, baskets = interactions.before(cut_unix_s), Baskets.of(interactions, kind)
    if offered is None:
        offered = np.ones(interactions.n_items, np.bool_)
    touched = np.bincount(history.item, minlength=history.n_items) > 0
    cold: Bools = offered & ~touched
    holds_cold = np.bincount(
        baskets.of_event, weights=cold[baskets.events.item], minlength=len(baskets.opening)
    )
    starting = baskets.starting(cut_unix_s, end_unix_s)
    chosen = baskets.first_of_each_user(starting[holds_cold[starting] > 0])
    asked = baskets.ask(chosen, history, cold, cut_unix_s, kind)
    return replace(_told(asked, interactions), candidates=offered)


def _apart(interactions: Interactions) -> Interactions:
    """Every event as a basket of its own."""
    return replace(interactions, session=np.arange(len(interactions), dtype=np.int64))


def _candidates(history: Interactions, kind: EventKind, min_users: int) -> Bools:
    return had_by_at_least(of_kind(history, kind), min_users)


def _last_of_each_user(baskets: Baskets, chosen: Ints) -> Ints:
    users = baskets.events.user[baskets.opening[chosen]]
    return chosen[np.searchsorted(users, np.unique(users), side="right") - 1]


def _did_before(
    interactions: Interactions, baskets: Baskets, chosen: Ints, kind: EventKind
) -> Bools:
    """Whether the user of each chosen basket did anything before it, bool."""
    opening = np.flatnonzero(interactions.kind == KINDS.index(kind))[baskets.opening[chosen]]
    return interactions.user_offsets()[interactions.user[opening]] < opening


def _without_last(
    interactions: Interactions, baskets: Baskets, chosen: Ints, kind: EventKind
) -> Interactions:
    """All events but those of a user from the chosen basket's first on."""
    opening = np.flatnonzero(interactions.kind == KINDS.index(kind))[baskets.opening[chosen]]
    end = np.full(interactions.n_users, len(interactions), np.int64)
    end[interactions.user[opening]] = opening
    return interactions.where(np.arange(len(interactions)) < end[interactions.user])


def _told(asked: EvaluationSet, interactions: Interactions) -> EvaluationSet:
    """The same, with what those who ask did from the cut until their last request."""
    last = np.full(interactions.n_users, asked.cut_unix_s, np.int64)
    np.maximum.at(last, asked.requests.user, asked.requests.at_unix_s)
    at = interactions.at_unix_s
    since = interactions.where((at >= asked.cut_unix_s) & (at < last[interactions.user]))
    return replace(asked, requests=replace(asked.requests, since=since))
