"""Training requests for the reranker: past sessions, asked as if they were made now.

Every request sees only what was known when it began: the user's events before it, the trends
of the last whole week before it, and vectors and neighbours learned before the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.arrays import kind_weights
from engine.calendar import days_to_holiday
from engine.interactions import Floats, Interactions, Ints
from engine.types import KINDS, EventKind
from graph import embed_users, interest
from retrieval.candidates import Channel, top_rows
from retrieval.crowd import Crowd, gather_crowd, no_crowd
from retrieval.index import VectorIndex
from retrieval.neighbours import Neighbours
from retrieval.recall import Query, Tables, recall
from retrieval.rerank.batch import tokens_of
from retrieval.rerank.config import CandidateConfig, RerankConfig
from retrieval.rerank.examples import Example
from retrieval.rerank.facets import Facets, take_facets
from retrieval.rerank.features import World, cross_features
from retrieval.rerank.intervals import IntervalTable
from retrieval.rerank.offers import OfferCalendar
from retrieval.rerank.records import DAY_S, History, ItemTable, Moment
from retrieval.rerank.trends import take_trends
from retrieval.totals import decayed, totals

WEEK_S = 7 * DAY_S
TASK_KINDS = {
    "purchase": (EventKind.PURCHASE,),
    "rating": (EventKind.RATING,),
    "click": (EventKind.VIEW, EventKind.CLICK, EventKind.CART),
}
"""Heads, most telling first; a run has those whose events it has. A rating counts as a positive
from the median of all ratings on."""
SEARCHED_AT_ONCE = 1_024
_KIND_WEIGHTS = kind_weights()


@dataclass(frozen=True, slots=True)
class Session:
    """One visit of a user: events ``start`` to ``stop``; those of the user before it are known."""

    user: int
    first: int
    """Row of the user's first event of all."""
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Past:
    """All events, as interactions and as one long history, in the same order."""

    events: Interactions
    history: History
    country: str | None = None
    """Of the shop, for holidays."""

    def before(self, session: Session) -> History:
        """What the user had done when the session began."""
        return self.history.slice(session.first, session.start)

    def moment(self, session: Session) -> Moment:
        """When and where the session began."""
        h, i = self.history, session.start
        local = int(h.local_s[i])
        to_holiday = days_to_holiday(local, self.country)
        codes = self.events.facets
        facets = () if codes is None else tuple(int(code) for code in codes[i])
        return Moment(int(h.at_unix_s[i]), local, int(h.place[i]), to_holiday, facets)


def sessions_between(events: Interactions, since_unix_s: int, until_unix_s: int) -> list[Session]:
    """Sessions that begin at or after ``since`` and before ``until``."""
    n = len(events)
    change = np.flatnonzero(np.diff(events.session) | np.diff(events.user)) + 1
    starts = np.concatenate([[0], change]).astype(np.int64)[: None if n else 0]
    stops = np.append(starts[1:], n)
    offsets = events.user_offsets()
    at = events.at_unix_s[starts]
    inside = (at >= since_unix_s) & (at < until_unix_s)
    return [
        Session(int(u := events.user[a]), int(offsets[u]), int(a), int(b))
        for a, b in zip(starts[inside], stops[inside], strict=True)
    ]


def tasks_of(events: Interactions) -> tuple[str, ...]:
    """The heads that these events can teach."""
    present = {KINDS[k] for k in np.unique(events.kind)}
    return tuple(task for task, of_task in TASK_KINDS.items() if present & set(of_task))


def choose_sessions(
    sessions: list[Session],
    events: Interactions,
    config: RerankConfig,
    as_of_unix_s: int,
    seed: int,
) -> list[tuple[Session, float]]:
    """At most ``max_requests`` sessions with their weights; newer ones are likelier."""
    if not sessions:
        return []
    at = events.at_unix_s[[s.start for s in sessions]]
    weight = 0.5 ** ((as_of_unix_s - at) / DAY_S / config.half_life_days)
    rng = np.random.default_rng(seed)
    n = min(len(sessions), config.max_requests)
    chosen = np.sort(rng.choice(len(sessions), size=n, replace=False, p=weight / weight.sum()))
    # Drawn in proportion to its weight, a session needs no weight in the loss; all of them do.
    drawn = n < len(sessions)
    return [(sessions[i], 1.0 if drawn else float(weight[i])) for i in chosen]


@dataclass(frozen=True, slots=True)
class Teacher:
    """Turns sessions into examples."""

    past: Past
    items: ItemTable
    tables: Tables
    index: VectorIndex
    """Over ``tables.graph``."""
    world_at: Callable[[int], World]
    """The world as known at a moment."""
    candidates: CandidateConfig
    rerank: RerankConfig
    user_half_life_days: float

    def examples(self, chosen: list[tuple[Session, float]], seed: int) -> Iterator[Example | None]:
        """One example per session; None where nothing that it holds was retrieved."""
        rng = np.random.default_rng(seed)
        tasks = tasks_of(self.past.events)
        liked = _liked(self.past.events)
        for start in range(0, len(chosen), SEARCHED_AT_ONCE):
            part = chosen[start : start + SEARCHED_AT_ONCE]
            vectors = self._user_vectors([s for s, _ in part])
            found = self.index.search(vectors, 2 * self.candidates.graph)
            for i, (session, weight) in enumerate(part):
                nearest = top_rows(
                    "graph",
                    found.rows[i][found.valid[i]],
                    found.scores[i][found.valid[i]],
                    2 * self.candidates.graph,
                )
                yield self._example(session, weight, (vectors[i], nearest), (tasks, liked, rng))

    def _user_vectors(self, sessions: list[Session]) -> Floats:
        parts = [
            taste_of(self.past.before(s), self.past.moment(s), self.user_half_life_days)
            for s in sessions
        ]
        return embed_users(self.tables.graph, [p[0] for p in parts], [p[1] for p in parts])

    def _example(
        self,
        session: Session,
        weight: float,
        user: tuple[Floats, Channel],
        teaching: tuple[tuple[str, ...], NDArray[np.bool_], np.random.Generator],
    ) -> Example | None:
        history, moment = self.past.before(session), self.past.moment(session)
        world = self.world_at(moment.at_unix_s)
        query = Query(history, moment, user[0], user[1], session.user)
        found = recall(query, world, self.tables, self.candidates, self.items.recommendable)
        rows = found.candidates.rows
        tasks, liked, rng = teaching
        label = _labels(self.past.events, session, rows, tasks, liked)
        positive: NDArray[np.bool_] = np.any(label, axis=1)
        if not positive.any():
            return None
        kept, log_weight = _sample(positive, self.rerank.negatives, rng)
        features = cross_features(history, moment, rows, found.sources, world)[kept]
        rows = rows[kept]
        return Example(
            user=session.user,
            weight=weight,
            tokens=tokens_of(history, moment, self.rerank.history),
            candidates=rows,
            features=features,
            label=label[kept],
            is_new=~np.isin(rows, history.item),
            log_weight=log_weight,
        )


def taste_of(history: History, moment: Moment, half_life_days: float) -> tuple[Ints, Floats]:
    """Items of a history and the interest in each, for :func:`graph.embed_users`."""
    age_days = (moment.at_unix_s - history.at_unix_s) / DAY_S
    weight = _KIND_WEIGHTS.take(history.kind) * decayed(age_days, half_life_days)
    taken, total = totals(history.item, weight)
    return taken, interest(total.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Fixed:
    """What all worlds of one training share."""

    items: ItemTable
    offers: OfferCalendar
    vectors: Floats
    """Graph vectors of the items, float32 ``[I, G]``."""
    n_places: int
    user_half_life_days: float
    habit_half_life_days: float
    needs: IntervalTable | None = None
    """How often items are taken again."""
    linear: Neighbours | None = None
    """What speaks for what."""


def world_before(past: Past, fixed: Fixed, as_of_unix_s: int) -> World:
    """The world as known at a moment, from events strictly before it."""
    trends = take_trends(
        past.events.user,
        past.history,
        groups=fixed.items.groups,
        n_groups=fixed.items.n_groups,
        n_places=fixed.n_places,
        as_of_unix_s=as_of_unix_s,
    )
    crowd = _crowd(past, fixed, as_of_unix_s)
    facets = _facets(past, fixed, as_of_unix_s)
    return World(fixed.items, trends, fixed.offers, crowd, facets, fixed.needs, fixed.linear)


def _facets(past: Past, fixed: Fixed, as_of_unix_s: int) -> Facets:
    """What was taken under each value of the scene's facets before a moment."""
    events = past.events
    if events.facets is None:
        return ()
    known = events.at_unix_s < as_of_unix_s
    return take_facets(
        events.item[known],
        events.facets[known],
        events.facet_kinds,
        group=fixed.items.groups[0],
        n_groups=fixed.items.n_groups[0],
    )


def _crowd(past: Past, fixed: Fixed, as_of_unix_s: int) -> Crowd:
    events = past.events.before(as_of_unix_s)
    if len(events) == 0:
        return no_crowd(events.n_items, fixed.vectors.shape[1])
    age_days = (as_of_unix_s - events.at_unix_s) / DAY_S
    decay = 0.5 ** (age_days / fixed.habit_half_life_days)
    _, first = np.unique(events.session, return_index=True)
    visits = np.bincount(events.user[first], weights=decay[first], minlength=events.n_users)
    moment = Moment(as_of_unix_s, as_of_unix_s)
    known = past.history.where(past.history.at_unix_s < as_of_unix_s)
    offsets = events.user_offsets()
    tastes = [
        taste_of(known.slice(int(a), int(b)), moment, fixed.user_half_life_days)
        for a, b in pairwise(offsets)
    ]
    vectors = embed_users(fixed.vectors, [t[0] for t in tastes], [t[1] for t in tastes])
    return gather_crowd(
        events.user,
        events.item,
        decay.astype(np.float32),
        visits.astype(np.float32),
        vectors,
        n_items=events.n_items,
    )


class WeeklyWorlds:
    """The world at a moment: as of the last whole week before it, counted from the cut.

    Training needs one of about ten worlds for each of many thousand requests.
    """

    def __init__(self, past: Past, fixed: Fixed, as_of_unix_s: int) -> None:
        self._past, self._fixed, self._as_of = past, fixed, as_of_unix_s
        self._worlds: dict[int, World] = {}

    def __call__(self, at_unix_s: int) -> World:
        """The world that a request at this moment may see."""
        weeks = -(-(self._as_of - at_unix_s) // WEEK_S)
        moment = self._as_of - weeks * WEEK_S
        if moment not in self._worlds:
            self._worlds[moment] = world_before(self._past, self._fixed, moment)
        return self._worlds[moment]


def _liked(events: Interactions) -> NDArray[np.bool_]:
    """Events that count as a positive of their kind: all, but ratings below the median."""
    rating = events.kind == KINDS.index(EventKind.RATING)
    if not rating.any():
        return np.ones(len(events), dtype=np.bool_)
    liked: NDArray[np.bool_] = ~rating | (events.value >= np.median(events.value[rating]))
    return liked


def _labels(
    events: Interactions,
    session: Session,
    candidates: Ints,
    tasks: tuple[str, ...],
    liked: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    span = slice(session.start, session.stop)
    item, kind, good = events.item[span], events.kind[span], liked[span]
    columns = []
    for task in tasks:
        of_task = good & np.isin(kind, [KINDS.index(k) for k in TASK_KINDS[task]])
        columns.append(np.isin(candidates, item[of_task]))
    return np.stack(columns, axis=1)


def _sample(
    positive: NDArray[np.bool_], n_negatives: int, rng: np.random.Generator
) -> tuple[Ints, Floats]:
    """Rows of all positives and some negatives, ascending, and what each stands for."""
    negative = np.flatnonzero(~positive)
    n = min(n_negatives, len(negative))
    drawn = rng.choice(negative, size=n, replace=False)
    kept = np.sort(np.concatenate([np.flatnonzero(positive), drawn]))
    share = np.log(len(negative) / n) if n else 0.0
    return kept, np.where(positive[kept], 0.0, share).astype(np.float32)
