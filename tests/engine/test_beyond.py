"""Variety, novelty, calibration and fairness of lists, each against arithmetic or a library."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from math import log, log2

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.metrics.pairwise import cosine_distances
from small_events import drawn, interactions

from engine.errors import DataError
from engine.evaluate.beyond import beyond_accuracy
from engine.evaluate.exposure import Shown, coverage, exposure_of, gini, groups_of, unfairness
from engine.evaluate.items import ItemFacts, Renown, head_items
from engine.evaluate.list_measures import diversity, miscalibration, novelty, serendipity
from engine.evaluate.popularity_bias import popularity_lifts
from engine.evaluate.protocol import EvaluationSet, Ranked, first_baskets
from engine.evaluate.protocols import next_baskets

CUT = 1000
DAY = 86_400


def lists(*rows: list[int], width: int = 3) -> Ranked:
    """Lists of the given rows; shorter ones have ended."""
    filled = np.zeros((len(rows), width), np.int64)
    valid = np.zeros((len(rows), width), bool)
    for at, row in enumerate(rows):
        filled[at, : len(row)], valid[at, : len(row)] = row, True
    return Ranked(filled, valid)


def shop() -> EvaluationSet:
    """Three users with a history and one without; item 0 is everybody's, item 5 nobody's."""
    rows = [(user, 0, 10 + user, user) for user in range(3)]
    rows += [(0, 1, 20, 4), (1, 1, 21, 5), (0, 2, 30, 6), (0, 2, 40, 7), (2, 3, 50, 8)]
    rows += [(0, 0, 1100, 10), (0, 3, 1100, 10), (1, 2, 1200, 11), (3, 0, 1300, 12)]
    rows += [(3, 4, 1300, 12)]
    return first_baskets(interactions(rows), CUT, min_users=0)


FACTS = ItemFacts(
    category=np.array([1, 1, 2, 2, 0, 3]),
    brand=np.array([1, 1, 2, 0, 2, 2]),
    category_names=("", "a", "b", "c"),
    brand_names=("", "x", "y"),
)


def test_novelty_is_the_surprise_of_having_an_item():
    renown = Renown.of(shop())
    assert renown.n_users.tolist() == [3, 2, 1, 1, 0, 0]
    # All three had item 0, two item 1, one item 2; nobody's item 5 counts as one's.
    found = novelty(lists([0, 1], [2, 5, 0], []), renown)
    assert found[0] == pytest.approx((0 + log2(3 / 2)) / 2)
    assert found[1] == pytest.approx(2 * log2(3) / 3)
    assert np.isnan(found[2])


def test_diversity_is_the_mean_distance_of_pairs():
    vectors = np.array([[1, 0], [0, 2], [3, 3], [0, 0]], np.float32)
    found = diversity(lists([0, 1, 2], [0, 3, 1], [0], [0, 3]), vectors)
    near = 1 - 1 / 2**0.5
    # Item 3 is not known: of the second list a single pair counts, of the last ones none.
    assert found[:2] == pytest.approx([(1 + 2 * near) / 3, 1])
    assert np.isnan(found[2:]).all()
    assert np.isnan(diversity(lists([0, 1]), None)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_diversity_is_that_of_sklearn(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(40, 7)).astype(np.float32)
    ranked = Ranked(
        np.stack([rng.permutation(40)[:6] for _ in range(300)]), np.ones((300, 6), bool)
    )
    pairs = np.triu_indices(6, 1)
    expected = [cosine_distances(vectors[row].astype(np.float64))[pairs].mean()
                for row in ranked.rows]  # fmt: skip
    np.testing.assert_allclose(diversity(ranked, vectors), expected, atol=1e-9)


def test_serendipity_counts_hits_that_popularity_would_not_give():
    asked, ranked = shop(), lists([0, 3, 5], [1, 2], [4])
    # The two most popular are items 0 and 1. Targets: {0, 3}, {2}, {0, 4}.
    found = serendipity(ranked, asked, Renown.of(asked), 2)
    assert found == pytest.approx([1 / 3, 1 / 2, 1])


def test_what_popularity_would_give_of_new_items_leaves_out_what_was_had():
    asked = shop().new_items()
    assert [items.tolist() for items in asked.targets] == [[3], [2], [0, 4]]
    # User 0 had 0, 1, 2: popularity gives 3. User 1 had 0, 1: it gives 2. User 3: item 0.
    found = serendipity(lists([3], [2], [0, 4]), asked, Renown.of(asked), 1)
    assert found == pytest.approx([0, 0, 1 / 2])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_serendipity_of_new_items_is_that_of_a_plain_loop(seed, k):
    try:
        asked = next_baskets(drawn(seed, 25), 900, min_users=1).new_items()
    except DataError:
        return
    if len(asked) == 0:
        return
    rng, renown = np.random.default_rng(seed), Renown.of(asked)
    ranked = lists(*(rng.permutation(6)[:3].tolist() for _ in range(len(asked))))
    popular = sorted(np.flatnonzero(asked.candidates), key=lambda i: -renown.n_users[i])
    expected = []
    for row, targets in enumerate(asked.targets):
        fresh = [i for i in popular if not asked.had_by(np.array([row]), np.array([i]))[0]]
        good = set(ranked.rows[row].tolist()) & set(targets.tolist()) - set(fresh[:k])
        expected.append(len(good) / 3)
    assert serendipity(ranked, asked, renown, k) == pytest.approx(expected)


def test_calibration_compares_the_mix_of_categories():
    asked = shop()
    # User 0 took a, a, b, b; user 1 took a, a; user 3 nothing.
    found = miscalibration(lists([0, 1, 2], [0, 1, 4], [0]), asked, FACTS)
    a, b = 0.99 * 2 / 3 + 0.01 / 2, 0.99 / 3 + 0.01 / 2
    assert found[0] == pytest.approx(log(0.5 / a) / 2 + log(0.5 / b) / 2)
    # Item 4 has no category and does not count.
    assert found[1] == pytest.approx(0)
    assert np.isnan(found[2])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_calibration_is_the_divergence_of_scipy(seed):
    rng = np.random.default_rng(seed)
    rows = [(int(u), int(i), n, n) for n, (u, i) in enumerate(rng.integers(0, 6, (60, 2)))]
    rows += [(u, 0, 1000 + u, 100 + u) for u in range(6)]
    asked = first_baskets(interactions(rows, 6), CUT, min_users=0)
    facts = replace(FACTS, category=rng.integers(1, 4, 6))
    ranked = lists(*(rng.permutation(6)[:3].tolist() for _ in range(6)))
    expected = []
    for user, row in enumerate(ranked.rows):
        p = np.bincount(facts.category[[i for u, i, t, _ in rows if u == user and t < CUT]],
                        minlength=4)  # fmt: skip
        q = np.bincount(facts.category[row], minlength=4) / 3
        expected.append(entropy(p, 0.99 * q + 0.01 * p / max(p.sum(), 1)) if p.sum() else np.nan)
    np.testing.assert_allclose(miscalibration(ranked, asked, facts), expected, atol=1e-9)


def test_coverage_and_gini():
    assert coverage(np.array([2, 0, 1, 0])) == 0.5
    assert gini(np.array([3, 3, 3])) == 0
    assert gini(np.array([0, 0, 5, 0])) == pytest.approx(3 / 4)
    # Mean absolute difference over all ordered pairs, over twice the mean.
    assert gini(np.array([1, 2, 5])) == pytest.approx((2 * (1 + 4 + 3) / 9) / (2 * 8 / 3))
    assert gini(np.zeros(3, np.int64)) == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_gini_is_the_mean_difference_and_knows_no_order(times):
    x = np.array(times)
    expected = np.abs(x[:, None] - x).mean() / (2 * x.mean()) if x.sum() else 0
    assert gini(x) == pytest.approx(expected)
    assert gini(x[::-1]) == gini(x)


def test_exposure_falls_with_the_rank_and_is_held_against_what_is_taken():
    asked = shop()
    shown = exposure_of(lists([0, 2], [1], [5, 4]), asked)
    assert shown.times.tolist() == [1, 1, 1, 0, 1, 1]
    second = 1 / log2(3)
    assert shown.attention == pytest.approx([1, 1, second, 0, second, 1])
    x, y = sorted(groups_of(shown, FACTS.brand, FACTS.brand_names), key=lambda group: group.group)
    total = 3 + 2 * second
    assert (x.group, x.n_items, x.of_candidates) == ("x", 2, 2 / 6)
    # Taken: items 0, 3 (no brand), 2, 0, 4.
    assert (x.of_targets, y.of_targets) == (2 / 5, 2 / 5)
    assert (x.of_exposure, y.of_exposure) == pytest.approx((2 / total, (1 + 2 * second) / total))
    assert unfairness(shown, FACTS.brand) == pytest.approx(abs(2 / total - 1 / 2))


def test_exposure_like_the_targets_is_fair_and_all_elsewhere_is_not():
    everything = np.ones(4, bool)
    code, taken = np.array([1, 1, 2, 0]), np.array([3, 1, 4, 9])
    fair = Shown(taken, 2.0 * taken, taken, everything)
    assert unfairness(fair, code) == pytest.approx(0)
    reverse = Shown(taken, np.array([0.0, 0, 1, 0]), np.array([1, 1, 0, 1]), everything)
    assert unfairness(reverse, code) == pytest.approx(1)
    assert unfairness(fair, np.zeros(4, np.int64)) is None


def test_who_is_given_more_popular_things_than_they_take():
    # Item 0 is had by all ten; item n + 1 by user n alone. Users 0 and 1 take it thrice.
    rows = [(user, 0, 10 + user, user) for user in range(10)]
    for user in range(10):
        rows += [
            (user, user + 1, 100 + n, 1000 * user + n + 50) for n in range(3 if user < 2 else 1)
        ]
    rows += [(8, 0, 200 + n, 20_000 + n) for n in range(5)] + [(9, 0, 300, 30_000)]
    rows += [(user, 0, 2000, 40_000 + user) for user in range(10)]
    asked = first_baskets(interactions(rows, 10, 11), CUT, min_users=1)
    ranked = lists(*([[0]] * 10), width=1)
    renown = replace(Renown.of(asked), head=np.arange(11) == 0)
    niche, diverse, blockbuster = popularity_lifts(ranked, asked, renown)
    assert [g.n_users for g in (niche, diverse, blockbuster)] == [2, 6, 2]
    assert niche.taken == pytest.approx((1 + 3 * 0.1) / 4)
    assert diverse.taken == pytest.approx((1 + 0.1) / 2)
    assert blockbuster.taken == pytest.approx(((6 + 0.1) / 7 + (2 + 0.1) / 3) / 2)
    assert niche.listed == 1
    assert niche.lift == pytest.approx(4 / 1.3 - 1)
    assert niche.lift > diverse.lift > blockbuster.lift > 0


def test_popular_items_are_a_share_of_the_candidates():
    n_users = np.array([5, 9, 9, 0, 7])
    among = np.array([True, True, True, True, False])
    assert np.flatnonzero(head_items(n_users, among, 0.2)).tolist() == [1]
    assert np.flatnonzero(head_items(n_users, among, 0.6)).tolist() == [0, 1, 2]
    assert not head_items(n_users, np.zeros(5, bool)).any()


def test_an_item_is_new_by_its_first_taking():
    cut = 100 * DAY
    rows = [(0, 0, cut - 29 * DAY, 1), (0, 1, cut - 27 * DAY, 2), (1, 0, cut - DAY, 3)]
    asked = first_baskets(interactions([*rows, (0, 0, cut, 4)]), cut, min_users=0)
    assert Renown.of(asked).new.tolist() == [False, True, True, True, True, True]


def test_facts_come_from_the_items_table():
    items = pl.DataFrame(
        {
            "categories": [["Food", "Bread", "Rye"], ["Food"], [], ["Food", "Bread"]],
            "brand": ["b", None, "a", ""],
        }
    )
    facts = ItemFacts.of(items)
    assert facts.category_names == ("", "Food", "Food > Bread")
    assert facts.category.tolist() == [2, 1, 0, 2]
    assert facts.brand_names == ("", "a", "b")
    assert facts.brand.tolist() == [2, 0, 1, 0]
    with pytest.raises(ValueError, match="one each"):
        ItemFacts.of(items, np.zeros((3, 2), np.float32))


def test_the_figures_of_a_method_are_means_of_its_lists():
    asked, ranked = shop(), lists([0, 3, 5], [1, 2], [4])
    vectors = np.eye(6, dtype=np.float32)
    found = beyond_accuracy(ranked, asked, replace(FACTS, vectors=vectors), method="m", k=3)
    assert found.novelty_bits.estimate == pytest.approx(novelty(ranked, Renown.of(asked)).mean())
    assert found.diversity.estimate == 1  # of the two lists that have a pair
    assert found.coverage == 1
    assert found.gini == 0
    assert {e.group: e.n_items for e in found.exposure} == {
        "new items": 6, "popular items": 2, "other items": 4,
    }  # fmt: skip
    assert sum(brand.of_candidates for brand in found.brands) == pytest.approx(5 / 6)
    first = beyond_accuracy(ranked, asked, FACTS, k=1)
    assert first.coverage == 3 / 6
    assert first.diversity is None
    assert json.loads(json.dumps(asdict(found)))["method"] == "m"
