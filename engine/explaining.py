"""Why an item got its score: shares of evidence, shares of the past, and a sentence.

Costs about a tenth of a second for a list, so it is done where it is asked for, not in every
:meth:`engine.recommend.Engine.recommend`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from engine.asking import encode_words, moment_of, scene_wishes
from engine.errors import UnknownIdError
from engine.explain import evidence_of, sentence
from engine.explain.ablation import Coalitions, Subject, features_of, score_with, scores_without
from engine.explain.weights import Group, Share, Split, split_scores
from engine.given import known_rows, score_listed
from engine.interactions import Floats, Ints
from engine.reasons import Situation, facts_of_all
from engine.recommendation import Evidence
from engine.runtime import Run
from engine.scene import Scene
from engine.scoring import Asked, Scored
from engine.types import Item
from retrieval.rerank.features import Sources

if TYPE_CHECKING:
    from engine.recommend import Engine

PAST_ITEMS = 6
"""Past items that are taken away one by one: each costs a millisecond or more."""

GROUPS_OF_KIND = {
    "due": (Group.DUE, Group.HISTORY),
    "habit": (Group.HISTORY,),
    "last_time": (Group.HISTORY,),
    "category": (Group.HISTORY,),
    "together": (Group.GRAPH,),
    "path": (Group.GRAPH,),
    "popular": (Group.POPULARITY,),
    "place": (Group.SCENE,),
    "hour": (Group.SCENE,),
    "offer": (Group.OFFER,),
    "wish": (Group.WISH,),
    "look": (Group.WISH,),
}
"""What a kind of evidence tells of."""


@dataclass(frozen=True, slots=True)
class PastShare:
    """What one item of the past did for a score."""

    item_id: str
    title: str
    times: int
    value: float
    """How much lower the score were without it, in units of the score."""


@dataclass(frozen=True, slots=True)
class Told:
    """A piece of evidence and what the matter that it tells of moved."""

    evidence: Evidence
    value: float
    """Shapley value of the groups that it speaks of; several pieces may speak of one group."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one item has its score: ``split.base`` plus all shares is ``split.score``."""

    item: Item
    split: Split
    told: tuple[Told, ...]
    """Evidence in words, the most moving first."""
    past: tuple[PastShare, ...]
    """Past items, the most moving first; what they do overlaps, so these do not add up."""
    reason: str

    @property
    def shares(self) -> tuple[Share, ...]:
        """The parts of the score."""
        return self.split.shares


def explain(
    run: Run,
    user_id: str,
    scene: Scene,
    scored: Scored,
    rows: Ints,
) -> tuple[Explanation, ...]:
    """Explain the scores of some candidates of one request.

    Args:
        run: What answered.
        user_id: Who asked; may be unknown.
        scene: As asked.
        scored: The request's candidates and scores.
        rows: Item rows among the candidates, int64 ``[K]``.

    Raises:
        ValueError: A row is not among the candidates.
    """
    subject, wish = subject_of(run, user_id, scored, rows)
    coalitions = Coalitions(subject)
    splits = split_scores(coalitions.groups, coalitions, wish=wish)
    past = _past_items(subject)
    full = score_with(
        subject,
        subject.history,
        subject.moment,
        features_of(subject, subject.history, subject.sources),
    )
    moved = full[None] - scores_without(subject, past)  # [N, K]
    situation = Situation.of(run, user_id, scene, scored.history, scored.moment)
    origins = map(scored.recalled.candidates.origins, rows.tolist())
    channels = [tuple(name for name, _, _ in hits) for hits in origins]
    known = facts_of_all(situation, rows, channels=channels, wishes=scored.wishes)
    found = []
    for k, facts in enumerate(known):
        evidence = evidence_of(facts)
        told = _weighed(evidence, splits[k])
        reason = sentence(evidence, facts, locale=scene.locale)
        shares = _past_shares(subject, past, moved[:, k])
        found.append(Explanation(facts.item, splits[k], told, shares, reason))
    return tuple(found)


def explain_items(
    engine: Engine, user_id: str, item_ids: Sequence[str], scene: Scene | None = None
) -> tuple[Explanation, ...]:
    """Explain the scores that some items have for a user in a scene, in the order given.

    Args:
        engine: Is open.
        user_id: May be unknown.
        item_ids: At most 1,000, each once.
        scene: None is now, with nothing else known.

    Raises:
        UnknownIdError: There is no such item.
        SceneError: The scene cannot be understood.
        DataError: There is no item, one comes twice, or there are too many.
    """
    run, scene = engine.run, scene or Scene()
    rows, unknown = known_rows(run, item_ids)
    if unknown:
        raise UnknownIdError("item", unknown[0])
    wishes = tuple(scene_wishes(run, partial(encode_words, run), scene))
    known, live = engine.known_as(user_id), engine.store.history(user_id)
    asked = Asked(known, moment_of(run, scene), live, wishes)
    return explain(run, known, scene, score_listed(run, asked, rows), rows)


def subject_of(run: Run, user_id: str, scored: Scored, rows: Ints) -> tuple[Subject, Floats]:
    """The request and its items as ablation takes them, and what the wish added to each.

    Raises:
        ValueError: A row is not among the candidates.
    """
    candidates = scored.recalled.candidates.rows
    order = np.argsort(candidates, kind="stable")
    at = order[np.searchsorted(candidates, rows, sorter=order).clip(max=len(order) - 1)]
    if not np.array_equal(candidates[at], rows):
        strange = rows[candidates[at] != rows][0]
        raise ValueError(
            f"got item {run.vocabulary.items.id(int(strange))!r}, which was no candidate of the "
            "request, expected items that it scored"
        )
    sources = scored.recalled.sources
    chosen = Sources(**{f.name: getattr(sources, f.name)[at] for f in fields(Sources)})
    user = run.vocabulary.users.find(user_id)
    subject = Subject(run, scored.history, scored.moment, user, rows, chosen)
    return subject, scored.wish[at]


def _weighed(evidence: Sequence[Evidence], split: Split) -> tuple[Told, ...]:
    """Evidence by what it moved; where that is nothing, by how much it says."""
    told = [Told(one, split.of(*GROUPS_OF_KIND.get(one.kind, ()))) for one in evidence]
    told.sort(key=lambda one: (-max(one.value, 0.0), -one.evidence.weight))
    return tuple(told)


def _past_items(subject: Subject) -> Ints:
    """Past items that may matter: the items themselves, what goes with them, the latest."""
    run, history, rows = subject.run, subject.history, subject.rows
    taken, inverse = np.unique(history.item, return_inverse=True)
    last = np.zeros(len(taken), dtype=np.int64)
    np.maximum.at(last, inverse, history.at_unix_s)
    group = run.world.items.groups[0]
    same_group = np.isin(group[taken], group[rows]).astype(np.float64)
    ties = np.zeros(len(taken))
    for row in rows:
        near, weight = run.tables.neighbours.rows[row], run.tables.neighbours.weight[row]
        at = np.searchsorted(taken, near).clip(max=max(len(taken) - 1, 0))
        known = taken[at] == near if len(taken) else np.zeros(len(near), dtype=np.bool_)
        np.add.at(ties, at[known], weight[known])
    order = np.lexsort((-last, -ties, -same_group, ~np.isin(taken, rows)))
    return np.sort(taken[order[: PAST_ITEMS + len(rows)]])


def _past_shares(subject: Subject, past: Ints, moved: Floats) -> tuple[PastShare, ...]:
    catalogue = subject.run.catalogue
    shares = [
        PastShare(
            catalogue[int(item)].item_id,
            catalogue[int(item)].title,
            int((subject.history.item == item).sum()),
            float(value),
        )
        for item, value in zip(past, moved, strict=True)
    ]
    shares.sort(key=lambda share: -share.value)
    return tuple(shares[:PAST_ITEMS])
