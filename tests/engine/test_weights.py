"""Shares of a score: they add up, they are Shapley's, and the evidence named first moves most."""

from __future__ import annotations

import numpy as np
import planted
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.asking import moment_of
from engine.errors import UnknownIdError
from engine.explain.ablation import Coalitions, scores_without, sources_of
from engine.explain.weights import (
    Group,
    all_coalitions,
    group_of,
    shapley_values,
    split_scores,
)
from engine.explaining import explain_items, subject_of
from engine.given import score_listed
from engine.recommend import Engine
from engine.scene import Scene
from engine.scoring import Asked
from engine.serve.fields import SceneBody
from engine.serve.people_schemas import ExplainRequest
from engine.serve.people_verbs import explain
from retrieval.rerank.features import feature_names

COOK = planted.user_id(0)
SCENE = Scene(time=planted.CUT, place=planted.place_of(0))


def test_shapley_values_of_a_game_worked_out_by_hand():
    # Left glove worth nothing, right glove worth nothing, the pair worth 6; the third adds 1 alone.
    worth = np.array([[0.0], [0], [0], [6], [1], [1], [1], [7]])  # rows: bits of 3 players
    assert shapley_values(worth, 3).ravel() == pytest.approx([3, 3, 1])


@given(st.lists(st.floats(-5, 5), min_size=16, max_size=16))
@settings(max_examples=50)
def test_shares_add_up_and_who_adds_nothing_gets_nothing(scores: list[float]):
    worth = np.array(scores)[:, None]
    values = shapley_values(worth, 4)
    assert values.sum() == pytest.approx(worth[-1, 0] - worth[0, 0], abs=1e-9)
    idle = np.concatenate([worth[:8], worth[:8]])  # the fourth changes nothing
    assert shapley_values(idle, 4)[3, 0] == pytest.approx(0, abs=1e-12)


def test_an_additive_score_is_split_into_its_terms():
    terms = np.array([2.0, -1.0, 0.5])
    groups = (Group.HISTORY, Group.OFFER, Group.PRICE)
    (split,) = split_scores(
        groups,
        lambda coalitions: (7 + coalitions @ terms)[:, None].astype(np.float32),
        wish=np.array([0.25], np.float32),
    )
    assert split.base == 7
    assert {share.group: share.value for share in split.shares} == pytest.approx(
        {Group.HISTORY: 2, Group.OFFER: -1, Group.PRICE: 0.5, Group.WISH: 0.25}
    )
    assert split.score == pytest.approx(8.75)


def test_too_many_groups_are_refused():
    with pytest.raises(ValueError, match="at most 12"):
        split_scores([Group.HISTORY] * 13, lambda c: np.zeros((len(c), 1)), wish=np.zeros(1))


def test_every_feature_belongs_to_a_group_that_names_it():
    found = {name: group_of(name) for name in feature_names(2)}
    assert found["item_count"] is Group.HISTORY
    assert found["group1_due"] is Group.DUE
    assert found["on_coupon"] is Group.OFFER
    assert found["sold_28d"] is Group.POPULARITY
    assert found["slot_lift"] is Group.SCENE
    assert found["crowd_score"] is Group.GRAPH
    assert found["group0_share_here"] is Group.SCENE


def test_a_list_is_explained_to_its_last_digit(shop: Engine):
    listed = shop.recommend(COOK, SCENE, k=5)
    ids = [one.item.item_id for one in listed]
    for one, told in zip(listed, explain_items(shop, COOK, ids, SCENE), strict=True):
        assert told.item == one.item
        assert told.split.score == pytest.approx(
            one.trace.model_score + one.trace.wish_score, abs=1e-4
        )
        whole = told.split.base + sum(share.value for share in told.shares)
        assert whole == pytest.approx(told.split.score, abs=1e-4)


def test_the_network_scores_the_full_coalition_as_it_did(shop: Engine):
    run = shop.run
    rows = np.array([3, 7, 40], dtype=np.int64)
    asked = Asked(COOK, moment_of(run, SCENE), [])
    scored = score_listed(run, asked, rows)
    subject, _ = subject_of(run, COOK, scored, rows)
    coalitions = Coalitions(subject)
    full = coalitions(all_coalitions(len(coalitions.groups))[-1:])[0]
    at = [list(scored.recalled.candidates.rows).index(row) for row in rows]
    np.testing.assert_allclose(full, scored.model[at], atol=1e-5)


def test_what_retrieval_gave_can_be_made_again(shop: Engine):
    run = shop.run
    rows = np.array([1, 2, 31], dtype=np.int64)
    scored = score_listed(run, Asked(COOK, moment_of(run, SCENE), []), rows)
    subject, _ = subject_of(run, COOK, scored, rows)
    again = sources_of(subject, subject.history)
    for name in ("graph", "together", "content", "crowd"):
        np.testing.assert_allclose(
            getattr(again, name), getattr(subject.sources, name), atol=1e-5, err_msg=name
        )


def test_a_habit_rests_on_its_own_past(shop: Engine):
    run = shop.run
    habit = sorted(planted.habit_of(0))[0]
    row = np.array([run.vocabulary.items.row(habit)])
    scored = score_listed(run, Asked(COOK, moment_of(run, SCENE), []), row)
    subject, _ = subject_of(run, COOK, scored, row)
    others = np.setdiff1d(np.unique(subject.history.item), row)[:5]
    without = scores_without(subject, np.concatenate([row, others]))[:, 0]
    assert without[0] < without[1:].min(), "nothing else of the past counts as much"


def test_the_first_group_moves_more_than_another(shop: Engine):
    """Fidelity: a score falls further without what was named first than without the others."""
    falls, others = [], []
    run = shop.run
    for user in range(0, planted.N_USERS, 3):
        name = planted.user_id(user)
        listed = shop.recommend(name, SCENE, k=3)
        rows = np.array([run.vocabulary.items.row(one.item.item_id) for one in listed])
        scored = score_listed(run, Asked(name, moment_of(run, SCENE), []), rows)
        subject, wish = subject_of(run, name, scored, rows)
        coalitions = Coalitions(subject)
        n = len(coalitions.groups)
        splits = split_scores(coalitions.groups, coalitions, wish=wish)
        fall = coalitions(np.ones((1, n), np.bool_)) - coalitions(~np.eye(n, dtype=np.bool_))
        for k, split in enumerate(splits):
            first = coalitions.groups.index(max(split.shares, key=lambda share: share.value).group)
            falls.append(fall[first, k])
            others.append(np.abs(np.delete(fall[:, k], first)).mean())
    assert np.mean(falls) > 2 * np.mean(others)


def test_an_unknown_item_is_named(shop: Engine):
    with pytest.raises(UnknownIdError, match="no-such"):
        explain_items(shop, COOK, ["no-such"], SCENE)


def test_the_call_tells_what_the_score_is_made_of(shop: Engine):
    habit = sorted(planted.habit_of(0))[0]
    call = ExplainRequest(user_id=COOK, item_id=habit, scene=SceneBody(time=planted.CUT))
    told = explain(call, shop)
    moved = told.moved
    assert moved is not None
    assert moved.base + sum(one.value for one in moved.shares) == pytest.approx(
        moved.score, abs=1e-4
    )
    assert moved.score == pytest.approx(told.trace.model_score + told.trace.wish_score, abs=1e-4)
    assert (moved.past[0].item_id, moved.past[0].times) == (habit, planted.WEEKS_BEFORE)
    assert explain(call.model_copy(update={"shares": False}), shop).moved is None


def test_an_erased_users_past_moves_nothing(shop: Engine):
    habit = sorted(planted.habit_of(0))[0]
    call = ExplainRequest(user_id=COOK, item_id=habit, scene=SceneBody(time=planted.CUT))
    assert explain(call, shop).paths, "or there would be nothing to forget"
    shop.erase_user(COOK)
    (told,) = explain_items(shop, COOK, [habit], SCENE)
    assert told.past == ()
    assert explain(call, shop).paths == ()
    assert all(abs(s.value) < 1e-6 for s in told.shares if s.group is Group.HISTORY)
