"""Requests whose right answer is known."""

from __future__ import annotations

import numpy as np

from retrieval.rerank.batch import tokens_of
from retrieval.rerank.examples import Example
from retrieval.rerank.records import DAY_S, Floats, History, Moment

N_ITEMS = 40
N_FEATURES = 3
HISTORY = 6
START_UNIX_S = 1_700_000_000


def item_vectors(seed: int = 0) -> Floats:
    vectors = np.random.default_rng(seed).normal(size=(N_ITEMS, 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def example(
    rng: np.random.Generator,
    *,
    user: int = 0,
    n_events: int = 4,
    n_candidates: int = 8,
    n_tasks: int = 1,
    length: int = HISTORY,
) -> Example:
    """A request about which nothing is planted: its one positive is drawn by lot."""
    at = START_UNIX_S - np.sort(rng.integers(1, 90 * DAY_S, n_events))[::-1].astype(np.int64)
    past = History(
        item=rng.integers(0, N_ITEMS, n_events),
        at_unix_s=at,
        local_s=at + 3600,
        session=np.arange(n_events),
        place=rng.integers(0, 3, n_events),
        value=np.ones(n_events, np.float32),
        kind=rng.integers(0, 8, n_events).astype(np.int8),
    )
    features = rng.normal(size=(n_candidates, N_FEATURES)).astype(np.float16).astype(np.float32)
    features[rng.random(features.shape) < 0.2] = np.nan
    label = np.zeros((n_candidates, n_tasks), np.bool_)
    label[rng.integers(n_candidates, size=n_tasks), np.arange(n_tasks)] = True
    return Example(
        user=user,
        weight=1.0,
        tokens=tokens_of(past, Moment(START_UNIX_S, START_UNIX_S + 3600, 1), length),
        candidates=rng.choice(N_ITEMS, n_candidates, replace=False),
        features=features,
        label=label,
        is_new=np.ones(n_candidates, np.bool_),
        log_weight=np.zeros(n_candidates, np.float32),
    )


def decided_by_a_feature(n: int, seed: int) -> list[Example]:
    """The positive is the candidate with the highest first feature."""
    rng = np.random.default_rng(seed)
    return [_of_feature(example(rng, user=i), rng) for i in range(n)]


def _of_feature(drawn: Example, rng: np.random.Generator) -> Example:
    features = rng.normal(size=drawn.features.shape).astype(np.float32)
    label = features[:, :1] == features[:, 0].max()
    return Example(
        drawn.user,
        drawn.weight,
        drawn.tokens,
        drawn.candidates,
        features,
        label,
        drawn.is_new,
        drawn.log_weight,
    )


AGES_DAYS = (1, 3, 7, 14, 30)


def bought_a_week_ago(n: int, seed: int) -> list[Example]:
    """The positive is what was bought here exactly seven days ago; features say nothing.

    Something else was bought elsewhere at the same time, and more here at other times, so that
    neither the age nor the place nor having been bought is enough.
    """
    rng = np.random.default_rng(seed)
    found = []
    for user in range(n):
        wanted, decoy, *others = rng.choice(N_ITEMS, 10, replace=False)
        ages = rng.choice([a for a in AGES_DAYS if a != 7], size=3, replace=False)
        events = [(wanted, 7, 1), (decoy, 7, 2)]
        events += [(item, age, 1) for item, age in zip(others, ages, strict=False)]
        events = [events[i] for i in rng.permutation(len(events))]
        events.sort(key=lambda event: -event[1])
        item, age, place = np.array(events, np.int64).T
        at = START_UNIX_S - age * DAY_S
        kind = np.zeros(len(events), np.int8)
        past = History(item, at, at, age, place, kind.astype(np.float32), kind)
        candidates = np.sort([wanted, decoy, *others]).astype(np.int64)
        found.append(
            Example(
                user=user,
                weight=1.0,
                tokens=tokens_of(past, Moment(START_UNIX_S, START_UNIX_S, 1), HISTORY),
                candidates=candidates,
                features=np.full((len(candidates), N_FEATURES), np.nan, np.float32),
                label=(candidates == wanted)[:, None],
                is_new=~np.isin(candidates, item),
                log_weight=np.zeros(len(candidates), np.float32),
            )
        )
    return found
