"""Candidates of one request and their scores: from a user and a moment to arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.interactions import Floats
from engine.learn import taste_of
from engine.runtime import Run
from engine.shopper import dismissed_rows, history_of
from engine.types import Event
from graph import embed_users
from retrieval.candidates import Channel
from retrieval.recall import Query, Recalled, recall
from retrieval.rerank.batch import Batch, single, tokens_of
from retrieval.rerank.features import cross_features
from retrieval.rerank.records import History, Moment


@dataclass(frozen=True, slots=True)
class Wish:
    """What a scene asks for, as a vector of the encoder's space, float32 ``[D]``."""

    channel: str
    """``words`` or ``photo``."""
    vector: Floats


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: who, when and where, and what is known of them by now."""

    user_id: str
    moment: Moment
    live: Sequence[Event]
    """The user's events of the store, oldest first."""
    wishes: tuple[Wish, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that the network is given for one request."""

    history: History
    user_vector: Floats
    recalled: Recalled
    batch: Batch


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

    @property
    def total(self) -> Floats:
        """What the list is ordered by."""
        return self.model + self.wish


def prepare(run: Run, asked: Asked) -> Prepared:
    """Recall candidates and describe them."""
    quota, moment = run.config.candidates, asked.moment
    history = history_of(run, asked.user_id, asked.live, moment)
    taken, interest = taste_of(history, moment, run.config.graph.half_life_days)
    user = embed_users(run.tables.graph, [taken], [interest])[0]
    limits = {"words": quota.words, "photo": quota.photo}
    query = Query(
        history,
        moment,
        user,
        nearest_by_taste(run, user, 2 * quota.graph),
        run.vocabulary.users.find(asked.user_id),
        tuple(
            nearest_by_content(run, wish.channel, wish.vector, limits[wish.channel])
            for wish in asked.wishes
        ),
    )
    found = recall(query, run.world, run.tables, quota, run.world.items.recommendable)
    rows = found.candidates.rows
    features = cross_features(history, moment, rows, found.sources, run.world)
    tokens = tokens_of(history, moment, run.config.rerank.history)
    return Prepared(history, user, found, single(tokens, rows, features))


@torch.inference_mode()
def score(run: Run, asked: Asked) -> Scored:
    """Score the candidates of one request."""
    ready = prepare(run, asked)
    rows = ready.recalled.candidates.rows
    logits: Floats = run.model(ready.batch)[0, :, 0].numpy()
    wish = np.zeros(len(rows), dtype=np.float32)
    for asks in asked.wishes:
        wish += run.config.policy.wish_weight * (run.tables.content[rows] @ asks.vector)
    allowed = ~np.isin(rows, dismissed_rows(run, asked.live))
    return Scored(ready.history, asked.moment, ready.recalled, logits, wish, allowed, asked.wishes)


def nearest_by_taste(run: Run, user: Floats, n: int) -> Channel:
    """Items nearest to a user's graph vector, float32 ``[G]``."""
    found = run.by_taste.search(user[None], n)
    valid = found.valid[0]
    return Channel("graph", found.rows[0][valid], found.scores[0][valid])


def nearest_by_content(run: Run, name: str, vector: Floats, n: int) -> Channel:
    """Recommendable items that look and read most like a vector, float32 ``[D]``."""
    allowed = np.flatnonzero(run.world.items.recommendable)
    found = run.by_content.search(vector[None].astype(np.float32), n, allowed=allowed)
    valid = found.valid[0]
    return Channel(name, found.rows[0][valid], found.scores[0][valid])
