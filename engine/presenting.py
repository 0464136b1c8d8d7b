"""Slots as recommendations: the items, their reasons, and how they came to their places."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import NamedTuple

import numpy as np

from engine.explain import evidence_of, sentence
from engine.interactions import Floats, Ints
from engine.policy.slots import Placed
from engine.reasons import Situation, facts_of_all
from engine.recommendation import ChannelHit, Evidence, Recommendation, Trace
from engine.runtime import Run
from engine.scene import Scene
from engine.scoring import Scored, Wish
from retrieval.rerank.model import Reranker

MAX_EXPONENT = 700.0
"""Of ``exp`` that is still a number."""


class _Said(NamedTuple):
    reason: str = ""
    evidence: tuple[Evidence, ...] = ()


def present(
    run: Run,
    user_id: str,
    scene: Scene,
    scored: Scored,
    slots: Sequence[Placed],
    *,
    explain: bool = True,
) -> list[Recommendation]:
    """The filled slots of a list, in their order.

    Args:
        run: Knows the items.
        user_id: As the run knows the user.
        scene: Of the request.
        scored: Its candidates.
        slots: Which of them were placed.
        explain: Whether each says why; without, evidence and reason are empty.
    """
    found = scored.recalled.candidates
    at = np.array([slot.at for slot in slots], dtype=np.int64)
    rows = found.rows[at]
    model, wish = scored.model[at], scored.wish[at]
    chances = _chances(run.model, model)
    hits = [tuple(ChannelHit(*hit) for hit in found.origins(row)) for row in rows.tolist()]
    if explain:
        situation = Situation.of(run, user_id, scene, scored.history, scored.moment)
        said = _say(situation, rows, hits, scored.wishes)
    else:
        said = [_Said()] * len(slots)
    numbers = zip(
        rows.tolist(), (model + wish).tolist(), model.tolist(), wish.tolist(), strict=True
    )
    listed = []
    for k, (row, total, logit, asked) in enumerate(numbers):
        slot, (reason, evidence) = slots[k], said[k]
        listed.append(
            Recommendation(
                rank=k + 1,
                item=run.catalogue[row],
                score=total + slot.boost,
                probability=chances[k],
                reason=reason,
                evidence=evidence,
                trace=Trace(hits[k], logit, asked, slot.rules, slot.boost, slot.propensity),
            )
        )
    return listed


def _chances(model: Reranker, logits: Floats) -> list[float]:
    """As :meth:`Reranker.probability` has it, at a tenth of its cost for a few logits."""
    slope, offset = model.platt[0].tolist()
    return [1 / (1 + exp(min(-slope * x - offset, MAX_EXPONENT))) for x in logits.tolist()]


def _say(
    situation: Situation, rows: Ints, hits: Sequence[tuple[ChannelHit, ...]], wishes: Sequence[Wish]
) -> list[_Said]:
    """The reason of each item of a list, and the evidence that it is made of."""
    channels = [tuple(hit.channel for hit in of_item) for of_item in hits]
    found = []
    for facts in facts_of_all(situation, rows, channels=channels, wishes=wishes):
        evidence = evidence_of(facts)
        found.append(_Said(sentence(evidence, facts, locale=situation.scene.locale), evidence))
    return found
