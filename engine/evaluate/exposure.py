"""Which items and whose items are shown: coverage, concentration, and shares of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluate.protocol import Bools, EvaluationSet, Ranked, flat_targets
from engine.interactions import Ints

Amounts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a group of items gets of all attention, beside what it could claim; shares of 1."""

    group: str
    n_items: int
    """Candidates of the group."""
    of_candidates: float
    of_targets: float
    """Its share of what was taken: what exposure by merit would be."""
    of_exposure: float
    """Its share of the attention, which falls with the rank as 1 / log2(1 + rank)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What each item got; arrays are ``[I]``."""

    times: Ints
    """Lists that hold it."""
    attention: Amounts
    """Its discounts, summed."""
    targets: Ints
    """Requests that it is a target of."""
    candidates: Bools


def exposure_of(ranked: Ranked, asked: EvaluationSet) -> Shown:
    """Add up what items got, and what was taken of them."""
    n_items, (_, n_answers) = asked.history.n_items, ranked.rows.shape
    rank = np.arange(1, n_answers + 1)
    discount = np.broadcast_to(1.0 / np.log2(1.0 + rank), ranked.rows.shape)[ranked.valid]
    shown = ranked.rows[ranked.valid]
    _, taken = flat_targets(asked.targets)
    return Shown(
        times=np.bincount(shown, minlength=n_items).astype(np.int64),
        attention=_summed(shown, discount, n_items),
        targets=np.bincount(taken, minlength=n_items).astype(np.int64),
        candidates=asked.candidates,
    )


def coverage(times: Ints) -> float:
    """Share of items that are shown at all; 0 of no items."""
    return float((times > 0).mean()) if len(times) else 0.0


def gini(times: Ints) -> float:
    """Gini index of how often items are shown: 0 all alike, (n - 1) / n one alone.

    0 where nothing is shown.
    """
    total, n = int(times.sum()), len(times)
    if total == 0:
        return 0.0
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float((weights * np.sort(times)).sum() / (n * total))


def groups_of(shown: Shown, code: Ints | Bools, names: Sequence[str]) -> tuple[Exposure, ...]:
    """Shares of groups that have candidates, the largest first.

    Singh and Joachims, "Fairness of exposure in rankings", KDD 2018: what a group gets is
    weighed against its size, and against its merit.

    Args:
        shown: What items got.
        code: Group of each item ``[I]``.
        names: Of the groups, by code; a group whose name is empty is none.
    """
    n = len(names)
    code = np.asarray(code, np.int64)
    counts = np.bincount(code[shown.candidates], minlength=n)
    of_candidates, of_targets, of_exposure = (
        _shares(_summed(code, amount, n))
        for amount in (shown.candidates.astype(np.float64), shown.targets, shown.attention)
    )
    order = np.argsort(-counts, kind="stable")
    return tuple(
        Exposure(
            names[group],
            int(counts[group]),
            float(of_candidates[group]),
            float(of_targets[group]),
            float(of_exposure[group]),
        )
        for group in order
        if counts[group] and names[group]
    )


def unfairness(shown: Shown, code: Ints) -> float | None:
    """Share of the attention that lies with other groups than the targets do, among known groups.

    Half the sum of the absolute differences of both shares (their total variation).

    Args:
        shown: What items got.
        code: Group of each item, int64 ``[I]``, 0 where it has none.

    Returns:
        Between 0 and 1; None where no target or no answer has a group.
    """
    sums = [_summed(code, amount)[1:] for amount in (shown.targets, shown.attention)]
    if min(total.sum() for total in sums) == 0:
        return None
    taken, given = (_shares(total) for total in sums)
    return float(np.abs(taken - given).sum() / 2)


def _summed(code: Ints, amounts: Amounts | Ints, n: int = 0) -> Amounts:
    """Amounts added up by code, float64 ``[n]`` or more."""
    return np.bincount(code, weights=amounts, minlength=n).astype(np.float64)


def _shares(amounts: Amounts) -> Amounts:
    total = float(amounts.sum())
    return amounts / total if total else amounts
