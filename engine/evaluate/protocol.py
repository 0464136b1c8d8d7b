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
    since: Interactions | None = None
    """What those who ask did from the cut on: told when it is asked, never learned. Of these a
    request may use :meth:`told` alone. None where nothing is told."""

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, chosen: slice | Ints | Bools) -> Requests:
        """The requests that a slice, rows or a mask select."""
        facets = None if self.facets is None else self.facets[chosen]
        return Requests(
            self.user[chosen], self.at_unix_s[chosen], self.place[chosen], facets, self.since
        )

    def told(self) -> tuple[Ints, Ints]:
        """Every event of :attr:`since` that its user did strictly before a request.

        Returns:
            Request row and event row, int64 ``[N]`` each, by request, oldest event first.
        """
        if self.since is None or len(self.since) == 0:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        at = self.since.at_unix_s
        start, width = int(at.min()), int(np.ptp(at)) + 2
        key = self.since.user * width + (at - start)
        first = np.searchsorted(key, self.user * width)
        wanted = (self.at_unix_s - start).clip(0, width - 1)
        lengths = np.searchsorted(key, self.user * width + wanted) - first
        request = np.repeat(np.arange(len(self), dtype=np.int64), lengths)
        before = np.repeat(np.cumsum(lengths) - lengths, lengths)
        return request, np.arange(len(request), dtype=np.int64) - before + first[request]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Answers of a batch of requests, best first."""

    rows: Ints
    """Item rows, int64 ``[B, K]``."""
    valid: Bools
    """False where a list has ended, bool ``[B, K]``."""


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Requests after a cut, with all that a method may learn from before it.

    One form breaks this law, and :func:`engine.evaluate.leakage.check_leakage` says so: leaving
    the last out without a cut, as published.
    """

    history: Interactions
    """Every event strictly before ``cut_unix_s``: what is learned."""
    requests: Requests
    targets: tuple[Ints, ...]
    """For each request the distinct candidate rows of its basket, ascending; never empty."""
    candidates: Bools
    """Items that may be recommended, bool ``[I]``."""
    cut_unix_s: int
    kind: EventKind = EventKind.PURCHASE
    """What counts as a target, and as having had an item before."""
    new_only: bool = False
    """Only items that the user never had before asking are targets, or may be recommended."""

    def __len__(self) -> int:
        return len(self.requests)

    def had(self) -> Interactions:
        """The events of the history that are of the target's kind."""
        return of_kind(self.history, self.kind)

    def new_items(self) -> EvaluationSet:
        """The same requests with only the targets that are new to their user; others leave."""
        owner, item = self._new_targets()
        ends = np.searchsorted(owner, np.arange(1, len(self)))
        new = tuple(np.split(item, ends))
        return replace(self, targets=new, new_only=True)._keep(self.ask_for_new())

    def ask_for_new(self) -> Bools:
        """Which requests :meth:`new_items` keeps, bool ``[B]``."""
        return np.bincount(self._new_targets()[0], minlength=len(self)) > 0

    def had_before(self, user: Ints, item: Ints) -> Bools:
        """Whether each user of ``user`` had the item beside it before the cut; both ``[E]``."""
        had = self.had()
        return np.isin(user * had.n_items + item, had.user * had.n_items + had.item)

    def had_by(self, request: Ints, item: Ints) -> Bools:
        """Whether the user of each request row had the item beside it before asking; both ``[E]``.

        That is before the cut, or since then as far as the request is told.
        """
        found = self.had_before(self.requests.user[request], item)
        told_to, told = self.told_items()
        n_items = self.history.n_items
        return found | np.isin(request * n_items + item, told_to * n_items + told)

    def told_items(self) -> tuple[Ints, Ints]:
        """Request row and item of what users had from the cut on until they asked, ``[N]``."""
        if self.requests.since is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        request, event = self.requests.told()
        of_kind_ = self.requests.since.kind[event] == KINDS.index(self.kind)
        return request[of_kind_], self.requests.since.item[event[of_kind_]]

    def sample(self, n_requests: int, seed: int) -> EvaluationSet:
        """At most ``n_requests`` of the requests, drawn without replacement, in their order."""
        if n_requests >= len(self):
            return self
        keep = np.zeros(len(self), np.bool_)
        keep[np.random.default_rng(seed).permutation(len(self))[:n_requests]] = True
        return self._keep(keep)

    def _new_targets(self) -> tuple[Ints, Ints]:
        owner, item = flat_targets(self.targets)
        is_new = ~self.had_by(owner, item)
        return owner[is_new], item[is_new]

    def _keep(self, mask: Bools) -> EvaluationSet:
        targets = tuple(items for items, kept in zip(self.targets, mask, strict=True) if kept)
        return replace(self, requests=self.requests[mask], targets=targets)


def of_kind(interactions: Interactions, kind: EventKind) -> Interactions:
    """The events of one kind, without a copy where there is no other."""
    wanted = interactions.kind == KINDS.index(kind)
    return interactions if wanted.all() else interactions.where(wanted)


@dataclass(frozen=True, slots=True)
class Baskets:
    """The events of one kind and the baskets that they lie in."""

    events: Interactions
    opening: Ints
    """Event that begins each basket, int64 ``[N]``."""
    of_event: Ints
    """Basket of each event, int64 ``[E]``."""

    @classmethod
    def of(cls, interactions: Interactions, kind: EventKind) -> Baskets:
        """The baskets of the events of a kind."""
        events = of_kind(interactions, kind)
        _, opening, of_event = np.unique(events.session, return_index=True, return_inverse=True)
        return cls(events, opening.astype(np.int64), of_event.astype(np.int64))

    def starting(self, cut_unix_s: int, end_unix_s: int | None = None) -> Ints:
        """Baskets that start from a cut on and before an end, by user, then time."""
        start = self.events.at_unix_s[self.opening]
        eligible = start >= cut_unix_s
        if end_unix_s is not None:
            eligible &= start < end_unix_s
        found = np.flatnonzero(eligible)
        return found[np.argsort(self.opening[found])].astype(np.int64)

    def first_of_each_user(self, chosen: Ints) -> Ints:
        """Of baskets by user, then time, the first of each user."""
        _, firsts = np.unique(self.events.user[self.opening[chosen]], return_index=True)
        return chosen[firsts]

    def ask(
        self,
        chosen: Ints,
        history: Interactions,
        candidates: Bools,
        cut_unix_s: int,
        kind: EventKind,
    ) -> EvaluationSet:
        """Ask what each chosen basket holds of the candidates; those that hold none leave.

        Raises:
            DataError: None holds any.
        """
        events, opening = self.events, self.opening[chosen]
        facets = None if events.facets is None else events.facets[opening]
        requests = Requests(
            events.user[opening], events.at_unix_s[opening], events.place[opening], facets
        )
        request = np.zeros(len(self.opening), np.int64)
        request[chosen] = np.arange(len(chosen))
        is_chosen = np.zeros(len(self.opening), np.bool_)
        is_chosen[chosen] = True
        inside = is_chosen[self.of_event] & candidates[events.item]
        targets = _distinct_items(len(chosen), request[self.of_event[inside]], events.item[inside])
        kept = np.array([len(items) > 0 for items in targets], np.bool_)
        if not kept.any():
            raise DataError(
                f"no basket with a candidate from {cut_unix_s} on ({len(chosen)} baskets, "
                f"{int(candidates.sum())} candidates): choose an earlier cut, a later end or a "
                "smaller min_users"
            )
        return EvaluationSet(history, requests, targets, candidates, cut_unix_s, kind)._keep(kept)


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
        min_users: An item is a candidate when so many distinct users had it before the cut; with
            0 every item is.
        kind: What a basket is made of.

    Raises:
        DataError: No basket with a candidate lies between the cut and the end.
    """
    history = interactions.before(cut_unix_s)
    candidates = had_by_at_least(of_kind(history, kind), min_users)
    baskets = Baskets.of(interactions, kind)
    chosen = baskets.first_of_each_user(baskets.starting(cut_unix_s, end_unix_s))
    return baskets.ask(chosen, history, candidates, cut_unix_s, kind)


def users_of_each_item(interactions: Interactions) -> Ints:
    """Number of distinct users who had each item, int64 ``[I]``."""
    pairs = np.unique(interactions.user * interactions.n_items + interactions.item)
    n_users = np.bincount(pairs % interactions.n_items, minlength=interactions.n_items)
    return n_users.astype(np.int64)


def had_by_at_least(interactions: Interactions, min_users: int) -> Bools:
    """Items that at least ``min_users`` distinct users had, bool ``[I]``."""
    return users_of_each_item(interactions) >= min_users


def _distinct_items(n: int, owner: Ints, item: Ints) -> tuple[Ints, ...]:
    """For each of ``n`` owners, the distinct items of the events that it owns, ascending."""
    width = int(item.max(initial=0)) + 1
    pairs = np.unique(owner * width + item)
    bounds = np.searchsorted(pairs // width, np.arange(1, n))
    return tuple(np.split(pairs % width, bounds))


def flat_targets(targets: Sequence[Ints]) -> tuple[Ints, Ints]:
    """The request row and the item of every target, both int64 ``[sum of lengths]``."""
    lengths = [len(items) for items in targets]
    owner = np.repeat(np.arange(len(targets), dtype=np.int64), lengths)
    item = np.concatenate(targets) if targets else np.empty(0, np.int64)
    return owner, item.astype(np.int64)
