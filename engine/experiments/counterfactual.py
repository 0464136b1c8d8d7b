"""A policy that was never shown, asked about the lists of the log.

Each logged list has the pool that its slots were drawn from, with the scores. The other policy
(boosts, caps, diversity, its own exploration) is led along the list, and says at every slot with
which probability it would have chosen so.

What the log does not hold is out of reach: items outside the pool, frequency (who rested then
rests now too), and floors over traffic, which count from every list's own beginning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from engine.arrays import to_unix_s
from engine.errors import DataError
from engine.experiments.off_policy import Estimated, LoggedLists, estimate
from engine.interactions import Floats, Ints
from engine.policy.compiled import Compiled, Scores, compile_policy, contest_of
from engine.policy.exposure import Ledger
from engine.policy.selection import Contest, Followed, follow
from engine.policy_rules import Policy
from engine.runtime import Run
from engine.scene import Scene
from engine.shown import pool_of
from engine.store import EventStore, Impression
from engine.types import EventKind

Doubles = NDArray[np.float64]

COEFFICIENTS = 4


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the log."""

    policy: Policy
    kind: EventKind
    """The act that counts as reward."""
    since: datetime
    before: datetime
    depth: int = 10
    """Slots of each list, from the top; fewer make surer estimates."""
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class _Line:
    """One logged list as the policy sees it. Shapes ``[K]``."""

    user_id: str
    logged: Doubles
    target: Doubles
    reward: Doubles
    score: Doubles
    """Of the item that got the slot, boosts of the log left out."""
    others: tuple[tuple[Doubles, Doubles], ...]
    """Of each slot: the scores of whom the policy might choose, and its probabilities."""


def evaluate_policy(run: Run, store: EventStore, question: Question) -> Estimated:
    """Estimate what a policy would have earned per list, from lists that explored.

    Args:
        run: Whose items the policy's rules are about; the lists may be of earlier runs.
        store: Holds lists and events.
        question: The policy, the reward and the span of time.

    Raises:
        DataError: No list of the span was drawn with a chance, so that the log says nothing of
            other lists.
    """
    rewards = _rewards(store, question)
    compiled = compile_policy(question.policy, run)
    lines = []
    shown = drawn = 0
    for impression in store.shown.between(question.since, question.before, seen=True):
        shown += 1
        items, scores = pool_of(impression)
        if not items or not impression.slots:
            continue
        drawn += 1
        fresh = replace(compiled, ledger=Ledger())
        lines.append(_line(fresh, impression, (items, scores), rewards, question.depth))
    if not drawn:
        raise DataError(
            f"the log has no exploration: {shown:,} lists were shown in this span, and all "
            "propensities are 1, so they say nothing of lists that were not shown. Set exploration "
            "in the policy (epsilon: 0.1 gives one slot in ten to chance), serve, and ask then"
        )
    return estimate(_lists(lines, question.depth), question.level)


def _rewards(store: EventStore, question: Question) -> Mapping[tuple[str, str], float]:
    """1 for each item of each list that the user acted on."""
    return {
        (event.request_id, event.item_id): 1.0
        for event in store.between(question.since, question.before)
        if event.request_id is not None and event.kind is question.kind
    }


def _line(
    compiled: Compiled,
    impression: Impression,
    pool: tuple[Sequence[str], Floats],
    rewards: Mapping[tuple[str, str], float],
    depth: int,
) -> _Line:
    contest, row_of, score_of = _contest(compiled, impression, pool)
    slots = impression.slots[:depth]
    rows = [row_of.get(slot.item_id, -1) for slot in slots]
    path = follow(contest, rows, compiled.explorer)
    target = np.zeros(len(slots))
    target[: len(path)] = [step.chance for step in path]
    base = contest.score - contest.boost
    return _Line(
        impression.user_id,
        np.array([slot.propensity for slot in slots]),
        target,
        np.array([rewards.get((impression.request_id, s.item_id), 0.0) for s in slots]),
        np.array([score_of.get(slot.item_id, slot.score) for slot in slots], dtype=np.float64),
        tuple(_choices(step, base) for step in path),
    )


def _choices(step: Followed, base: Doubles) -> tuple[Doubles, Doubles]:
    return base[step.who], step.chances


def _contest(
    compiled: Compiled, impression: Impression, pool: tuple[Sequence[str], Floats]
) -> tuple[Contest, Mapping[str, int], Mapping[str, float]]:
    """The pool under the policy's rules; row and score of each of its items."""
    run = compiled.run
    found = [
        (item_id, row, float(score))
        for item_id, score in zip(*pool, strict=True)
        if (row := run.vocabulary.items.find(item_id)) is not None
    ]
    ids = [item_id for item_id, _, _ in found]
    rows: Ints = np.array([row for _, row, _ in found], dtype=np.int64)
    scores = np.array([score for _, _, score in found], dtype=np.float32)
    allowed = np.ones(len(rows), np.bool_)
    if compiled.admitted is not None:
        allowed = compiled.admitted[rows]
    asked = Scores(rows, scores, allowed, _moment(run, impression))
    contest = contest_of(compiled, asked, len(impression.slots))
    row_of = {ids[at]: row for row, at in enumerate(contest.at.tolist())}
    return contest, row_of, {item_id: score for item_id, _, score in found}


def _moment(run: Run, impression: Impression) -> int:
    """The moment that the list was made for: the scene's, or when it was made."""
    scene = Scene.model_validate(json.loads(impression.scene))
    return to_unix_s(impression.timestamp if scene.time is None else scene.at(run.zone))


def _lists(lines: Sequence[_Line], depth: int) -> LoggedLists:
    """Side by side, with a model of the reward that never saw the user it speaks of."""
    n = len(lines)
    _, user = np.unique(np.array([line.user_id for line in lines]), return_inverse=True)
    logged, target = np.ones((n, depth)), np.ones((n, depth))
    reward, predicted, expected = (np.zeros((n, depth)) for _ in range(3))
    for i, line in enumerate(lines):
        k = len(line.logged)
        logged[i, :k], target[i, :k], reward[i, :k] = line.logged, line.target, line.reward
    for held_out, model in _models(lines, user % 2):
        for i in held_out:
            line = lines[i]
            predicted[i, : len(line.score)] = _regressors(line.score, _ranks(line)) @ model
            for slot, (scores, chances) in enumerate(line.others):
                rank = np.full(len(scores), slot + 1)
                expected[i, slot] = chances @ (_regressors(scores, rank) @ model)
    return LoggedLists(user.astype(np.int64), logged, target, reward, predicted, expected)


def _models(lines: Sequence[_Line], fold: Ints) -> Iterator[tuple[Ints, Doubles]]:
    """Lists of one half of the users, and least squares of the rewards of the other half."""
    for held_out in (0, 1):
        known = [line for line, f in zip(lines, fold, strict=True) if f != held_out]
        model = np.zeros(COEFFICIENTS)
        if known:
            inputs = np.concatenate([_regressors(line.score, _ranks(line)) for line in known])
            rewards = np.concatenate([line.reward for line in known])
            model = np.linalg.lstsq(inputs, rewards, rcond=None)[0]
        yield np.flatnonzero(fold == held_out), model


def _regressors(score: Doubles, rank: NDArray[np.int64]) -> Doubles:
    """Probability by the score, attention by the rank, and both together, float64 ``[n, 4]``."""
    likely = 1.0 / (1.0 + np.exp(-np.clip(score, -50, 50)))
    looked = 1.0 / np.log2(rank + 1.0)
    return np.stack([np.ones(len(score)), likely, looked, likely * looked], axis=1)


def _ranks(line: _Line) -> NDArray[np.int64]:
    return np.arange(1, len(line.score) + 1)
