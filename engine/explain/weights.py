r"""What moved a score, in shares that add up to it: exact Shapley values over groups of evidence.

A score :math:`v(N)` is split over the groups that speak for the item (its history, the graph, the
offers and so on) as Shapley (1953) splits the winnings of a coalition:

.. math:: \phi_g = \sum_{S \subseteq N \setminus g} \frac{|S|! (n - |S| - 1)!}{n!} (v(S+g) - v(S))

:math:`v(S)` is the network's own score with the evidence outside of :math:`S` taken away: a user
without history, a request without a place, an item that is not on offer. Groups are few, so all
coalitions are scored, and nothing is sampled. Alphabet: K items, G groups, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import factorial

import numpy as np
from numpy.typing import NDArray

from engine.interactions import Floats
from retrieval.candidates import Bools


class Group(StrEnum):
    """What may have moved a score."""

    HISTORY = "history"
    """What the user took before, and when."""
    DUE = "due"
    """How the time since then compares with the user's interval."""
    GRAPH = "graph"
    """What similar people take, and what goes with what."""
    LIKENESS = "likeness"
    """How the item looks and reads beside what the user took."""
    POPULARITY = "popularity"
    SCENE = "scene"
    """Place and part of the week."""
    OFFER = "offer"
    PRICE = "price"
    OTHER = "other"
    """What the network reads of it and no group above names."""
    WISH = "wish"
    """Words or a photo of the request."""


_EXACTLY = {
    "graph_score": Group.GRAPH,
    "together_score": Group.GRAPH,
    "crowd_score": Group.GRAPH,
    "content_score": Group.LIKENESS,
    "log_price": Group.PRICE,
    "price_to_habit": Group.PRICE,
    "item_interval": Group.DUE,
    "item_due": Group.DUE,
}
_POPULAR = ("sold_", "trend", "repeat_rate", "frequency")
_USER = ("visit", "days_since_visit", "variety", "gap")


def group_of(column: str) -> Group:
    """The group that a feature of :func:`retrieval.rerank.features.feature_names` belongs to."""
    if column in _EXACTLY:
        return _EXACTLY[column]
    grouped = column.startswith("group")
    rules = (
        (column.startswith("on_"), Group.OFFER),
        (column.startswith("facet_"), Group.SCENE),
        (column.startswith("need_"), Group.DUE),
        (column.startswith(("place_", "slot_")) or column.endswith("_here"), Group.SCENE),
        (grouped and column.endswith("_due"), Group.DUE),
        (column.endswith("_popularity_share") or column.startswith(_POPULAR), Group.POPULARITY),
        (grouped or column.startswith(("item_", "linear_", *_USER)), Group.HISTORY),
    )
    return next((group for holds, group in rules if holds), Group.OTHER)


@dataclass(frozen=True, slots=True)
class Share:
    """What one group added to a score; negative where it spoke against the item."""

    group: Group
    value: float
    """In units of the score."""


@dataclass(frozen=True, slots=True)
class Split:
    """A score and what it is made of: ``base`` and the shares add up to ``score``."""

    score: float
    base: float
    """What the item would have scored with none of the evidence."""
    shares: tuple[Share, ...]
    """The most moving first, of whatever sign."""

    def of(self, *groups: Group) -> float:
        """What some groups added together."""
        return sum(share.value for share in self.shares if share.group in groups)


Value = Callable[[Bools], Floats]
"""Scores of K items under coalitions: bool ``[S, G]`` to float32 ``[S, K]``."""


def split_scores(groups: Sequence[Group], value: Value, *, wish: Floats) -> tuple[Split, ...]:
    """Split the scores of K items over groups, exactly.

    Args:
        groups: Those that the network reads, at most 12: every coalition of them is scored.
        value: Scores under coalitions.
        wish: float32 ``[K]``: what the request's words added after the network; a share of its
            own, as it is a sum already.

    Raises:
        ValueError: More groups than can be enumerated.
    """
    if len(groups) > 12:
        raise ValueError(f"got {len(groups)} groups, expected at most 12: join some of them")
    coalitions = all_coalitions(len(groups))
    scores = value(coalitions).astype(np.float64)  # [2^G, K]
    shapley = shapley_values(scores, len(groups))  # [G, K]
    return tuple(
        _split(groups, shapley[:, k], scores[0, k], scores[-1, k], float(wish[k]))
        for k in range(scores.shape[1])
    )


def all_coalitions(n: int) -> Bools:
    """Every subset of ``n`` groups, bool ``[2^n, n]``: row ``s`` holds the bits of ``s``."""
    subsets = np.arange(2**n, dtype=np.int64)[:, None]
    found: Bools = (subsets >> np.arange(n)[None]) & 1 == 1
    return found


def shapley_values(scores: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Shapley values from the scores of all coalitions.

    Args:
        scores: ``[2^n, K]``, rows as :func:`all_coalitions` has them.
        n: Groups.

    Returns:
        ``[n, K]``; each column sums to the score of all groups less that of none.
    """
    subsets = np.arange(2**n)
    size = all_coalitions(n).sum(axis=1)
    weight = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)])
    values = np.zeros((n, scores.shape[1]))
    for group in range(n):
        without = subsets[(subsets >> group) & 1 == 0]
        gain = scores[without | (1 << group)] - scores[without]
        values[group] = weight[size[without]] @ gain
    return values


def _split(
    groups: Iterable[Group], shapley: NDArray[np.float64], base: float, full: float, wish: float
) -> Split:
    shares = [Share(g, float(v)) for g, v in zip(groups, shapley, strict=True)]
    if wish:
        shares.append(Share(Group.WISH, wish))
    shares.sort(key=lambda share: -abs(share.value))
    return Split(float(full) + wish, float(base), tuple(shares))
