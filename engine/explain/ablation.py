"""Scores with part of the evidence taken away, by the network that made them.

What is taken away is what the network would have read had the evidence not been there: features of
a user without a history, a request without a place, an item without an offer. Alphabet: K items,
S coalitions, G groups, H history, F features.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from engine.explain.weights import Group, group_of
from engine.interactions import Floats, Ints
from engine.learn import taste_of
from engine.runtime import Run
from graph import embed_users
from retrieval.candidates import Bools
from retrieval.recall import content_profile, source_scores
from retrieval.rerank.batch import single, tokens_of
from retrieval.rerank.features import Sources, cross_features
from retrieval.rerank.records import DAY_S, History, Moment
from retrieval.totals import decayed, totals


@dataclass(frozen=True, slots=True)
class Subject:
    """One request and the K items whose scores are to be explained."""

    run: Run
    history: History
    moment: Moment
    user: int | None
    """Row of the user; None if the run does not know them."""
    rows: Ints
    """int64 ``[K]``"""
    sources: Sources
    """What retrieval gave the items, each ``[K]``."""

    @property
    def nobody(self) -> History:
        """A history without events."""
        return self.history.slice(0, 0)

    @property
    def nowhere(self) -> Moment:
        """The moment without its place."""
        return replace(self.moment, place=0)


@torch.inference_mode()
def score_with(subject: Subject, history: History, moment: Moment, features: Floats) -> Floats:
    """The network's scores of items with other features, float32 ``[K]`` or ``[S, K]``.

    Args:
        subject: Names the items.
        history: What the network sees of the past.
        moment: And of the scene.
        features: float32 ``[K, F]`` or ``[S, K, F]``.
    """
    run = subject.run
    tokens = tokens_of(history, moment, run.config.rerank.history)
    n = features.size // (len(subject.rows) * features.shape[-1])
    flat = features.reshape(-1, features.shape[-1])
    logits = run.model(single(tokens, np.tile(subject.rows, n), flat))[0, :, 0].numpy()
    scores: Floats = logits.reshape(features.shape[:-1])
    return scores


def features_of(subject: Subject, history: History, sources: Sources) -> Floats:
    """What the network reads of the items, float32 ``[K, F]``."""
    return cross_features(history, subject.moment, subject.rows, sources, subject.run.world)


class Coalitions:
    """Scores under coalitions of groups: present groups as they are, absent ones as neutral."""

    def __init__(self, subject: Subject) -> None:
        """Describe the items with all the evidence, and with none of it."""
        self._subject = subject
        run = subject.run
        names = run.world.feature_names()
        of_column = [group_of(name) for name in names]
        self.groups = tuple(group for group in Group if group in of_column)
        self._column = np.array([self.groups.index(group) for group in of_column])
        self._full = features_of(subject, subject.history, subject.sources)  # [K, F]
        self._bare = self._without_any(of_column)

    def __call__(self, coalitions: Bools) -> Floats:
        """Scores, float32 ``[S, K]``, of bool ``[S, G]``."""
        subject = self._subject
        scores = np.empty((len(coalitions), len(subject.rows)), dtype=np.float32)
        past = coalitions[:, self.groups.index(Group.HISTORY)]
        scene = coalitions[:, self.groups.index(Group.SCENE)]
        for knows_past in (False, True):
            for knows_scene in (False, True):
                alike = np.flatnonzero((past == knows_past) & (scene == knows_scene))
                if not len(alike):
                    continue
                present = coalitions[alike][:, self._column]  # [S', F]
                mixed = np.where(present[:, None], self._full[None], self._bare[None])
                scores[alike] = score_with(
                    subject,
                    subject.history if knows_past else subject.nobody,
                    subject.moment if knows_scene else subject.nowhere,
                    mixed,
                )
        return scores

    def _without_any(self, of_column: list[Group]) -> Floats:
        subject = self._subject
        unknown = np.zeros(len(subject.rows), dtype=np.float32)
        sources = Sources(**{field.name: unknown for field in fields(Sources)})
        bare = cross_features(
            subject.nobody, subject.nowhere, subject.rows, sources, subject.run.world
        )
        column = np.array(of_column)
        for neutral in (Group.POPULARITY, Group.PRICE):
            bare[:, column == neutral] = np.nan
        for place_bound in np.flatnonzero(column == Group.SCENE):
            # Without a place most are unknown already; the part of the week is neutral at 0.
            bare[:, place_bound] = np.where(np.isnan(bare[:, place_bound]), np.nan, 0.0)
        offers = column == Group.OFFER
        bare[:, offers] = np.where(np.isnan(self._full[:, offers]), np.nan, 0.0)
        return bare


def scores_without(subject: Subject, items: Ints) -> Floats:
    """Scores of the items as if each past item in turn had never been touched.

    Everything that follows from the past is made again: habits, the user's vector, what similar
    people take, what the network attends to.

    Args:
        subject: The request.
        items: Past items, int64 ``[N]``.

    Returns:
        float32 ``[N, K]``.
    """
    found = np.empty((len(items), len(subject.rows)), dtype=np.float32)
    for n, item in enumerate(items):
        kept = subject.history.where(subject.history.item != item)
        features = features_of(subject, kept, sources_of(subject, kept))
        found[n] = score_with(subject, kept, subject.moment, features)
    return found


def sources_of(subject: Subject, history: History) -> Sources:
    """What retrieval would give the items for another past; see :func:`retrieval.recall.recall`."""
    run, rows = subject.run, subject.rows
    age = (subject.moment.at_unix_s - history.at_unix_s) / DAY_S
    taken, total = totals(history.item, decayed(age, run.config.candidates.habit_half_life_days))
    strength = total.astype(np.float32)
    together = run.tables.neighbours.scores(taken, np.sqrt(strength))
    wanted, interest = taste_of(history, subject.moment, run.config.graph.half_life_days)
    vector: Floats = embed_users(run.tables.graph, [wanted], [interest])[0]
    crowd = np.zeros_like(together)
    if len(taken):
        crowd = run.world.crowd.scores(vector, subject.user)
    profile = content_profile(history, age, run.tables.content)
    return source_scores(rows, run.tables, vector, profile, together=together, crowd=crowd)
