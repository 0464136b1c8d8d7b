"""The list of a policy without rules, or with a limit per category alone: the usual one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.interactions import Ints
from engine.policy_rules import Policy


@dataclass(frozen=True, slots=True)
class Placed:
    """One slot of a list."""

    at: int
    """Position among the scored candidates."""
    rules: tuple[str, ...]
    """What acted on the slot: boosts, what was passed over to come here, whether it was drawn."""
    boost: float = 0.0
    """Logits that boosts added."""
    propensity: float = 1.0
    """Probability that this item got the slot, given the slots above."""
    offered: tuple[int, ...] = ()
    """Positions of all that might have got it, where chance had a say."""


def fill_slots(
    scores: NDArray[np.floating],
    allowed: NDArray[np.bool_],
    group: Ints,
    k: int,
    config: Policy,
) -> tuple[Placed, ...]:
    """The ``k`` best allowed candidates, within the limits of the policy.

    Args:
        scores: ``[C]``; equal scores keep the order of the candidates.
        allowed: bool ``[C]``: what the hard rules leave.
        group: int64 ``[C]``: finest category of each candidate.
        k: Slots.
        config: Limits.
    """
    order = np.argsort(-scores, kind="stable")
    order = order[allowed[order]]
    if config.max_per_group is None:
        return tuple(Placed(int(at), ()) for at in order[:k])
    slots: list[Placed] = []
    taken: dict[int, int] = {}
    passed = 0
    for at in order:
        if len(slots) == k:
            break
        of_group = int(group[at])
        if taken.get(of_group, 0) >= config.max_per_group:
            passed += 1
            continue
        taken[of_group] = taken.get(of_group, 0) + 1
        rule = (f"max_per_group passed over {passed}",) if passed else ()
        slots.append(Placed(int(at), rule))
    return tuple(slots)
