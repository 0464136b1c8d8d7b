from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_events import VIEW, interactions

from engine.errors import DataError
from engine.evaluate import Ranked, Requests, evaluate, first_baskets
from engine.evaluate.baselines import PersonalFrequency, Purchases, ScoreRanker
from engine.evaluate.tune import Tuning, validation_set
from engine.interactions import Interactions

CUT = 1000


def shop() -> Interactions:
    return interactions(
        [
            (0, 0, 100, 1, 1), (0, 1, 100, 1, 1), (0, 0, 200, 2, 1),
            (1, 0, 300, 3, 1), (1, 1, 310, 3, 1), (1, 3, 320, 3, 1),
            (2, 2, 400, 4, 2), (2, 0, 999, 5, 2),
            # From the cut on.
            (0, 1, 1000, 6, 3), (0, 0, 1001, 6, 3), (0, 1, 1002, 6, 3), (0, 2, 1003, 6, 3),
            (0, 1, 2000, 7, 1),
            (1, 5, 1500, 8, 2), (1, 0, 1600, 9, 2),
            (2, 1, 1001, 5, 2), (2, 1, 3000, 10, 2),
            (3, 0, 1700, 11, 1),
        ]
    )  # fmt: skip


def test_each_user_is_asked_once_for_the_first_basket_that_starts_after_the_cut():
    asked = first_baskets(shop(), CUT, min_users=2)
    # User 1's first basket holds no candidate; user 2's basket 5 began before the cut, so
    # basket 10 is the first; user 3 had no history and stays.
    assert asked.requests.user.tolist() == [0, 2, 3]
    assert asked.requests.at_unix_s.tolist() == [1000, 3000, 1700]
    assert asked.requests.place.tolist() == [3, 2, 1]
    assert [items.tolist() for items in asked.targets] == [[0, 1], [1], [0]]


def test_candidates_are_what_enough_distinct_users_had_before_the_cut():
    one = first_baskets(shop(), CUT, min_users=1)
    assert np.flatnonzero(one.candidates).tolist() == [0, 1, 2, 3]
    # User 0 had item 0 twice, which counts once: three users in all.
    assert np.flatnonzero(first_baskets(shop(), CUT, min_users=3).candidates).tolist() == [0]


def test_the_history_ends_strictly_before_the_cut():
    history = first_baskets(shop(), CUT, min_users=2).history
    assert history.at_unix_s.max() == 999
    assert len(history) == 8


def test_baskets_from_the_end_on_are_not_asked_for():
    asked = first_baskets(shop(), CUT, 1700, min_users=2)
    assert asked.requests.user.tolist() == [0]


def test_new_items_leave_out_what_the_user_had_and_users_without_any():
    new = first_baskets(shop(), CUT, min_users=2).new_items()
    assert new.new_only
    assert new.requests.user.tolist() == [2, 3]
    assert [items.tolist() for items in new.targets] == [[1], [0]]


def test_only_events_of_the_asked_kind_make_baskets_and_candidates():
    viewed = [(0, 4, 10, 20, 1, VIEW), (1, 4, 10, 21, 1, VIEW), (0, 4, 1000, 22, 1, VIEW)]
    bought = [(0, 0, 20, 23, 1), (1, 0, 20, 24, 1), (0, 0, 1100, 25, 1)]
    asked = first_baskets(interactions(viewed + bought), CUT, min_users=2)
    assert np.flatnonzero(asked.candidates).tolist() == [0]
    assert asked.requests.at_unix_s.tolist() == [1100]
    assert len(asked.history) == 4


def test_a_cut_after_everything_is_refused():
    with pytest.raises(DataError, match="choose an earlier cut"):
        first_baskets(shop(), 10_000)


def test_a_sample_is_seeded_and_keeps_targets_beside_requests():
    asked = first_baskets(shop(), CUT, min_users=2)
    sample = asked.sample(2, seed=1)
    assert len(sample) == 2
    assert sample.requests.user.tolist() == asked.sample(2, seed=1).requests.user.tolist()
    of_user = dict(zip(asked.requests.user.tolist(), asked.targets, strict=True))
    for user, items in zip(sample.requests.user.tolist(), sample.targets, strict=True):
        assert items.tolist() == of_user[user].tolist()
    assert asked.sample(3, seed=1) is asked


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_same_as_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    sessions = [(int(rng.integers(4)), int(rng.integers(0, 40)), s) for s in range(14)]
    rows = [
        (user, int(item), 50 * at + s, s, 1 + s % 3)
        for user, at, s in sessions
        for item in rng.integers(0, 6, rng.integers(1, 4))
    ]
    cut = 900
    had, expected = {}, {}
    for user, item, at, _, _ in rows:
        if at < cut:
            had.setdefault(item, set()).add(user)
    candidates = {item for item, users in had.items() if len(users) >= 2}
    for user in range(4):
        later = sorted({(at, s, place) for u, _, at, s, place in rows if u == user and at >= cut})
        if later:
            at, session, place = later[0]
            items = sorted({i for _, i, _, s, _ in rows if s == session} & candidates)
            if items:
                expected[user] = (at, place, items)
    if not expected:
        with pytest.raises(DataError):
            first_baskets(interactions(rows), cut, min_users=2)
        return
    asked = first_baskets(interactions(rows), cut, min_users=2)
    found = zip(
        asked.requests.user.tolist(),
        asked.requests.at_unix_s.tolist(),
        asked.requests.place.tolist(),
        (items.tolist() for items in asked.targets),
        strict=True,
    )
    assert {user: rest for user, *rest in found} == {u: list(e) for u, e in expected.items()}


def test_what_happens_after_the_cut_changes_no_training_input_and_no_ranking():
    whole = shop()
    past = whole.at_unix_s < CUT
    rng = np.random.default_rng(0)
    future = np.flatnonzero(~past)
    shuffled = replace(
        whole,
        item=np.where(past, whole.item, rng.integers(0, 6, len(whole))),
        place=np.where(past, whole.place, 0),
        value=np.where(past, whole.value, np.float32(99)),
    )
    emptied = whole.where(past | (np.arange(len(whole)) == future[0]))
    asked = first_baskets(whole, CUT, min_users=1)
    requests = asked.requests
    for altered in (shuffled, emptied):
        other = first_baskets(altered, CUT, min_users=1)
        for f in fields(Interactions):
            mine, its = getattr(asked.history, f.name), getattr(other.history, f.name)
            np.testing.assert_array_equal(mine, its, err_msg=f.name)
        np.testing.assert_array_equal(asked.candidates, other.candidates)
        for new_only in (False, True):
            a, b = (
                ScoreRanker.fitted("p", PersonalFrequency(120.0), Purchases.of(each)).rank(
                    requests, 4, new_only=new_only
                )
                for each in (asked, other)
            )
            np.testing.assert_array_equal(a.rows, b.rows)
            np.testing.assert_array_equal(a.valid, b.valid)


def test_tuning_asks_only_what_lies_before_the_cut():
    asked = first_baskets(shop(), CUT, min_users=1)
    tuning = Tuning(days=700 / 86_400, min_users=1)
    validation = validation_set(asked, tuning)
    assert validation.cut_unix_s == 300
    assert validation.history.at_unix_s.max() < 300
    assert validation.requests.user.tolist() == [1]
    assert [items.tolist() for items in validation.targets] == [[0, 1]]


class Fixed:
    name = "fixed"

    def __init__(self, rows):
        self.rows = np.array(rows)

    def rank(self, requests: Requests, k: int, *, new_only: bool) -> Ranked:
        return Ranked(self.rows[:, :k], np.ones(self.rows[:, :k].shape, bool))


def test_evaluate_measures_the_first_k_answers():
    scores = evaluate(Fixed([[0, 2], [1, 0], [1, 0]]), first_baskets(shop(), CUT, min_users=1), 2)
    # User 1's first basket (item 5) still holds no candidate.
    assert scores.user.tolist() == [0, 2, 3]
    assert scores.recall == pytest.approx([2 / 3, 1, 1])
    assert scores.reciprocal_rank == pytest.approx([1, 1, 1 / 2])


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ([[0, 0], [1, 0], [1, 0]], "repeats"),
        ([[0, 5], [1, 0], [1, 0]], "no candidates"),
    ],
)
def test_a_ranker_that_breaks_the_rules_is_refused(rows, rule):
    with pytest.raises(DataError, match=rule):
        evaluate(Fixed(rows), first_baskets(shop(), CUT, min_users=1), 2)


def test_a_ranker_may_not_answer_with_old_items_when_only_new_ones_count():
    new = first_baskets(shop(), CUT, min_users=2).new_items()
    with pytest.raises(DataError, match="already had"):
        evaluate(Fixed([[0], [1]]), new, 1)
    assert evaluate(Fixed([[1], [0]]), new, 1).hit.tolist() == [1, 1]
