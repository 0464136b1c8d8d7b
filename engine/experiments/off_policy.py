"""What a policy would have earned, from the lists that another one drew.

A list is a sequence of choices whose probabilities were logged. Under the cascade assumption, that
a slot's reward depends on it and on the slots above it, the reward of slot ``r`` is weighed by the
product of the ratios of both policies' probabilities up to ``r``: McInerney et al.,
"Counterfactual Evaluation of Slate Recommendations with Sequential Reward Interactions", KDD 2020.
The doubly robust form is that of Kiyohara et al., "Doubly Robust Off-Policy Evaluation for Ranking
Policies under the Cascade Behavior Model", WSDM 2022, with a model of each slot's own reward.

Lists of one user are not independent: all intervals are clustered by user.

Alphabet: N lists, K slots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.evaluate.bootstrap import Interval

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LoggedLists:
    """Lists that one policy drew, as another sees them. Shapes ``[N, K]``.

    A slot that a list does not have holds 1, 1, 0, 0 and 0.
    """

    user: Ints
    """int64 ``[N]``: lists of one user share a number."""
    logged: Doubles
    """Probability with which the logging policy filled the slot, given those above."""
    target: Doubles
    """The same of the other policy."""
    reward: Doubles
    predicted: Doubles
    """What a model of the reward says of the item that got the slot."""
    expected: Doubles
    """What it says of whom the other policy would have given the slot to, on average."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """Reward per list of a policy that was never shown; intervals clustered by user."""

    logging: Interval
    """What the logging policy earned, for comparison."""
    ips: Interval
    """Inverse propensity scoring."""
    snips: Interval
    """Self-normalised: a little bias for much less variance."""
    doubly_robust: Interval
    """Inverse propensity scoring of what a model of the reward gets wrong."""
    n_lists: int
    effective_lists: float
    """How many lists drawn by the policy itself would say as much: Kish's effective size."""
    mean_weight: float
    """1 up to chance, if the log could have drawn every list of the policy."""


def estimate(lists: LoggedLists, level: float = 0.95) -> Estimated:
    """Estimate the reward per list of a policy from the lists of another.

    Raises:
        DataError: There is no list, or nothing in them was drawn.
    """
    _must_be_drawn(lists)
    ratio = lists.target / lists.logged
    weight: Doubles = np.cumprod(ratio, axis=1, dtype=np.float64)
    above = np.concatenate([np.ones((len(weight), 1)), weight[:, :-1]], axis=1)
    earned = lists.reward.sum(axis=1)
    ips = (weight * lists.reward).sum(axis=1)
    robust = above * lists.expected + weight * (lists.reward - lists.predicted)
    whole = weight[:, -1]
    return Estimated(
        logging=_mean(earned, lists.user, level),
        ips=_mean(ips, lists.user, level),
        snips=_self_normalised(weight, lists.reward, lists.user, level),
        doubly_robust=_mean(robust.sum(axis=1), lists.user, level),
        n_lists=len(whole),
        effective_lists=_effective(whole),
        mean_weight=float(whole.mean()),
    )


def _must_be_drawn(lists: LoggedLists) -> None:
    if len(lists.logged) == 0:
        raise DataError("got no list, expected lists that were logged while the policy explored")
    if (lists.logged == 1.0).all():
        raise DataError(
            f"the log has no exploration: every propensity of its {len(lists.logged):,} lists is "
            "1, so it says nothing of lists that were not shown. Set exploration in the policy "
            "(epsilon: 0.1 gives one slot in ten to chance), serve, and estimate then"
        )


def _self_normalised(weight: Doubles, reward: Doubles, user: Ints, level: float) -> Interval:
    """Slot by slot: the weighted mean of the rewards; its spread by linearisation."""
    total = weight.mean(axis=0)
    reached = total > 0
    mean = np.where(reached, (weight * reward).mean(axis=0) / np.where(reached, total, 1.0), 0.0)
    pull = weight * (reward - mean) / np.where(reached, total, 1.0)
    half = _half_width(pull.sum(axis=1), user, level)
    value = float(mean.sum())
    return Interval(value, value - half, value + half)


def _mean(values: Doubles, user: Ints, level: float) -> Interval:
    value = float(values.mean())
    half = _half_width(values - value, user, level)
    return Interval(value, value - half, value + half)


def _half_width(deviation: Doubles, user: Ints, level: float) -> float:
    """Of a mean whose deviations, float64 ``[N]``, are independent between users alone."""
    _, cluster = np.unique(user, return_inverse=True)
    sums = np.bincount(cluster, weights=deviation)
    n = len(sums)
    if n < 2:
        return math.inf
    spread = math.sqrt(float((sums**2).sum()) * n / (n - 1)) / len(deviation)
    return NormalDist().inv_cdf(0.5 + level / 2) * spread


def _effective(weight: Doubles) -> float:
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares else 0.0
