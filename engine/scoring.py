"""Candidates of one request and their scores: from a user and a moment to arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.interactions import Floats, Ints
from engine.learn import taste_of
from engine.runtime import Run
from engine.shopper import dismissed_rows, history_of
from engine.types import Event
from graph import embed_users
from retrieval.candidates import Bools, Channel
from retrieval.recall import Query, Recalled, last_visits, recall
from retrieval.rerank.batch import Batch, Tokens, single, tokens_of
from retrieval.rerank.features import cross_features
from retrieval.rerank.records import History, Moment
from retrieval.rerank.runtime import runtime_of

TICK_S = 60
"""Seconds that the network's clock moves by; ages in its tokens are told in half-octaves of hours,
so that nothing hangs on a minute."""
SCORED, SCORED_PER_ANSWER = 200, 4
"""Candidates that the network scores at least, and for each answer that is wanted; more, if what
was taken before or asked for is more."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a scene asks for, as a vector of the encoder's space, float32 ``[D]``."""

    channel: str
    """``words``, ``photo`` or ``ambience``."""
    vector: Floats
    text: str | None = None
    """The words as they were typed; None of a photo."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: who, when and where, and what is known of them by now."""

    user_id: str
    moment: Moment
    live: Sequence[Event]
    """The user's events of the store, oldest first."""
    wishes: tuple[Wish, ...] = ()
    allowed: Bools | None = None
    """Items that the answer may hold, bool ``[I]``; None is every one on offer."""
    listed: Ints | None = None
    """Rows that are candidates whatever the channels find, int64, ascending: all of them are
    scored. With ``allowed`` for these alone, nothing else is."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that the network is given for one request."""

    history: History
    user_vector: Floats
    recalled: Recalled
    tokens: Tokens
    features: Floats
    """float32 ``[C, F]``"""

    @property
    def batch(self) -> Batch:
        """The same as the network takes it."""
        return single(self.tokens, self.recalled.candidates.rows, self.features)


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates of one request with their scores. Shapes ``[C]``."""

    history: History
    moment: Moment
    recalled: Recalled
    model: Floats
    """Logits of the first head."""
    wish: Floats
    """What the scene's words and photo add."""
    allowed: NDArray[np.bool_]
    """False for what the user dismissed."""
    wishes: tuple[Wish, ...]
    tokens: Tokens
    """What the network was given of the past and of the scene; impressions keep it."""
    features: Floats
    """And of the candidates, ``[C, F]``."""

    @property
    def total(self) -> Floats:
        """What the list is ordered by."""
        return self.model + self.wish


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates of one request, and what they were found by."""

    history: History
    user_vector: Floats
    recalled: Recalled


def find(run: Run, asked: Asked, most: int | None = None) -> Found:
    """Recall the candidates of one request: what serving scores and evaluation counts.

    Args:
        run: Knows the items and the user.
        asked: The request.
        most: Keep about so many, as :func:`retrieval.recall.shortlist` does; None keeps all.
    """
    quota, moment = run.config.candidates, asked.moment
    if asked.listed is not None:
        quota = quota.model_copy(update={"most": None})
    allowed = run.world.items.recommendable if asked.allowed is None else asked.allowed
    among = None if asked.allowed is None else np.flatnonzero(allowed)
    history = history_of(run, asked.user_id, asked.live, moment)
    user = _vector_of(run, history, moment)
    query = Query(
        history,
        moment,
        user,
        nearest_by_taste(run, user, 2 * quota.graph, among),
        run.vocabulary.users.find(asked.user_id),
        (*_listed(asked), *_wished(run, asked.wishes, allowed)),
        _like_the_last(run, history, moment, among) if quota.recent else None,
    )
    found = recall(query, run.world, run.tables, quota, allowed, most)
    return Found(history, user, found)


def prepare(run: Run, asked: Asked, k: int = 10) -> Prepared:
    """Recall candidates and describe those that are worth scoring for ``k`` answers."""
    most = max(SCORED, SCORED_PER_ANSWER * k)
    found = find(run, asked, most if asked.listed is None else None)
    history, recalled = found.history, found.recalled
    rows = recalled.candidates.rows
    features = cross_features(history, asked.moment, rows, recalled.sources, run.world)
    tokens = tokens_of(history, _ticked(asked.moment), run.config.rerank.history)
    return Prepared(history, found.user_vector, recalled, tokens, features)


def _ticked(moment: Moment) -> Moment:
    """The moment as the network's clock shows it: requests of one visit share what it encodes."""
    past = moment.at_unix_s % TICK_S
    return replace(moment, at_unix_s=moment.at_unix_s - past, local_s=moment.local_s - past)


def score(run: Run, asked: Asked, k: int = 10) -> Scored:
    """Score the candidates of one request for ``k`` answers."""
    ready = prepare(run, asked, k)
    rows = ready.recalled.candidates.rows
    logits = runtime_of(run.model)(ready.tokens, rows, ready.features)[:, 0]
    wish = np.zeros(len(rows), dtype=np.float32)
    for asks in asked.wishes:
        wish += run.config.policy.wish_weight * (run.tables.content[rows] @ asks.vector)
    allowed = none_of(rows, dismissed_rows(run, asked.live))
    return Scored(
        ready.history,
        asked.moment,
        ready.recalled,
        logits,
        wish,
        allowed,
        asked.wishes,
        ready.tokens,
        ready.features,
    )


def none_of(rows: Ints, barred: Ints) -> Bools:
    """Which rows ``[C]`` are none of those that are barred, int64 ``[n]``: bool ``[C]``."""
    if not len(barred):
        return np.ones(len(rows), dtype=np.bool_)
    return np.isin(rows, barred, invert=True)


def nearest_by_taste(
    run: Run, user: Floats, n: int, among: Ints | None = None, name: str = "graph"
) -> Channel:
    """Items nearest to a user's graph vector, float32 ``[G]``; ``among`` are ascending rows."""
    found = run.by_taste.search(user[None], n, allowed=among)
    valid = found.valid[0]
    return Channel(name, found.rows[0][valid], found.scores[0][valid])


def nearest_by_content(
    run: Run, name: str, vector: Floats, n: int, allowed: Ints | None = None
) -> Channel:
    """Items that look and read most like a vector, float32 ``[D]``, of those that may be shown.

    Args:
        run: Knows the items.
        name: Of the channel.
        vector: What they should be like.
        n: How many.
        allowed: Rows that may be answered, ascending; None is every item on offer.
    """
    if allowed is None:
        allowed = np.flatnonzero(run.world.items.recommendable)
    found = run.by_content.search(vector[None].astype(np.float32), n, allowed=allowed)
    valid = found.valid[0]
    return Channel(name, found.rows[0][valid], found.scores[0][valid])


def nearest_by_terms(run: Run, text: str, n: int, allowed: Ints | None = None) -> Channel:
    """Items that hold the very words of a text, by BM25; ``allowed`` as above."""
    if allowed is None:
        allowed = np.flatnonzero(run.world.items.recommendable)
    rows, scores = run.words.search(text, n, allowed=allowed)
    return Channel("terms", rows, scores)


def _vector_of(run: Run, history: History, moment: Moment) -> Floats:
    taken, interest = taste_of(history, moment, run.config.graph.half_life_days)
    vector: Floats = embed_users(run.tables.graph, [taken], [interest])[0]
    return vector


def _like_the_last(run: Run, history: History, moment: Moment, among: Ints | None) -> Channel:
    """Items nearest to what the last visits held."""
    vector = _vector_of(run, last_visits(history), moment)
    return nearest_by_taste(run, vector, 2 * run.config.candidates.recent, among, "recent")


def _listed(asked: Asked) -> Iterator[Channel]:
    if asked.listed is not None:
        yield Channel("listed", asked.listed, np.zeros(len(asked.listed), np.float32))


def _wished(run: Run, wishes: Sequence[Wish], allowed: Bools) -> Iterator[Channel]:
    """What the scene's words mean, what they say, what its photo and its weather suggest."""
    quota = run.config.candidates
    limits = {"words": quota.words, "photo": quota.photo, "ambience": quota.words // 4}
    rows = np.flatnonzero(allowed) if wishes else np.zeros(0, np.int64)
    for wish in wishes:
        n = limits[wish.channel]
        if n:
            vector = wish.vector / np.linalg.norm(wish.vector)
            yield nearest_by_content(run, wish.channel, vector, n, rows)
        if wish.text is not None and quota.terms:
            yield nearest_by_terms(run, wish.text, quota.terms, rows)
