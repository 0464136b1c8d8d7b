"""What is taken under a facet of the scene: an occasion, a weather, a device, a kind of company.

A facet is a field of the scene with few values. Each past event has one code per facet, 0 where
the value is not known; what is taken under a value more than overall is a lift. A shop whose
events tell of no scene has no facet, and pays nothing.

Alphabet: E events, K facets, V values of a facet with 0 for unknown, I items, G groups, C
candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.rerank.records import DAY_S, Floats, Ints

Codes = NDArray[np.int16]

ITEM_SHRINK = 5.0
"""Events that an item is given for nothing, taken under each value as often as overall."""
GROUP_SHRINK = 20.0
"""The same of a group."""
SEASONS = 24
"""Parts of a year, of about fifteen days each."""
YEAR_DAYS = 365.2425


@dataclass(frozen=True, slots=True)
class FacetKind:
    """A facet that a run knows."""

    name: str
    n_values: int
    """Number V of codes, with 0 for unknown."""
    is_round: bool = False
    """Whether the values follow each other in a circle without sharp ends, as seasons do: an event
    then counts toward the values on either side as well."""


def season_of(local_s: NDArray[np.int64]) -> Ints:
    """Part of the year at moments on the shop's clock, int64 in ``[1, SEASONS]``."""
    turn = (local_s / DAY_S) % YEAR_DAYS / YEAR_DAYS
    return (turn * SEASONS).astype(np.int64) + 1


@dataclass(frozen=True, eq=False)
class FacetTable:
    """How often each item and group was taken under each value of one facet."""

    name: str
    offsets: Ints
    """int64 ``[V + 1]``: where each value's items begin."""
    item: Ints
    """int64 ``[N]``, by value, then ascending."""
    times: Floats
    """float32 ``[N]``, beside ``item``."""
    item_total: Floats
    """float32 ``[I]``: events of each item whose value is known."""
    group_times: Floats
    """float32 ``[V, G]``, of the finest groups."""

    @property
    def n_values(self) -> int:
        """Number V of codes."""
        return len(self.offsets) - 1

    @lru_cache(maxsize=64)  # noqa: B019 - as long as their engine, as the trends
    def item_lift(self, value: int, n_items: int) -> Floats:
        """Log of how much more of a value's events an item has than of all, float32 ``[I]``.

        Args:
            value: A code, not 0.
            n_items: Items by now; those that came after the table was taken have a lift of 0.
        """
        span = slice(int(self.offsets[value]), int(self.offsets[value + 1]))
        times = np.zeros(n_items, dtype=np.float32)
        times[self.item[span]] = self.times[span]
        total = np.zeros(n_items, dtype=np.float32)
        total[: len(self.item_total)] = self.item_total
        share = float(self.times[span].sum()) / max(float(self.item_total.sum()), 1.0)
        return _log_lift(times, share * total, ITEM_SHRINK)

    @lru_cache(maxsize=64)  # noqa: B019 - as above
    def group_lift(self, value: int) -> Floats:
        """The same of each finest group, float32 ``[G]``."""
        times, total = self.group_times[value], self.group_times.sum(axis=0)
        share = float(times.sum()) / max(float(total.sum()), 1.0)
        return _log_lift(times, share * total, GROUP_SHRINK)


Facets = tuple[FacetTable, ...]
"""One table per facet of a run; none where its events tell of no scene."""


def _log_lift(times: Floats, expected: Floats, shrink: float) -> Floats:
    lift: Floats = np.log((times + shrink) / (expected + shrink)).astype(np.float32)
    return lift


def facet_features(names: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of :func:`facet_columns`."""
    return tuple(f"facet_{name}_{what}" for name in names for what in ("lift", "group_lift"))


def take_facets(
    item: Ints, codes: Codes, kinds: Sequence[FacetKind], *, group: Ints, n_groups: int
) -> Facets:
    """Count what was taken under each value of each facet.

    Args:
        item: int64 ``[E]``, of events before the moment that the tables are for.
        codes: int16 ``[E, K]``.
        kinds: The K facets.
        group: Finest group of each item, int64 ``[I]``.
        n_groups: Number G of them.
    """
    return tuple(
        _taken(item, codes[:, at].astype(np.int64), kind, group, n_groups)
        for at, kind in enumerate(kinds)
    )


def _taken(item: Ints, code: Ints, kind: FacetKind, group: Ints, n_groups: int) -> FacetTable:
    told = code > 0
    item, code = item[told], code[told]
    if kind.is_round:
        n = kind.n_values - 1
        item, code = np.tile(item, 3), np.concatenate([code, code % n + 1, (code - 2) % n + 1])
    times = sparse.csr_matrix(
        (np.ones(len(item), np.float32), (code, item)), shape=(kind.n_values, len(group))
    )
    times.sum_duplicates()
    of_group = np.bincount(code * n_groups + group[item], minlength=kind.n_values * n_groups)
    return FacetTable(
        name=kind.name,
        offsets=times.indptr.astype(np.int64),
        item=times.indices.astype(np.int64),
        times=times.data,
        item_total=np.bincount(item, minlength=len(group)).astype(np.float32),
        group_times=of_group.reshape(kind.n_values, n_groups).astype(np.float32),
    )


def facet_columns(
    candidates: Ints, values: Sequence[int], facets: Facets, group: Ints
) -> list[Floats]:
    """Lift of each candidate and of its finest group under the request's values.

    Args:
        candidates: int64 ``[C]``.
        values: Code per facet, 0 where the request does not tell; all are unknown where it is
            empty.
        facets: As known at the moment.
        group: Finest group of each item, int64 ``[I]``.

    Returns:
        Two columns per facet, float32 ``[C]``; NaN where the value is not known.
    """
    unknown = np.full(len(candidates), np.nan, dtype=np.float32)
    columns = []
    for table, value in zip(facets, values or (0,) * len(facets), strict=True):
        if not 0 < value < table.n_values:
            columns += [unknown, unknown]
            continue
        columns.append(table.item_lift(value, len(group))[candidates])
        columns.append(table.group_lift(value)[group[candidates]])
    return columns


def facet_pull(values: Sequence[int], facets: Facets, n_items: int) -> Floats | None:
    """How much more each item is taken under all the request's values, float32 ``[I]``.

    The lifts multiply, as if the facets told of different things. None where no value is known.
    """
    lifts = [
        table.item_lift(value, n_items)
        for table, value in zip(facets, values or (0,) * len(facets), strict=True)
        if 0 < value < table.n_values
    ]
    return np.exp(np.sum(lifts, axis=0)) if lifts else None
