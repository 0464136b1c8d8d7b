"""Candidates for a request: every channel that reads arrays, and the scores they leave behind.

Training and serving call the same functions, so that the reranker learns on what it will see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates import Candidates, Channel, merge, top_of, top_rows
from retrieval.fusion import within
from retrieval.neighbours import Neighbours
from retrieval.partners import Partners, no_partners
from retrieval.rerank.config import CandidateConfig
from retrieval.rerank.features import Sources, World
from retrieval.rerank.records import DAY_S, Bools, Floats, History, Moment
from retrieval.rerank.trends import day_slot

PROFILE_HALF_LIFE_DAYS = 30.0
NO_PARTNERS = no_partners(0)
UNKNOWN_TASTE = 0.05
"""What a group that the user never took from counts, beside the share of one that they did."""
RECENT_VISITS = 3
"""Visits that the user is still coming from: what they took goes with what they take next."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What channels look up, by item row."""

    neighbours: Neighbours
    graph: Floats
    """float32 ``[I, G]`` unit rows."""
    content: Floats
    """float32 ``[I, D]`` unit rows; zero rows for items without picture and words."""
    partners: Partners = NO_PARTNERS
    """What lies in one basket with what; of the first items, as others come later."""


@dataclass(frozen=True, slots=True)
class Query:
    """One request as the channels see it."""

    history: History
    moment: Moment
    user_vector: Floats
    """float32 ``[G]``"""
    nearest: Channel
    """The user vector's neighbours in the index."""
    user: int | None = None
    """Row of the user; None if the run does not know them."""
    asked: tuple[Channel, ...] = ()
    """What the scene's words or photo found."""
    recent: Channel | None = None
    """What the index holds nearest to the items of the last visits, if that was asked."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """Candidates and, in the same order, their retrieval scores."""

    candidates: Candidates
    sources: Sources


def recall(
    query: Query, world: World, tables: Tables, config: CandidateConfig, allowed: Bools
) -> Recalled:
    """Candidates of one request.

    Args:
        query: The request.
        world: Items, trends and offers as known at its moment.
        tables: Vectors and neighbours.
        config: Quotas.
        allowed: bool ``[I]``: items that may be answered at all.
    """
    history = query.history
    age = (query.moment.at_unix_s - history.at_unix_s) / DAY_S
    decay = 0.5 ** (age / config.habit_half_life_days)
    taken, inverse = np.unique(history.item, return_inverse=True)
    strength = np.bincount(inverse, weights=decay, minlength=len(taken)).astype(np.float32)
    together = tables.neighbours.scores(taken, np.sqrt(strength))
    crowd = np.zeros_like(together)  # without a taste, nobody's is alike
    if len(taken):
        crowd = world.crowd.scores(query.user_vector, query.user)
    mine = allowed[taken]
    unseen = allowed.copy()
    unseen[taken] = False
    nearest = query.nearest
    fresh = unseen[nearest.rows]
    channels = [
        top_rows("history", taken[mine], strength[mine], config.history),
        top_rows("graph", nearest.rows[fresh], nearest.scores[fresh], config.graph),
        top_of("together", together, unseen, config.together),
        top_of("crowd", crowd, unseen, config.crowd),
        *_selling(history, decay, query.moment, world, unseen, config),
        *_if_asked(query, world, tables, unseen, config),
        *(_within(channel, allowed) for channel in query.asked),
    ]
    candidates = merge(channels)
    if config.most is not None:
        candidates = within(candidates, config.most)
    rows = candidates.rows
    sources = Sources(
        graph=tables.graph[rows] @ query.user_vector,
        together=np.log1p(10 * together[rows]),
        crowd=np.log1p(100 * crowd[rows]),
        content=tables.content[rows] @ content_profile(history, age, tables.content),
    )
    return Recalled(candidates, sources)


def token_vectors(graph: Floats, content: Floats, width: int = 32) -> Floats:
    """What the reranker's tokens carry of an item: its graph vector and its main content axes.

    Args:
        graph: float32 ``[I, G]``.
        content: float32 ``[I, D]``.
        width: Principal axes of the content kept.

    Returns:
        float32 ``[I, G + width]``; both parts have a mean square of one over their width.
    """
    centred = content - content.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred / max(len(content), 1))
    kept = axes[:, np.argsort(-values)[: min(width, axes.shape[1])]]
    main = centred @ kept
    scale = np.sqrt(np.square(main).sum(axis=1).mean()) + 1e-9
    return np.concatenate([graph, main / scale], axis=1).astype(np.float32)


def content_profile(history: History, age: NDArray[np.float64], content: Floats) -> Floats:
    """What the user's recent items look and read like, float32 ``[D]``; unit, or zero."""
    recent = slice(max(0, len(history) - 100), len(history))
    weight = (0.5 ** (age[recent] / PROFILE_HALF_LIFE_DAYS)).astype(np.float32)
    profile: Floats = weight @ content[history.item[recent]]
    return profile / max(float(np.linalg.norm(profile)), 1e-9)


def last_visits(history: History, n: int = RECENT_VISITS) -> History:
    """What the user did in the last ``n`` visits."""
    begins = np.flatnonzero(np.diff(history.session, prepend=np.nan))
    return history.slice(int(begins[-n:][0]) if len(begins) else 0, len(history))


def _if_asked(
    query: Query, world: World, tables: Tables, unseen: Bools, config: CandidateConfig
) -> Iterator[Channel]:
    """Channels that are not there, and cost nothing, without a quota."""
    trends = world.trends
    selling = trends.best_sellers[unseen[trends.best_sellers]]
    if config.basket:
        last = np.unique(last_visits(query.history).item)
        lifts = tables.partners.lifts(last[last < len(tables.partners)])
        yield top_of("basket", lifts, unseen[: len(lifts)], config.basket)
    if config.week:
        yield top_rows("week", selling, trends.last_7_days[selling], config.week)
    if config.hour:
        slot = int(day_slot(np.array([query.moment.local_s]))[0])
        now = trends.last_28_days[selling] * np.exp(trends.slot_lift[slot, selling])
        yield top_rows("hour", selling, now, config.hour)
    if config.recent and query.recent is not None:
        fresh = unseen[query.recent.rows]
        rows, scores = query.recent.rows[fresh], query.recent.scores[fresh]
        yield top_rows("recent", rows, scores, config.recent)


def _within(channel: Channel, allowed: Bools) -> Channel:
    kept = allowed[channel.rows]
    return Channel(channel.name, channel.rows[kept], channel.scores[kept])


def _selling(
    history: History,
    decay: NDArray[np.float64],
    moment: Moment,
    world: World,
    unseen: Bools,
    config: CandidateConfig,
) -> Sequence[Channel]:
    """What sells: here, everywhere, on offer, and in the groups that the user takes from."""
    trends = world.trends
    sold_here = trends.at_place(moment.place).sold if moment.place else np.zeros(0, np.float32)
    here = np.flatnonzero(unseen[: len(sold_here)] & (sold_here > 0))
    popular = trends.best_sellers[unseen[trends.best_sellers]]
    habit = _group_habit(history, decay, world)
    by_habit = (trends.last_28_days + 0.5) * habit
    offered = (world.offers.running(moment.place, moment.at_unix_s) > 0) & unseen
    return (
        top_rows("scene", here, sold_here[here], config.scene),
        top_rows("popular", popular, trends.last_28_days[popular], config.popular),
        top_of("category", by_habit, unseen, config.category),
        top_of("offers", by_habit, offered, config.offers),
    )


def _group_habit(history: History, decay: NDArray[np.float64], world: World) -> Floats:
    """How much of the user's taking falls in each item's finest group, float32 ``[I]``."""
    codes, n = world.items.groups[0], world.items.n_groups[0]
    taken = np.bincount(codes[history.item], weights=decay, minlength=n)
    sold = world.trends.group_counts[0]
    share = (taken / max(taken.sum(), 1.0) + UNKNOWN_TASTE / n) / (sold + 20.0)
    habit: Floats = share[codes].astype(np.float32)
    return habit
