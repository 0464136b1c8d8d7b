"""Slots filled by every rule: each does what it says, and the chances are what happens."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.policy.diversity import Dpp, Mmr, novelty
from engine.policy.exploration import Epsilon, Greedy, Thompson, explorer_of, spreads
from engine.policy.selection import Contest, Floor, Limit, Rest, fill, follow
from engine.policy.slots import fill_slots
from engine.policy_rules import DiversityMethod, Exploration, Policy

BASIS = np.eye(4, dtype=np.float32)


def contest(scores, **rules) -> Contest:
    """Candidates whose position is their row; scores must come best first."""
    scores = np.array(scores, dtype=np.float64)
    assert (np.diff(scores) <= 0).all()
    return Contest(np.arange(len(scores)), scores, np.zeros(len(scores)), **rules)


def at(slots) -> list[int]:
    return [slot.at for slot in slots]


def members(n, *who) -> np.ndarray:
    mask = np.zeros(n, np.bool_)
    mask[list(who)] = True
    return mask


# Limits, rests and floors


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 3)), max_size=25),
    st.integers(0, 10),
    st.integers(1, 3),
)
def test_the_long_way_and_the_short_way_agree(candidates, k, most):
    candidates = sorted(candidates, key=lambda one: -one[0])
    scores = np.array([score for score, _ in candidates], dtype=np.float32)
    group = np.array([group for _, group in candidates], dtype=np.int64)
    short = fill_slots(scores, np.ones(len(scores), bool), group, k, Policy(max_per_group=most))
    long = fill(contest(scores, limits=(Limit("max_per_group", most, group),)), k)
    assert at(long) == at(short)
    assert [slot.rules for slot in long] == [slot.rules for slot in short]
    assert all(slot.propensity == 1.0 for slot in long)


def test_a_cap_of_none_keeps_everyone_of_it_out_and_says_so():
    group = np.array([0, -1, 0, -1])
    slots = fill(contest([4, 3, 2, 1], limits=(Limit("cap sweets", 0, group),)), 4)
    assert [(s.at, s.rules) for s in slots] == [
        (1, ("cap sweets passed over 1",)),
        (3, ("cap sweets passed over 2",)),
    ]


def test_who_rests_is_passed_over():
    slots = fill(contest([4, 3, 2], rests=(Rest("frequency", members(3, 0)),)), 2)
    assert [(s.at, s.rules) for s in slots] == [
        (1, ("frequency passed over 1",)),
        (2, ("frequency passed over 1",)),
    ]


def test_a_floor_lifts_the_best_member_when_its_share_is_due_and_no_sooner():
    slots = fill(contest([9, 8, 7, 6, 5, 4], floors=(Floor("new", 0.5, members(6, 4, 5)),)), 4)
    # floor(0.5 * 2) = 1 is due at the second slot, floor(0.5 * 4) = 2 at the fourth.
    assert [(s.at, s.rules) for s in slots] == [(0, ()), (4, ("new",)), (1, ()), (5, ("new",))]


def test_a_member_that_came_by_itself_counts_toward_the_floor():
    slots = fill(contest([9, 8, 7, 6], floors=(Floor("new", 0.5, members(4, 0, 3)),)), 3)
    assert at(slots) == [0, 1, 2]


@pytest.mark.parametrize(
    ("before", "had", "k", "expected"),
    [
        (0, 0, 3, [0, 1, 2]),  # floor(0.2 * 3) = 0
        (2, 0, 3, [0, 1, 4]),  # floor(0.2 * 5) = 1: the last slot pays it
        (2, 1, 3, [0, 1, 2]),  # had before
        (7, 0, 3, [0, 4, 5]),  # floor(0.2 * 10) = 2
        (90, 0, 3, [4, 5, 0]),  # more is owed than there is
    ],
)
def test_a_floor_over_traffic_is_paid_by_the_lowest_slots(before, had, k, expected):
    floor = Floor("new", 0.2, members(6, 4, 5), length=k, slots_before=before, members_before=had)
    assert at(fill(contest([6, 5, 4, 3, 2, 1], floors=(floor,)), k)) == expected


def test_a_member_that_came_by_itself_pays_a_floor_over_traffic():
    floor = Floor("new", 0.2, members(6, 0, 5), length=3, slots_before=2)
    assert at(fill(contest([6, 5, 4, 3, 2, 1], floors=(floor,)), 3)) == [0, 1, 2]


def test_a_floor_without_a_member_left_changes_nothing():
    assert at(fill(contest([3, 2], floors=(Floor("new", 1.0, members(2)),)), 2)) == [0, 1]


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.floats(0.05, 0.9), st.integers(1, 20))
def test_every_prefix_keeps_the_floor_while_there_are_members(member, share, k):
    mask = np.array(member)
    slots = at(fill(contest(-np.arange(len(mask)), floors=(Floor("f", share, mask),)), k))
    assert len(set(slots)) == len(slots) == min(k, len(mask))
    for n in range(1, len(slots) + 1):
        owed = min(int(np.floor(share * n + 1e-9)), int(mask.sum()))
        assert mask[slots[:n]].sum() >= owed


# Diversity


def test_mmr_takes_the_unlike_item_when_likeness_costs_more_than_the_score():
    vectors = BASIS[[0, 0, 1]]

    def listed(weight):
        rules = {"novelty": lambda: Mmr(vectors, weight), "novelty_name": "mmr"}
        return fill(contest([3.0, 2.5, 2.0], **rules), 3)

    assert at(listed(0.4)) == [0, 1, 2]  # 2.5 - 0.4 > 2.0
    dear = listed(0.6)  # 2.5 - 0.6 < 2.0
    assert at(dear) == [0, 2, 1]
    assert dear[1].rules == ("mmr preferred it to a better score",)


def test_chance_draws_from_those_whom_diversity_puts_first():
    race = contest([3.0, 2.5, 2.0, 1.9], novelty=lambda: Mmr(BASIS[[0, 0, 1, 0]], 0.6))
    second = follow(race, [0, 2], Epsilon(0.4, 2))[1]
    assert second.who.tolist() == [2, 1]  # 2.0, then 2.5 - 0.6; last is 1.9 - 0.6
    assert second.chances.tolist() == pytest.approx([0.8, 0.2])


def test_dpp_is_the_greedy_choice_of_the_largest_determinant():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(12, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = np.sort(rng.normal(size=12))[::-1]
    weight = 0.7
    quality = np.exp(scores / (2 * weight))
    similar = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(similar, 1.0)
    kernel = quality[:, None] * similar * quality
    picked: list[int] = []
    for _ in range(5):
        left = [i for i in range(12) if i not in picked]
        picked.append(
            max(left, key=lambda i: np.linalg.det(kernel[np.ix_([*picked, i], [*picked, i])]))
        )
    rules = {"novelty": lambda: Dpp(vectors, weight)}
    assert at(fill(contest(scores, **rules), 5)) == picked


@pytest.mark.parametrize("method", list(DiversityMethod))
def test_an_item_without_a_vector_is_like_nothing(method):
    vectors = np.concatenate([BASIS[[0, 0]], np.zeros((2, 4), np.float32)])
    follower = novelty(method, vectors, 2.0)
    follower.take(0)
    follower.take(2)
    bonus = follower.bonus()
    assert bonus[3] == 0.0
    assert bonus[1] <= -2.0


def test_a_copy_of_a_copy_stays_finite():
    follower = Dpp(BASIS[[0, 0, 0]], 1.0)
    for row in range(3):
        follower.take(row)
    assert np.isfinite(follower.bonus()).all()


# Exploration


EXPLORERS = [
    Greedy(),
    Epsilon(0.3, 5),
    Epsilon(1.0, 3),
    Thompson(6),
]


@pytest.mark.parametrize("explorer", EXPLORERS, ids=repr)
@given(st.lists(st.floats(-4, 4), min_size=1, max_size=8), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_chances_are_a_distribution(explorer, utility, seed):
    utility = np.sort(np.array(utility))[::-1]
    spread = np.random.default_rng(seed).uniform(0.1, 1.0, len(utility))
    chances = explorer.chances(utility, spread)
    assert chances.sum() == pytest.approx(1.0, abs=1e-9)
    assert (chances >= 0).all()
    each = [explorer.chance(utility, spread, i) for i in range(len(utility))]
    assert each == pytest.approx(chances, abs=1e-7)


def test_two_candidates_are_drawn_by_the_normal_distribution_of_their_difference():
    utility, spread = np.array([1.0, 0.2]), np.array([0.5, 0.12])
    from scipy.stats import norm

    first = norm.cdf((1.0 - 0.2) / np.hypot(0.5, 0.12))
    assert Thompson(2).chance(utility, spread, 0) == pytest.approx(first, abs=1e-8)


def test_what_sold_more_is_less_uncertain():
    rule = Exploration(method="thompson", spread=2.0, prior_sales=10)
    # sqrt(10 / (10 + n)) of the spread, and never less than a tenth.
    assert spreads(rule, np.array([0, 10, 30, 10**6])) == pytest.approx(
        [2.0, 2.0 * 0.5**0.5, 1.0, 0.2]
    )


DRAWS = 6_000


@pytest.mark.parametrize("explorer", [Epsilon(0.4, 3), Thompson(4)], ids=["epsilon", "thompson"])
def test_what_is_drawn_is_as_frequent_as_the_log_says(explorer):
    """Every list of two slots comes as often as the product of its logged propensities."""
    rules = {
        "spread": np.array([0.3, 0.5, 0.8, 0.4, 1.0]),
        "limits": (Limit("cap", 1, np.array([0, -1, 0, -1, -1])),),
        "floors": (Floor("new", 0.5, members(5, 3, 4)),),
        "novelty": lambda: Mmr(BASIS[[0, 1, 2, 0, 1]], 0.5),
    }
    rng = np.random.default_rng(7)
    race = contest([1.0, 0.8, 0.6, 0.5, 0.1], **rules)
    counts: Counter[tuple[int, ...]] = Counter()
    told: dict[tuple[int, ...], float] = {}
    for _ in range(DRAWS):
        slots = fill(race, 2, explorer, rng)
        key = tuple(at(slots))
        counts[key] += 1
        chance = float(np.prod([slot.propensity for slot in slots]))
        assert told.setdefault(key, chance) == chance
    assert sum(told.values()) == pytest.approx(1.0, abs=0.02)  # nearly all lists were met
    for key, chance in told.items():
        sigma = np.sqrt(chance * (1 - chance) / DRAWS)
        assert abs(counts[key] / DRAWS - chance) < 4.5 * sigma + 1e-4
    assert len(counts) >= 4


@pytest.mark.parametrize("explorer", [Epsilon(0.4, 3), Thompson(4)], ids=["epsilon", "thompson"])
def test_following_a_list_finds_the_chances_that_were_logged(explorer):
    race = contest(
        [1.0, 0.8, 0.6, 0.5, 0.1],
        spread=np.array([0.3, 0.5, 0.8, 0.4, 1.0]),
        limits=(Limit("cap", 1, np.array([0, -1, 0, -1, -1])),),
        novelty=lambda: Dpp(BASIS[[0, 1, 2, 0, 1]], 0.5),
    )
    for seed in range(20):
        slots = fill(race, 3, explorer, np.random.default_rng(seed))
        path = follow(race, at(slots), explorer)
        assert [step.chance for step in path] == pytest.approx([s.propensity for s in slots])


def test_following_stops_where_the_policy_would_never_have_gone():
    path = follow(contest([3, 2, 1]), [0, 2, 1], Greedy())
    assert [step.chance for step in path] == [1.0, 0.0]


def test_following_goes_over_every_list_once():
    """The chances of all lists of a policy add up to one."""
    race = contest([1.0, 0.5, 0.2, 0.1], limits=(Limit("cap", 1, np.array([0, 0, -1, -1])),))
    explorer = Epsilon(0.5, 3)
    total = 0.0
    for rows in itertools.permutations(range(4), 2):
        path = follow(race, rows, explorer)
        total += float(np.prod([step.chance for step in path])) if len(path) == 2 else 0.0
    assert total == pytest.approx(1.0)


def test_the_same_seed_draws_the_same_list_and_none_draws_nothing():
    race = contest(-np.arange(30) / 10)
    explorer = explorer_of(Exploration(epsilon=1.0))
    first, again = (fill(race, 10, explorer, np.random.default_rng(3)) for _ in range(2))
    assert first == again
    assert at(first) != list(range(10))
    assert any("explored" in slot.rules for slot in first)
    assert at(fill(race, 10, explorer)) == list(range(10))
