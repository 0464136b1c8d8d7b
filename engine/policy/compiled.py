"""A policy in the terms of a run: ids, brands and categories become masks over its items.

Compiled once per policy and run, so that a request only gathers what concerns its candidates.

Alphabet: I items, C candidates of a request, N of them that the hard rules leave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import numpy as np

from engine.arrays import to_unix_s
from engine.filters import Filters, allowed_items
from engine.interactions import Floats, Ints
from engine.policy.diversity import Novelty, novelty
from engine.policy.exploration import Doubles, Explorer, explorer_of, spreads
from engine.policy.exposure import Group, Ledger, group_of
from engine.policy.selection import Contest, Floor, Limit, Rest, fill
from engine.policy.slots import Placed, fill_slots
from engine.policy_rules import Boost, Diversity, ExposureScope, Items, Policy, VectorSpace
from engine.runtime import Run
from retrieval.candidates import Bools


@dataclass(frozen=True, slots=True)
class Dated:
    """A boost with the items that it concerns, bool ``[I]``, and its time."""

    name: str
    logit: float
    who: Bools
    starts_at_unix_s: int
    ends_at_unix_s: int


@dataclass(frozen=True, slots=True)
class Compiled:
    """A policy that a run can be asked to keep."""

    policy: Policy
    version: str
    run: Run
    admitted: Bools | None
    """Items that may be recommended and are not blocked, bool ``[I]``; None where none is."""
    boosts: tuple[Dated, ...]
    caps: tuple[tuple[str, int, Bools], ...]
    """Name, limit, and whom it concerns, bool ``[I]``."""
    floors: tuple[Group, ...]
    explorer: Explorer
    ledger: Ledger
    """What its floors of exposure have seen; shared by all requests of the process."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Experiment to variant, of the user that it was chosen for."""

    @property
    def plain(self) -> bool:
        """Whether the order of the scores and a limit per category say it all."""
        rules = self.policy
        return not (self.boosts or self.caps or self.floors or rules.diversity or rules.exploration)

    def admits(self, conditions: Bools | None) -> Bools | None:
        """Items that meet conditions and are not blocked, bool ``[I]``; None where all do."""
        if self.admitted is None:
            return conditions
        return self.admitted if conditions is None else self.admitted & conditions


@dataclass(frozen=True, slots=True)
class Scores:
    """What a policy is given of one request. Shapes ``[C]``."""

    rows: Ints
    """Item rows of the candidates."""
    total: Floats
    allowed: Bools
    """What the hard rules leave."""
    at_unix_s: int
    """Moment of the request."""
    resting: Bools | None = None
    """What the user was shown often enough."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The slots of one list, and what they were drawn from."""

    slots: tuple[Placed, ...]
    pool: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """Positions among the candidates, best first; empty where nothing is drawn. Enough of them
    that another policy can be followed along the list."""


def compile_policy(policy: Policy, run: Run, ledger: Ledger | None = None) -> Compiled:
    """Find the items that each rule is about; an id, brand or category nobody has is of none."""
    return Compiled(
        policy=policy,
        version=policy.version,
        run=run,
        admitted=_admitted(policy, run),
        boosts=tuple(_dated(boost, run) for boost in policy.boosts),
        caps=tuple((cap.name, cap.most, matching(run, cap)) for cap in policy.caps),
        floors=tuple(group_of(run, rule) for rule in policy.exposure),
        explorer=explorer_of(policy.exploration),
        ledger=ledger or Ledger(),
    )


def matching(run: Run, wanted: Items) -> Bools:
    """Recommendable items that meet the conditions of a rule, bool ``[I]``."""
    return allowed_items(
        run,
        Filters(
            category=wanted.category or (),
            brands=wanted.brands,
            attributes=wanted.attributes,
            only=wanted.items,
        ),
    )


def place(
    compiled: Compiled, scores: Scores, k: int, rng: np.random.Generator | None = None
) -> Listed:
    """The list of one request: at most ``k`` slots.

    Args:
        compiled: The policy.
        scores: The scored candidates.
        k: Slots.
        rng: Of what is drawn, for a list that is shown and logged; None draws nothing, and counts
            toward no floor of exposure.
    """
    if compiled.plain and scores.resting is None:
        group = compiled.run.world.items.groups[0][scores.rows]
        return Listed(fill_slots(scores.total, scores.allowed, group, k, compiled.policy))
    contest = contest_of(compiled, scores, k)
    slots = fill(contest, k, compiled.explorer, rng)
    if rng is None:
        return Listed(slots)
    at = np.array([slot.at for slot in slots], dtype=np.int64)
    for group in compiled.floors:
        compiled.ledger.note(group.rule, group.members(scores.rows[at], scores.at_unix_s))
    return Listed(slots, _pool(compiled, contest, slots))


def _pool(compiled: Compiled, contest: Contest, slots: Sequence[Placed]) -> Ints:
    """Everyone who could have had a slot, and as many again for the pools of other policies."""
    size = compiled.explorer.pool
    if size is None:
        return np.zeros(0, np.int64)
    # Diversity and floors reach deeper than the best: who was offered a slot need not be near.
    wanted = np.isin(contest.at, [at for slot in slots for at in (slot.at, *slot.offered)])
    wanted[: 2 * size + len(slots)] = True
    for rest in contest.rests:
        wanted &= ~rest.who
    return contest.at[wanted]


def contest_of(compiled: Compiled, scores: Scores, k: int) -> Contest:
    """Candidates with the rules that concern them, best first; ``k`` is the list's length."""
    rows, policy, run = scores.rows, compiled.policy, compiled.run
    running = [
        (boost, boost.who[rows])
        for boost in compiled.boosts
        if boost.starts_at_unix_s <= scores.at_unix_s < boost.ends_at_unix_s
    ]
    boost = np.zeros(len(rows))
    for dated, who in running:
        boost[who] += dated.logit
    total = scores.total + boost
    order = np.argsort(-total, kind="stable")
    order = order[scores.allowed[order]]
    ordered = rows[order]
    return Contest(
        at=order,
        score=total[order],
        boost=boost[order],
        boosted_by=tuple(
            (f"boost {dated.name} {dated.logit:+g}", who[order]) for dated, who in running
        ),
        spread=_spread(compiled, ordered),
        rests=() if scores.resting is None else (Rest("frequency", scores.resting[order]),),
        limits=_limits(compiled, ordered),
        floors=_floors(compiled, ordered, scores.at_unix_s, k),
        novelty=_novelty(run, ordered, policy.diversity),
        novelty_name=policy.diversity.method if policy.diversity else "",
    )


def _admitted(policy: Policy, run: Run) -> Bools | None:
    block = policy.block
    if not (block.items or block.brands or block.categories):
        return None
    blocked = np.zeros(len(run.world.items), np.bool_)
    if block.items:
        blocked |= allowed_items(run, Filters(only=block.items))
    if block.brands:
        blocked |= allowed_items(run, Filters(brands=block.brands))
    for category in block.categories:
        blocked |= allowed_items(run, Filters(category=category))
    admitted: Bools = run.world.items.recommendable & ~blocked
    return admitted


def _dated(boost: Boost, run: Run) -> Dated:
    ever = np.iinfo(np.int64)
    return Dated(
        boost.name,
        boost.logit,
        matching(run, boost),
        ever.min if boost.starts_at is None else _moment(boost.starts_at, run),
        ever.max if boost.ends_at is None else _moment(boost.ends_at, run),
    )


def _moment(moment: datetime, run: Run) -> int:
    return to_unix_s(moment if moment.tzinfo else moment.replace(tzinfo=run.zone))


def _spread(compiled: Compiled, rows: Ints) -> Doubles:
    exploration = compiled.policy.exploration
    if exploration is None:
        return np.zeros(0)
    return spreads(exploration, compiled.run.world.trends.all_time[rows].astype(np.int64))


def _limits(compiled: Compiled, rows: Ints) -> tuple[Limit, ...]:
    policy = compiled.policy
    found = [
        Limit(f"cap {name}", most, np.where(who[rows], 0, -1).astype(np.int64))
        for name, most, who in compiled.caps
    ]
    if policy.max_per_group is not None:
        group = compiled.run.world.items.groups[0][rows]
        found.insert(0, Limit("max_per_group", policy.max_per_group, group))
    return tuple(found)


def _floors(compiled: Compiled, rows: Ints, at_unix_s: int, k: int) -> tuple[Floor, ...]:
    found = []
    for group in compiled.floors:
        rule = group.rule
        seen = compiled.ledger.before(rule)
        member = group.members(rows, at_unix_s)
        length = k if rule.over is ExposureScope.TRAFFIC else None
        name = f"exposure {rule.of}"
        found.append(Floor(name, rule.share, member, length, seen.slots, seen.members))
    return tuple(found)


def _novelty(run: Run, rows: Ints, diversity: Diversity | None) -> Callable[[], Novelty] | None:
    """What starts to follow a list, if diversity is asked for."""
    if diversity is None:
        return None
    table = run.tables.content if diversity.vectors is VectorSpace.CONTENT else run.tables.graph
    vectors = table[rows].astype(np.float32)
    return partial(novelty, diversity.method, vectors, diversity.weight)
