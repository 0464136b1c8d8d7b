"""What is asked in an evaluation, and what may be known when it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.interactions import Interactions, Ints
from engine.types import KINDS, EventKind

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Requests:
    """Who asks, when, where and in what scene; arrays are int64 ``[B]`` unless said."""

    user: Ints
    at_unix_s: Ints
    place: Ints
    """Row of the place vocabulary, 0 where none is known."""
    facets: NDArray[np.int16] | None = None
    """Codes of the scene's facets, int16 ``[B, K]``; None where the shop has none."""

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, chosen: slice | Ints | Bools) -> Requests:
        """The requests that a slice, rows or a mask select."""
        facets = None if self.facets is None else self.facets[chosen]
        return Requests(self.user[chosen], self.at_unix_s[chosen], self.place[chosen], facets)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Answers of a batch of requests, best first."""

    rows: Ints
    """Item rows, int64 ``[B, K]``."""
    valid: Bools
    """False where a list has ended, bool ``[B, K]``."""


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Requests after a cut, with all that a method may learn from before it."""

    history: Interactions
    """Every event strictly before ``cut_unix_s``."""
    requests: Requests
    targets: tuple[Ints, ...]
    """For each request the distinct candidate rows of its basket, ascending; never empty."""
    candidates: Bools
    """Items that may be recommended, bool ``[I]``."""
    cut_unix_s: int
    kind: EventKind = EventKind.PURCHASE
    """What counts as a target, and as having had an item before."""
    new_only: bool = False
    """Only items that the user never had before the cut are targets, or may be recommended."""

    def __len__(self) -> int:
        return len(self.requests)

    def had(self) -> Interactions:
        """The events of the history that are of the target's kind."""
        return of_kind(self.history, self.kind)

    def new_items(self) -> EvaluationSet:
        """The same requests with only the targets that are new to their user; others leave."""
        owner, item = flat_targets(self.targets)
        is_new = ~self.had_before(self.requests.user[owner], item)
        ends = np.searchsorted(owner[is_new], np.arange(1, len(self)))
        new = tuple(np.split(item[is_new], ends))
        kept = np.bincount(owner[is_new], minlength=len(self)) > 0
        return replace(self, targets=new, new_only=True)._keep(kept)

    def had_before(self, user: Ints, item: Ints) -> Bools:
        """Whether each user of ``user`` had the item beside it before the cut; both ``[E]``."""
        had = self.had()
        return np.isin(user * had.n_items + item, had.user * had.n_items + had.item)

    def sample(self, n_requests: int, seed: int) -> EvaluationSet:
        """At most ``n_requests`` of the requests, drawn without replacement, in their order."""
        if n_requests >= len(self):
            return self
        keep = np.zeros(len(self), np.bool_)
        keep[np.random.default_rng(seed).permutation(len(self))[:n_requests]] = True
        return self._keep(keep)

    def _keep(self, mask: Bools) -> EvaluationSet:
        targets = tuple(items for items, kept in zip(self.targets, mask, strict=True) if kept)
        return replace(self, requests=self.requests[mask], targets=targets)


def of_kind(interactions: Interactions, kind: EventKind) -> Interactions:
    """The events of one kind."""
    return interactions.where(interactions.kind == KINDS.index(kind))


def first_baskets(
    interactions: Interactions,
    cut_unix_s: int,
    end_unix_s: int | None = None,
    *,
    min_users: int = 5,
    kind: EventKind = EventKind.PURCHASE,
) -> EvaluationSet:
    """Ask, for each user, what the first basket from the cut on will hold.

    A basket counts when it starts at or after the cut (and before ``end_unix_s``), so that no
    basket is half history, half target. Its start and place are those of the request. Users
    whose first basket holds no candidate are left out; users without a history stay.

    Args:
        interactions: All events, before and after the cut.
        cut_unix_s: Methods learn from the events strictly before it.
        end_unix_s: Baskets that start here or later are not asked for.
        min_users: An item is a candidate when so many distinct users had it before the cut.
        kind: What a basket is made of.

    Raises:
        DataError: No basket with a candidate lies between the cut and the end.
    """
    history = interactions.before(cut_unix_s)
    candidates = had_by_at_least(of_kind(history, kind), min_users)
    asked = of_kind(interactions, kind)
    _, first_event, basket = np.unique(asked.session, return_index=True, return_inverse=True)
    start = asked.at_unix_s[first_event]
    eligible = start >= cut_unix_s
    if end_unix_s is not None:
        eligible &= start < end_unix_s
    opening = np.sort(first_event[eligible])
    _, firsts = np.unique(asked.user[opening], return_index=True)
    opening = opening[firsts]
    facets = None if asked.facets is None else asked.facets[opening]
    requests = Requests(asked.user[opening], asked.at_unix_s[opening], asked.place[opening], facets)
    chosen = np.zeros(len(first_event), np.bool_)
    chosen[basket[opening]] = True
    inside = chosen[basket] & candidates[asked.item]
    targets = _distinct_items(requests.user, asked.user[inside], asked.item[inside])
    kept = np.array([len(items) > 0 for items in targets], np.bool_)
    if not kept.any():
        raise DataError(
            f"no basket with a candidate from {cut_unix_s} on"
            + (f" and before {end_unix_s}" if end_unix_s is not None else "")
            + f" ({len(opening)} baskets, {int(candidates.sum())} candidates):"
            " choose an earlier cut, a later end or a smaller min_users"
        )
    whole = EvaluationSet(history, requests, targets, candidates, cut_unix_s, kind)
    return whole._keep(kept)


def had_by_at_least(interactions: Interactions, min_users: int) -> Bools:
    """Items that at least ``min_users`` distinct users had, bool ``[I]``."""
    pairs = np.unique(interactions.user * interactions.n_items + interactions.item)
    n_users = np.bincount(pairs % interactions.n_items, minlength=interactions.n_items)
    return n_users >= min_users


def _distinct_items(users: Ints, owner: Ints, item: Ints) -> tuple[Ints, ...]:
    """For each of the ascending users, the distinct items of the events that it owns."""
    width = int(item.max(initial=0)) + 1
    pairs = np.unique(owner * width + item)
    bounds = np.searchsorted(pairs // width, users, side="left")
    ends = np.searchsorted(pairs // width, users, side="right")
    return tuple(pairs[a:b] % width for a, b in zip(bounds, ends, strict=True))


def flat_targets(targets: Sequence[Ints]) -> tuple[Ints, Ints]:
    """The request row and the item of every target, both int64 ``[sum of lengths]``."""
    lengths = [len(items) for items in targets]
    owner = np.repeat(np.arange(len(targets), dtype=np.int64), lengths)
    item = np.concatenate(targets) if targets else np.empty(0, np.int64)
    return owner, item.astype(np.int64)
