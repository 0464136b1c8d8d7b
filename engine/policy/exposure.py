"""Least shares of slots for new items and for small brands.

A floor lets a member take a slot before its turn only when its group would otherwise fall below
its share, and then the best member takes it: the prefix constraint of Zehlike et al., "FA*IR: A
Fair Top-k Ranking Algorithm", CIKM 2017, without its statistical test. Over traffic the share is
owed at the end of each list, for all lists so far: a share of one slot in fifty gives the last slot
of every fifth list of ten, where it costs least.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.arrays import to_unix_s
from engine.interactions import Ints
from engine.policy_rules import ExposedGroup, Exposure, ExposureScope
from engine.runtime import Run
from retrieval.candidates import Bools
from retrieval.rerank.records import DAY_S

_NEVER = np.iinfo(np.int64).min // 2


@dataclass(frozen=True, slots=True)
class Group:
    """Whom a floor is for."""

    rule: Exposure
    always: Bools
    """bool ``[I]``: members at any time."""
    created_unix_s: Ints
    """int64 ``[I]``: when an item came on offer, long ago where that does not matter."""

    def members(self, rows: Ints, at_unix_s: int) -> Bools:
        """Which of some items belong to it at a moment, bool ``[N]``."""
        age_s = at_unix_s - self.created_unix_s[rows]
        found: Bools = self.always[rows] | ((age_s >= 0) & (age_s < self.rule.new_days * DAY_S))
        return found


def group_of(run: Run, rule: Exposure) -> Group:
    """Find the items that a floor is for."""
    n = len(run.world.items)
    if rule.of is ExposedGroup.SMALL_BRANDS:
        return Group(rule, _of_small_brands(run, rule.brand_share), np.full(n, _NEVER))
    created = _column(run, "created_at")
    known = np.array([moment is not None for moment in created], np.bool_)
    sold = run.world.trends.all_time[:n]
    return Group(
        rule,
        ~known & (sold <= rule.new_sales),
        np.array([_NEVER if at is None else to_unix_s(at) for at in created], np.int64),
    )


def _of_small_brands(run: Run, most: float) -> Bools:
    """Items of brands with at most a share of all sales; those without a brand are of none."""
    brands = _column(run, "brand")
    _, code = np.unique(np.array([brand or "" for brand in brands]), return_inverse=True)
    sold = run.world.trends.all_time[: len(brands)]
    share = np.bincount(code, weights=sold) / max(float(sold.sum()), 1.0)
    small: Bools = share[code] <= most
    return small & np.array([bool(brand) for brand in brands], np.bool_)


def _column(run: Run, name: str) -> list[Any]:
    """A column of the items, those added or changed since training included."""
    values = list(run.catalogue.column(name))
    values += [None] * (len(run.world.items) - len(values))
    for row in run.catalogue.live_rows:
        values[row] = getattr(run.catalogue[row], name)
    return values


@dataclass(frozen=True, slots=True)
class Shown:
    """Slots so far, those of a group among them; old ones count less."""

    slots: float = 0.0
    members: float = 0.0
    at_s: float = 0.0


class Ledger:
    """What the floors over traffic have seen in this process. Safe for threads.

    Every process keeps its own floor, so that all of them together do.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._shown: dict[Exposure, Shown] = {}

    def before(self, rule: Exposure) -> Shown:
        """What counts at the beginning of a list."""
        if rule.over is ExposureScope.LIST:
            return Shown()
        seen, now = self._shown.get(rule, Shown()), self._clock()
        kept = 0.5 ** ((now - seen.at_s) / DAY_S / rule.window_days)
        return Shown(seen.slots * kept, seen.members * kept, now)

    def note(self, rule: Exposure, member: Bools) -> None:
        """Count a list that was shown, bool ``[K]``."""
        with self._lock:
            seen = self.before(rule)
            shown = Shown(seen.slots + len(member), seen.members + int(member.sum()), seen.at_s)
            self._shown[rule] = shown
