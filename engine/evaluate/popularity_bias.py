"""Who is given more popular things than they take: users by how popular their own things are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.evaluate.items import Renown
from engine.evaluate.list_measures import PerRequest
from engine.evaluate.protocol import EvaluationSet, Ranked

GROUPS = ("niche", "diverse", "blockbuster")
EDGE_SHARE = 0.2
"""Users with least, and with most, of popular items in their history."""


@dataclass(frozen=True, slots=True)
class PopularityLift:
    """One group of users; popularity of an item is the share of users who had it."""

    group: str
    """``niche``: the fifth with the least popular taste; ``blockbuster``: the one with the most."""
    n_users: int
    taken: float
    """Mean popularity of what a user of the group takes, averaged over users."""
    listed: float
    """The same of what their lists hold."""
    lift: float
    """By how much lists are more popular, as a share of what is taken; 0 is fair."""


def popularity_lifts(
    ranked: Ranked, asked: EvaluationSet, renown: Renown
) -> tuple[PopularityLift, ...]:
    """Group average popularity of histories and lists, and how far they are apart.

    Abdollahpouri, Mansoury, Burke and Mobasher, "The unfairness of popularity bias in
    recommendation", RMSE workshop at RecSys 2019. Users are told apart by the share of popular
    items in their history; those without one, and those without an answer, are in no group.
    Groups that are empty are left out.
    """
    had = asked.had()
    popularity = renown.n_users / max(renown.n_asking, 1)
    events = np.bincount(had.user, minlength=had.n_users)
    per_event = np.maximum(events, 1)
    taken = np.bincount(had.user, weights=popularity[had.item], minlength=had.n_users) / per_event
    popular = np.bincount(had.user, weights=renown.head[had.item], minlength=had.n_users)
    listed, answers = _listed(ranked, asked, popularity)
    users = np.flatnonzero((events > 0) & (answers > 0))
    taste = (popular / per_event)[users]
    order = users[np.argsort(taste, kind="stable")]
    edge = int(np.floor(EDGE_SHARE * len(order)))
    parts = np.split(order, [edge, len(order) - edge])
    return tuple(
        PopularityLift(
            group,
            len(part),
            float(taken[part].mean()),
            float(listed[part].mean()),
            float(listed[part].mean() / taken[part].mean() - 1.0),
        )
        for group, part in zip(GROUPS, parts, strict=True)
        if len(part)
    )


def _listed(
    ranked: Ranked, asked: EvaluationSet, popularity: PerRequest
) -> tuple[PerRequest, PerRequest]:
    """Mean popularity of each user's answers, and their number, ``[U]``."""
    request, _ = np.nonzero(ranked.valid)
    user, n_users = asked.requests.user[request], asked.history.n_users
    answers = np.bincount(user, minlength=n_users).astype(np.float64)
    total = np.bincount(user, weights=popularity[ranked.rows[ranked.valid]], minlength=n_users)
    return total / np.maximum(answers, 1.0), answers
