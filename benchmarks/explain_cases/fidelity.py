"""Does the score fall more without the evidence named first than without any other?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.asking import moment_of
from engine.explain.ablation import Coalitions, scores_without
from engine.explain.weights import split_scores
from engine.explaining import subject_of
from engine.given import score_listed
from engine.recommend import Engine
from engine.scene import Scene
from engine.scoring import Asked

ITEMS = 5


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Mean falls of the score, in its units."""

    n: int
    without_top: float
    without_random: float
    """Of a group drawn at random among those that are not the first; of whatever sign, its size."""
    residual: float
    """Largest difference between a score and its base plus its shares."""
    past_top: float
    """Without the item of the past that has most to do with it: same, same group, or together."""
    past_random: float

    @property
    def ratio(self) -> float:
        """How many times as much the first evidence moves."""
        return self.without_top / max(self.without_random, 1e-9)


def fidelity(engine: Engine, n_users: int = 60, seed: int = 0) -> Fidelity:
    """Take evidence away from the first items of many shoppers' lists."""
    rng = np.random.default_rng(seed)
    run = engine.run
    scene = Scene(time=engine.as_of, place=engine.places()[0] if engine.places() else None)
    top, random, residual, past_top, past_random = [], [], 0.0, [], []
    shoppers = engine.shoppers(10 * n_users)
    for at in rng.choice(len(shoppers), min(n_users, len(shoppers)), replace=False):
        user = shoppers[int(at)].user_id
        found = engine.recommend(user, scene, k=ITEMS, explain=False)
        rows = np.array([run.vocabulary.items.row(one.item.item_id) for one in found], np.int64)
        asked = Asked(user, moment_of(run, scene), engine.store.history(user))
        subject, wish = subject_of(run, user, score_listed(run, asked, rows), rows)
        coalitions = Coalitions(subject)
        n_groups = len(coalitions.groups)
        splits = split_scores(coalitions.groups, coalitions, wish=wish)
        without_one = coalitions(~np.eye(n_groups, dtype=np.bool_))  # [G, K]
        full = coalitions(np.ones((1, n_groups), dtype=np.bool_))[0]
        for k, split in enumerate(splits):
            whole = split.base + sum(share.value for share in split.shares)
            residual = max(residual, abs(whole - split.score))
            first = max(split.shares, key=lambda share: share.value).group
            g = coalitions.groups.index(first)
            others = [other for other in range(n_groups) if other != g]
            top.append(full[k] - without_one[g, k])
            random.append(abs(full[k] - without_one[int(rng.choice(others)), k]))
        taken = np.unique(subject.history.item)
        own = np.intersect1d(taken, rows)
        if len(own) and len(taken) > len(own):
            drawn = rng.choice(np.setdiff1d(taken, rows), 1)
            fall = full[None] - scores_without(subject, np.concatenate([own[:1], drawn]))
            past_top.append(float(fall[0, np.flatnonzero(rows == own[0])[0]]))
            past_random.append(float(fall[1].mean()))
    return Fidelity(
        len(top),
        float(np.mean(top)),
        float(np.mean(random)),
        residual,
        float(np.mean(past_top)) if past_top else float("nan"),
        float(np.mean(past_random)) if past_random else float("nan"),
    )
