"""What every baseline learns from: who had which candidate, in which basket, how long ago."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.evaluate.protocol import Bools, EvaluationSet
from engine.interactions import Floats, Ints

SECONDS_PER_DAY = 86_400.0

Per = Literal["ever", "basket", "quantity"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Weighting:
    """How much a purchase counts."""

    per: Per = "basket"
    """Once ever (at the last time), once in each basket, or by the quantity bought."""
    half_life_days: float | None = None
    """After so many days a purchase counts half; None: it never fades."""


@dataclass(frozen=True, slots=True)
class Purchases:
    """One event for each item of each basket, among candidates; arrays are ``[E]``.

    ``column`` counts candidates only: column ``c`` is the item ``candidate_rows[c]``, so a
    baseline scores ``[B, C]`` and never touches an item that may not be recommended.
    """

    user: Ints
    column: Ints
    basket: Ints
    """Ascending by user, then time: a later basket of a user has a larger number."""
    at_unix_s: Ints
    place: Ints
    quantity: Floats
    n_users: int
    n_places: int
    candidate_rows: Ints
    """Item row of each column, int64 ``[C]``, ascending."""
    as_of_unix_s: int
    _done: dict[Hashable, object] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, evaluation_set: EvaluationSet) -> Purchases:
        """The part of an evaluation set that a baseline may learn from: what is before its cut."""
        rows = np.flatnonzero(evaluation_set.candidates).astype(np.int64)
        had = evaluation_set.had()
        had = had.where(evaluation_set.candidates[had.item])
        column = np.searchsorted(rows, had.item).astype(np.int64)
        _, opening, code = np.unique(had.session, return_index=True, return_inverse=True)
        order = np.empty(len(opening), np.int64)
        order[np.argsort(opening)] = np.arange(len(opening))
        basket = order[code]
        _, first, inverse = np.unique(
            basket * len(rows) + column, return_index=True, return_inverse=True
        )
        quantity = np.bincount(inverse, weights=np.maximum(had.value, 0.0), minlength=len(first))
        return cls(
            user=had.user[first],
            column=column[first],
            basket=basket[first],
            at_unix_s=had.at_unix_s[first],
            place=had.place[first],
            quantity=quantity.astype(np.float32),
            n_users=had.n_users,
            n_places=had.n_places,
            candidate_rows=rows,
            as_of_unix_s=evaluation_set.cut_unix_s,
        )

    def where(self, mask: Bools) -> Purchases:
        """The events that a bool mask ``[E]`` selects, in the same order."""
        return replace(
            self,
            _done={},
            user=self.user[mask],
            column=self.column[mask],
            basket=self.basket[mask],
            at_unix_s=self.at_unix_s[mask],
            place=self.place[mask],
            quantity=self.quantity[mask],
        )

    @property
    def n_columns(self) -> int:
        """Number of candidates, C."""
        return len(self.candidate_rows)

    def once(self, key: Hashable, work: Callable[[], T]) -> T:
        """The result of costly work that several settings of a baseline share."""
        if key not in self._done:
            self._done[key] = work()
        return cast(T, self._done[key])

    def weights(self, weighting: Weighting) -> Floats:
        """What each event counts, float32 ``[E]`` (``per="ever"`` like ``"basket"``)."""
        if weighting.per == "quantity":
            base = self.quantity.astype(np.float64)
        else:
            base = np.ones(len(self.user))
        if weighting.half_life_days is not None:
            age_days = (self.as_of_unix_s - self.at_unix_s) / SECONDS_PER_DAY
            base *= np.exp2(-age_days / weighting.half_life_days)
        return base.astype(np.float32)

    def matrix(self, weighting: Weighting) -> sp.csr_array:
        """Users by candidates, float32 ``[U, C]``, weights summed (or the last one, if ever)."""
        weight, user, column = self.weights(weighting), self.user, self.column
        if weighting.per == "ever":
            # Events ascend by time within a user, so the last of a pair comes first when reversed.
            _, last = np.unique(user[::-1] * self.n_columns + column[::-1], return_index=True)
            last = len(user) - 1 - last
            weight, user, column = weight[last], user[last], column[last]
        return summed(weight, user, column, (self.n_users, self.n_columns))

    def popularity(self, weighting: Weighting) -> Floats:
        """Weight of each candidate over all users, scaled to at most 1, float32 ``[C]``.

        With ``per="ever"`` this counts distinct users.
        """
        if weighting.per == "ever":
            total = self.matrix(weighting).sum(axis=0)
        else:
            total = np.bincount(
                self.column, weights=self.weights(weighting), minlength=self.n_columns
            )
        return scaled_to_one(np.asarray(total))


def summed(weight: Floats, row: Ints, column: Ints, shape: tuple[int, int]) -> sp.csr_array:
    """A sparse matrix, float32, in which entries of the same place are added up."""
    entries = sp.coo_array((weight.astype(np.float32, copy=False), (row, column)), shape=shape)
    return sp.csr_array(entries)


def scaled_to_one(values: NDArray[np.generic]) -> Floats:
    """Non-negative values over their maximum, float32."""
    floats = values.astype(np.float64)
    return (floats / max(float(floats.max(initial=0.0)), 1e-300)).astype(np.float32)
