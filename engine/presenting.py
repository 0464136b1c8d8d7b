"""Slots as recommendations: the items, their reasons, and how they came to their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from engine.explain import evidence_of, sentence
from engine.policy.slots import Placed
from engine.reasons import Situation, facts_of
from engine.recommendation import ChannelHit, Evidence, Recommendation, Trace
from engine.runtime import Run
from engine.scene import Scene
from engine.scoring import Scored


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
    situation = (
        Situation.of(run, user_id, scene, scored.history, scored.moment) if explain else None
    )
    found = scored.recalled.candidates
    at = [slot.at for slot in slots]
    chances = run.model.probability(torch.from_numpy(scored.model[at]))
    listed = []
    for rank, slot in enumerate(slots, start=1):
        row = int(found.rows[slot.at])
        hits = tuple(ChannelHit(*origin) for origin in found.origins(row))
        said = _Said()
        if situation is not None:
            names = tuple(hit.channel for hit in hits)
            facts = facts_of(situation, row, channels=names, wishes=scored.wishes)
            evidence = evidence_of(facts)
            said = _Said(sentence(evidence, facts, locale=scene.locale), evidence)
        logit, wish = float(scored.model[slot.at]), float(scored.wish[slot.at])
        listed.append(
            Recommendation(
                rank=rank,
                item=run.catalogue[row],
                score=float(scored.total[slot.at]) + slot.boost,
                probability=float(chances[rank - 1]),
                reason=said.reason,
                evidence=said.evidence,
                trace=Trace(hits, logit, wish, slot.rules, slot.boost, slot.propensity),
            )
        )
    return listed
