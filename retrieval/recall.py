"""Candidates for a request: every channel that reads arrays, and the scores they leave behind.

Training and serving call the same functions, so that the reranker learns on what it will see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates import Bits, Candidates, Channel, Ranks, merge, top_open
from retrieval.fusion import within
from retrieval.kernels import kernel
from retrieval.neighbours import Neighbours
from retrieval.partners import Partners, no_partners
from retrieval.rerank.config import CandidateConfig
from retrieval.rerank.facets import facet_pull
from retrieval.rerank.features import Sources, World
from retrieval.rerank.records import DAY_S, Bools, Floats, History, Ints, Moment
from retrieval.rerank.trends import day_slot
from retrieval.shelf import Shelf, shelf_of
from retrieval.strongest import first_open, strongest_above_zero, strongest_of_kinds
from retrieval.totals import decayed, distinct, last_visits_from, totals

PROFILE_HALF_LIFE_DAYS = 30.0
NO_PARTNERS = no_partners(0)
NO_SCENE = Channel("scene", np.zeros(0, np.int64), np.zeros(0, np.float32))
UNKNOWN_TASTE = 0.05
"""What a group that the user never took from counts, beside the share of one that they did."""
SURE_CHANNELS = frozenset(("history", "words", "photo", "ambience", "terms", "listed"))
"""What the user took before and what was asked for: of these nothing is left out unscored."""
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


@dataclass(frozen=True, slots=True)
class Unseen:
    """Items that may be answered and that the user never took."""

    shelf: Shelf
    mask: Bools
    """bool ``[I]``"""

    @classmethod
    def of(cls, shelf: Shelf, taken: Ints) -> Unseen:
        """The items of a shelf without some rows, int64 ``[n]``."""
        mask = shelf.allowed.copy()
        mask[taken] = False
        return cls(shelf, mask)

    def best(self, name: str, scores: Floats, n: int) -> Channel:
        """The ``n`` best whose score is above zero; ``scores`` is float32 ``[I]``."""
        return Channel(name, *strongest_above_zero(self.shelf.rows, scores, self.mask, n))


def recall(
    query: Query,
    world: World,
    tables: Tables,
    config: CandidateConfig,
    allowed: Bools,
    most: int | None = None,
) -> Recalled:
    """Candidates of one request.

    Args:
        query: The request.
        world: Items, trends and offers as known at its moment.
        tables: Vectors and neighbours.
        config: Quotas.
        allowed: bool ``[I]``: items that may be answered at all.
        most: Candidates that :func:`shortlist` leaves; None leaves all.
    """
    history = query.history
    age = (query.moment.at_unix_s - history.at_unix_s) / DAY_S
    decay = decayed(age, config.habit_half_life_days)
    taken, total = totals(history.item, decay)
    strength = total.astype(np.float32)
    together = tables.neighbours.scores(taken, np.sqrt(strength))
    crowd = (
        world.crowd.scores(query.user_vector, query.user)
        if len(taken)
        else np.zeros_like(together)  # without a taste, nobody's is alike
    )
    unseen = Unseen.of(shelf_of(world.trends, allowed), taken)
    nearest = query.nearest
    channels = [
        top_open("history", taken, strength, allowed, config.history),
        top_open("graph", nearest.rows, nearest.scores, unseen.mask, config.graph),
        unseen.best("together", together, config.together),
        unseen.best("crowd", crowd, config.crowd),
        *_selling(taken, total, query.moment, world, unseen, config),
        *_if_asked(query, world, tables, unseen, config),
        *(_within(channel, allowed) for channel in query.asked),
    ]
    candidates = merge(channels)
    if config.most is not None:
        candidates = within(candidates, config.most)
    if most is not None:
        candidates = shortlist(candidates, most)
    profile = content_profile(history, age, tables.content)
    sources = source_scores(
        candidates.rows, tables, query.user_vector, profile, together=together, crowd=crowd
    )
    return Recalled(candidates, sources)


def source_scores(
    rows: Ints, tables: Tables, user: Floats, profile: Floats, *, together: Floats, crowd: Floats
) -> Sources:
    """What retrieval gives items beside their channels.

    Args:
        rows: int64 ``[C]``.
        tables: Vectors of all items.
        user: Graph vector of the user, float32 ``[G]``.
        profile: Of :func:`content_profile`, float32 ``[D]``.
        together: Of all items, float32 ``[I]``.
        crowd: The same.
    """
    return Sources(
        graph=tables.graph.take(rows, axis=0) @ user,
        together=np.log1p(10 * together[rows]),
        crowd=np.log1p(100 * crowd[rows]),
        content=tables.content.take(rows, axis=0) @ profile,
    )


def shortlist(found: Candidates, most: int) -> Candidates:
    """The candidates that are worth a forward pass: a first stage that costs next to nothing.

    All of :data:`SURE_CHANNELS` are kept, and of the rest those that some channel ranks highest;
    at least a quarter of ``most`` is theirs.

    Args:
        found: What the channels proposed.
        most: Candidates kept, if no more than three quarters of it are sure.
    """
    if len(found.rows) <= most:
        return found
    sure = sum(1 << i for i, c in enumerate(found.channels) if c.name in SURE_CHANNELS)
    return found.keep(_worth_scoring(found.found_by, found.best_rank, sure, most))


@kernel
def _worth_scoring(found_by: Bits, best_rank: Ranks, sure: int, most: int) -> Bools:
    """The sure, and the best ranks of the others; of equal ranks the lower rows: bool ``[C]``.

    Args:
        found_by: uint16 ``[C]``.
        best_rank: int32 ``[C]``, from 1; more than ``most`` of them.
        sure: Bits of the channels of which nothing is left out.
        most: As of :func:`shortlist`.
    """
    of_rank = np.zeros(best_rank.max() + 1, np.int64)
    for at in range(len(best_rank)):
        of_rank[0 if found_by[at] & sure else best_rank[at]] += 1
    left = max(most, of_rank[0] + most // 4)
    for rank in range(len(of_rank)):
        of_rank[rank] = min(of_rank[rank], left)
        left -= of_rank[rank]
    kept = np.zeros(len(best_rank), np.bool_)
    for at in range(len(best_rank)):
        rank = 0 if found_by[at] & sure else best_rank[at]
        if of_rank[rank] > 0:
            of_rank[rank] -= 1
            kept[at] = True
    return kept


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
    profile: Floats = weight @ content.take(history.item[recent], axis=0)
    return profile / max(float(np.linalg.norm(profile)), 1e-9)


def last_visits(history: History, n: int = RECENT_VISITS) -> History:
    """What the user did in the last ``n`` visits."""
    return history.slice(last_visits_from(history.session, n), len(history))


def _if_asked(
    query: Query, world: World, tables: Tables, unseen: Unseen, config: CandidateConfig
) -> Iterator[Channel]:
    """Channels that are not there, and cost nothing, without a quota."""
    trends = world.trends
    if config.basket:
        last = distinct(last_visits(query.history).item)
        rows, lifts = tables.partners.lifted(last[last < len(tables.partners)])
        yield top_open("basket", rows, lifts, unseen.mask, config.basket)
    if config.week:
        yield Channel("week", *first_open(*unseen.shelf.of_week, unseen.mask, config.week))
    if config.hour:
        slot = day_slot(query.moment.local_s)
        rows = trends.best_sellers
        now = trends.last_28_days[rows] * np.exp(trends.slot_lift[slot, rows])
        yield top_open("hour", rows, now, unseen.mask, config.hour)
    if config.recent and query.recent is not None:
        near = query.recent
        yield top_open("recent", near.rows, near.scores, unseen.mask, config.recent)


def _within(channel: Channel, allowed: Bools) -> Channel:
    """What a mask, bool ``[I]``, leaves of a channel."""
    kept = allowed[channel.rows]
    return Channel(channel.name, channel.rows[kept], channel.scores[kept])


def _selling(
    taken: Ints,
    total: NDArray[np.float64],
    moment: Moment,
    world: World,
    unseen: Unseen,
    config: CandidateConfig,
) -> Iterator[Channel]:
    """What sells: here, everywhere, on offer, and in the groups that the user takes from."""
    shelf = unseen.shelf
    here = _sold_in_scene(moment, world)
    yield unseen.best("scene", here, config.scene) if len(here) else NO_SCENE
    yield Channel("popular", *first_open(*shelf.popular, unseen.mask, config.popular))
    habit = _group_habit(taken, total, world)
    on_offer = world.offers.running(moment.place, moment.at_unix_s)
    quotas = config.category, config.offers if len(world.offers) else 0
    items = shelf.rows, shelf.sold, shelf.group
    category, offers = strongest_of_kinds(items, habit, unseen.mask, on_offer, quotas)
    yield Channel("category", *category)
    yield Channel("offers", *offers)


def _sold_in_scene(moment: Moment, world: World) -> Floats:
    """How the items sell at the scene's place and under its facets; empty where it tells none."""
    trends = world.trends
    here = trends.at_place(moment.place).sold if moment.place else None
    pull = facet_pull(moment.facets, world.facets, len(world.items)) if world.facets else None
    if pull is None:
        return np.zeros(0, np.float32) if here is None else here
    sold: Floats = (trends.overall_share if here is None else here) * pull
    return sold


def _group_habit(items: Ints, total: NDArray[np.float64], world: World) -> Floats:
    """How much of the user's taking falls in each finest group, per sale: float32 ``[groups]``.

    Args:
        items: int64 ``[T]``, distinct.
        total: What each of them counts, float64 ``[T]``.
        world: Knows the groups, and what they sold.
    """
    codes, n = world.items.groups[0], world.items.n_groups[0]
    taken = np.bincount(codes.take(items), weights=total, minlength=n)
    return _habit_per_sale(taken.astype(np.float64), world.trends.group_counts[0])


@kernel
def _habit_per_sale(taken: NDArray[np.float64], sold: Floats) -> Floats:
    """Share of each group in what was taken, over what it sold in 28 days; all ``[groups]``."""
    habit, n, every = np.empty(len(sold), np.float32), len(sold), max(taken.sum(), 1.0)
    for group in range(n):
        share = taken[group] / every + UNKNOWN_TASTE / n
        habit[group] = share / (sold[group] + np.float32(20))
    return habit
