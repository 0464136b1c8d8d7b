"""Estimates of a policy that was never shown, against a world whose truth is known."""

import numpy as np
import pytest

from engine.errors import DataError
from engine.experiments.off_policy import LoggedLists, estimate

N_ITEMS, K = 5, 2
LIKED = np.array([0.05, 0.10, 0.20, 0.35, 0.50])
"""Chance that a user acts on an item in the first slot, before their own mood."""


def choices(order: np.ndarray, epsilon: float) -> np.ndarray:
    """Chances of each item for a slot: the first that is left of an order, or any that is left."""
    chances = np.full(len(order), epsilon / len(order))
    chances[0] += 1 - epsilon
    return chances


def wanted(item: int, slot: int, mood: float, above: int | None) -> float:
    """Truth: less is wanted lower down, and half as much if the item above was better."""
    chance = LIKED[item] * mood / (slot + 1)
    return chance * (0.5 if above is not None and LIKED[above] > LIKED[item] else 1.0)


def simulate(rng, n_users: int, lists_each: int, logging: tuple, target: tuple, model=None):
    """Lists that one policy drew, with what another would have done; ``model`` guesses rewards."""
    rows = []
    for user in range(n_users):
        mood = rng.choice([0.4, 1.6])  # what makes lists of one user alike
        for _ in range(lists_each):
            left, above, row = list(range(N_ITEMS)), None, []
            for slot in range(K):
                drawn = choices(np.array([i for i in logging[0] if i in left]), logging[1])
                mine = [i for i in logging[0] if i in left]
                theirs = [i for i in target[0] if i in left]
                weights = dict(zip(theirs, choices(np.array(theirs), target[1]), strict=True))
                at = int(rng.choice(len(mine), p=drawn))
                item = mine[at]
                reward = float(rng.random() < wanted(item, slot, mood, above))
                guess = (lambda i: 0.0) if model is None else (lambda i, s=slot: model(i, s))
                row.append(
                    (
                        drawn[at],
                        weights[item],
                        reward,
                        guess(item),
                        sum(w * guess(i) for i, w in weights.items()),
                    )
                )
                left.remove(item)
                above = item
            rows.append((user, row))
    users = np.array([user for user, _ in rows])
    cells = np.array([row for _, row in rows])  # (N, K, 5)
    return LoggedLists(users, *(cells[:, :, i] for i in range(5)))


def truth(policy: tuple) -> float:
    """Reward per list of a policy, by going over every list."""
    total = 0.0
    for mood in (0.4, 1.6):
        for first, p in zip(policy[0], choices(np.array(policy[0]), policy[1]), strict=True):
            left = [i for i in policy[0] if i != first]
            second = zip(left, choices(np.array(left), policy[1]), strict=True)
            rest = sum(q * wanted(item, 1, mood, first) for item, q in second)
            total += 0.5 * p * (wanted(first, 0, mood, None) + rest)
    return total


WORST_FIRST, BEST_FIRST = tuple(range(N_ITEMS)), tuple(reversed(range(N_ITEMS)))
LOGGING, TARGET = (WORST_FIRST, 0.8), (BEST_FIRST, 0.5)
SEEDS = 150


def test_the_truth_is_met_and_the_intervals_hold_as_often_as_they_say():
    actual = truth(TARGET)
    assert actual > 1.3 * truth(LOGGING)  # the question is not trivial
    held = dict.fromkeys(["ips", "snips", "doubly_robust"], 0)
    sums = dict.fromkeys(held, 0.0)
    width = dict.fromkeys(held, 0.0)
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        lists = simulate(rng, 250, 2, LOGGING, TARGET, model=lambda i, s: LIKED[i] / (s + 1))
        found = estimate(lists)
        for name in held:
            interval = getattr(found, name)
            held[name] += interval.low <= actual <= interval.high
            sums[name] += interval.estimate
            width[name] += interval.high - interval.low
    for name in held:
        # 95 % of 150 is 142.5 with a standard deviation of 2.7.
        assert 0.89 <= held[name] / SEEDS <= 0.99, name
        # The mean of 150 estimates has a standard error of 1 % of the truth.
        assert sums[name] / SEEDS == pytest.approx(actual, rel=0.03), name
    assert width["doubly_robust"] < width["ips"]


def test_the_policy_itself_is_estimated_as_what_it_earned():
    lists = simulate(np.random.default_rng(0), 40, 2, LOGGING, LOGGING)
    found = estimate(lists)
    for interval in (found.ips, found.snips, found.doubly_robust):
        assert interval.estimate == pytest.approx(found.logging.estimate)
    assert found.mean_weight == pytest.approx(1.0)
    assert found.effective_lists == pytest.approx(found.n_lists)


def one_slot(logged, target, reward, predicted=0.0, expected=0.0, user=None) -> LoggedLists:
    n = len(logged)
    columns = [
        np.broadcast_to(np.array(column, dtype=np.float64), n)[:, None]
        for column in (logged, target, reward, predicted, expected)
    ]
    return LoggedLists(np.arange(n) if user is None else np.array(user), *columns)


def test_the_estimates_by_hand():
    found = estimate(one_slot([0.5, 0.25], [0.5, 0.75], [1.0, 1.0], predicted=0.5, expected=0.6))
    # Weights 1 and 3.
    assert found.ips.estimate == pytest.approx((1 * 1 + 3 * 1) / 2)
    assert found.snips.estimate == pytest.approx((1 * 1 + 3 * 1) / (1 + 3))
    assert found.doubly_robust.estimate == pytest.approx((0.6 + 1 * 0.5 + 0.6 + 3 * 0.5) / 2)
    assert found.effective_lists == pytest.approx((1 + 3) ** 2 / (1 + 9))
    assert found.mean_weight == pytest.approx(2.0)


def test_doubly_robust_needs_only_one_of_the_two_to_be_right():
    """Half of the propensities in the log are wrong, but the model of the reward is right."""
    rng = np.random.default_rng(1)
    taken = rng.random(20_000) < 0.5
    reward = np.where(taken, 0.8, 0.3)
    logged = np.where(taken, 0.25, 0.75)  # said; truly 0.5 each
    target = np.where(taken, 0.9, 0.1)
    wrong = estimate(one_slot(logged, target, reward))
    right = estimate(one_slot(logged, target, reward, reward, 0.9 * 0.8 + 0.1 * 0.3))
    actual = 0.9 * 0.8 + 0.1 * 0.3
    assert abs(wrong.ips.estimate - actual) > 0.3
    assert right.doubly_robust.estimate == pytest.approx(actual, abs=1e-9)


def test_lists_of_one_user_make_no_surer_than_the_user_does():
    logged, target, reward = [0.5, 0.5, 0.25, 0.5], [0.7, 0.3, 0.5, 0.5], [1.0, 0.0, 1.0, 0.0]
    alone = estimate(one_slot(logged, target, reward))
    twice = estimate(one_slot(logged * 2, target * 2, reward * 2, user=[0, 1, 2, 3] * 2))
    assert twice.ips.high == pytest.approx(alone.ips.high)
    assert twice.snips.high == pytest.approx(alone.snips.high)


def test_a_log_without_exploration_is_refused():
    with pytest.raises(DataError, match=r"no exploration: every propensity of its 3 lists is 1"):
        estimate(one_slot([1.0] * 3, [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]))
    with pytest.raises(DataError, match="no list"):
        estimate(one_slot([], [], []))
