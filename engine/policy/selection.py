"""Slots filled one after the other, with every rule of a policy; or followed, as they were filled.

For each slot: who is open (not taken, not resting, under every cap), whether a floor of exposure
is due (then only its group is open), what diversity makes of the scores, and who gets the slot
(:mod:`engine.policy.exploration`). :func:`follow` goes the same way along a list that another
policy filled, and tells with which chance this one would have.

Alphabet: N candidates, best first; K slots; W of the N that may take a slot.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.interactions import Ints
from engine.policy.diversity import Doubles, Novelty
from engine.policy.exploration import Explorer, Greedy
from engine.policy.slots import Placed
from retrieval.candidates import Bools

GREEDY = Greedy()


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``most`` slots for each group."""

    name: str
    most: int
    group: Ints
    """int64 ``[N]``; a negative one is not limited."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Candidates that are passed over."""

    name: str
    who: Bools
    """bool ``[N]``"""


@dataclass(frozen=True, slots=True)
class Floor:
    """A least share of slots: of every beginning of a list, or of all lists together."""

    name: str
    share: float
    member: Bools
    """bool ``[N]``"""
    length: int | None = None
    """Slots of the list, if the share is owed only at its end: the lowest slots then pay it.
    None owes it at every slot."""
    slots_before: float = 0.0
    """Slots of earlier lists that count."""
    members_before: float = 0.0

    def due(self, slot: int, members: int) -> bool:
        """Whether slot ``slot`` (from 1) must go to a member, ``members`` being above it."""
        end = slot if self.length is None else self.length
        owed = math.floor(self.share * (self.slots_before + end) + 1e-9)
        return bool(self.members_before + members + (end - slot) < owed)


@dataclass(frozen=True, slots=True)
class Contest:
    """What the slots of one list are filled from; best first. Shapes ``[N]``."""

    at: Ints
    """Positions among the scored candidates."""
    score: Doubles
    """Descending, boosts included."""
    boost: Doubles
    boosted_by: tuple[tuple[str, Bools], ...] = ()
    """Boosts that run, and whom they concern."""
    spread: Doubles = field(default_factory=lambda: np.zeros(0))
    """Uncertainty of the scores; may be empty where nothing is drawn."""
    rests: tuple[Rest, ...] = ()
    limits: tuple[Limit, ...] = ()
    floors: tuple[Floor, ...] = ()
    novelty: Callable[[], Novelty] | None = None
    """Starts to follow a list, if diversity is asked for."""
    novelty_name: str = ""

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True)
class Offer:
    """One slot before it is filled: who may take it. Shapes ``[W]``."""

    who: Ints
    """Rows of the contest, best score first."""
    utility: Doubles
    spread: Doubles
    floor: str | None
    """The floor that is due, if any."""
    first: int
    """Row of the open candidate with the best score."""


class _Filling:
    """A list as it grows. What is open changes only where a slot is taken."""

    def __init__(self, contest: Contest) -> None:
        self.contest = contest
        self.novelty = contest.novelty() if contest.novelty else None
        self._n = 0
        self._free = np.ones(len(contest), np.bool_)
        """Neither taken nor resting."""
        for rest in contest.rests:
            self._free &= ~rest.who
        self._counts = [np.zeros(int(limit.group.max(initial=-1)) + 1) for limit in contest.limits]
        self._full: list[Bools] = [
            (limit.group >= 0) & (limit.most <= 0) for limit in contest.limits
        ]
        self._members = [0] * len(contest.floors)
        """Slots that each floor's group got."""

    def offer(self, pool: int | None) -> Offer | None:
        """Who may take the next slot; None where nobody may."""
        open_ = self._free.copy()
        for full in self._full:
            open_ &= ~full
        floor = self._due(open_)
        if floor is not None:
            open_ &= floor.member
        who = np.flatnonzero(open_)
        if not len(who):
            return None
        first, most = int(who[0]), pool or 1
        if self.novelty is None:
            who = who[:most]
            utility = self.contest.score[who]
        else:
            utility = self.contest.score[who] + self.novelty.bonus()[who]
            best = _best(utility, most)
            who, utility = who[best], utility[best]
        spread = self.contest.spread[who] if len(self.contest.spread) else np.zeros(len(who))
        return Offer(who, utility, spread, floor.name if floor else None, first)

    def take(self, row: int) -> None:
        self._n += 1
        self._free[row] = False
        for k, limit in enumerate(self.contest.limits):
            group, count = int(limit.group[row]), self._counts[k]
            if group >= 0:
                count[group] += 1
                if count[group] >= limit.most:
                    self._full[k] |= limit.group == group
        for k, floor in enumerate(self.contest.floors):
            self._members[k] += bool(floor.member[row])
        if self.novelty is not None:
            self.novelty.take(row)

    def passed_over(self, row: int) -> list[str]:
        """Which rules kept better candidates from the slot that ``row`` gets, and how many."""
        said = []
        for rest in self.contest.rests:
            if n := np.count_nonzero(rest.who[:row]):
                said.append(f"{rest.name} passed over {n}")
        for limit, full in zip(self.contest.limits, self._full, strict=True):
            if n := np.count_nonzero(full[:row] & self._free[:row]):
                said.append(f"{limit.name} passed over {n}")
        return said

    def _due(self, open_: Bools) -> Floor | None:
        """The first floor that is owed this slot, and can be given it."""
        for floor, members in zip(self.contest.floors, self._members, strict=True):
            if floor.due(self._n + 1, members) and (floor.member & open_).any():
                return floor
        return None


def _best(utility: Doubles, n: int) -> Ints:
    """Where the ``n`` highest are, highest first; of equals the first."""
    if n == 1:
        return np.array([utility.argmax()])
    return np.argsort(-utility, kind="stable")[:n]


def fill(
    contest: Contest, k: int, explorer: Explorer = GREEDY, rng: np.random.Generator | None = None
) -> tuple[Placed, ...]:
    """Fill at most ``k`` slots.

    Args:
        contest: The candidates and their rules.
        k: Slots.
        explorer: Who gets a slot.
        rng: Of what is drawn; None draws nothing, and the best get the slots.
    """
    if rng is None:
        explorer, rng = GREEDY, np.random.default_rng(0)
    filling = _Filling(contest)
    placed: list[Placed] = []
    while len(placed) < k and (offer := filling.offer(explorer.pool)) is not None:
        chosen = explorer.draw(offer.utility, offer.spread, rng)
        chance = explorer.chance(offer.utility, offer.spread, chosen)
        row = int(offer.who[chosen])
        rules = (
            *_boosts_of(contest, row),
            *_said(filling, offer, row, explored=chosen != int(np.argmax(offer.utility))),
        )
        offered = tuple(contest.at[offer.who].tolist()) if explorer.pool else ()
        at, boost = int(contest.at[row]), float(contest.boost[row])
        placed.append(Placed(at, rules, boost, chance, offered))
        filling.take(row)
    return tuple(placed)


@dataclass(frozen=True, slots=True)
class Followed:
    """What a policy would have made of one slot that another filled."""

    chance: float
    """Probability that it gives the slot to the same candidate."""
    who: Ints
    """int64 ``[W]``: rows of the contest that it might give the slot to."""
    chances: Doubles
    """float64 ``[W]``: with which probability."""


def follow(contest: Contest, rows: Sequence[int], explorer: Explorer) -> tuple[Followed, ...]:
    """The chances of a policy along a list that another policy filled.

    Args:
        contest: The candidates and the rules of the policy that is asked about.
        rows: Rows of the contest, in the order of the list.
        explorer: Of the policy that is asked about.

    Returns:
        One a slot; it ends after the first that the policy would never have filled so.
    """
    filling = _Filling(contest)
    found: list[Followed] = []
    for row in rows:
        offer = filling.offer(explorer.pool)
        if offer is None:
            break
        chances = explorer.chances(offer.utility, offer.spread)
        same = np.flatnonzero(offer.who == row)
        chance = float(chances[same[0]]) if len(same) else 0.0
        found.append(Followed(chance, offer.who, chances))
        if chance == 0.0:
            break
        filling.take(row)
    return tuple(found)


def _boosts_of(contest: Contest, row: int) -> list[str]:
    return [name for name, who in contest.boosted_by if who[row]]


def _said(filling: _Filling, offer: Offer, row: int, *, explored: bool) -> list[str]:
    """What acted on one slot, in the order of the rules."""
    said = filling.passed_over(row)
    if offer.floor is not None:
        said.append(offer.floor)
    if filling.novelty is not None and not explored and row != offer.first:
        said.append(f"{filling.contest.novelty_name} preferred it to a better score")
    if explored:
        said.append("explored")
    return said
