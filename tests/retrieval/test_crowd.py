"""People of the same taste, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.crowd import Crowd, gather_crowd, no_crowd

# Users 0 and 1 look one way, user 3 the other; user 2 never came.
TASTE = np.array([[1, 0], [0.8, 0.6], [0, 0], [0, 1]], np.float32)
USER = np.array([0, 0, 1, 3, 3])
ITEM = np.array([0, 0, 1, 2, 0])
WEIGHT = np.array([1, 0.5, 1, 0.25, 0.25], np.float32)
VISITS = np.array([1.5, 1.0, 0.0, 0.5], np.float32)
LOOKING = np.array([1, 0], np.float32)


@pytest.fixture
def crowd() -> Crowd:
    return gather_crowd(USER, ITEM, WEIGHT, VISITS, TASTE, n_items=4)


def test_a_profile_is_the_share_of_visits_that_hold_an_item(crowd: Crowd) -> None:
    assert crowd.row.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(crowd.taste, TASTE[[0, 1, 3]])
    np.testing.assert_allclose(
        crowd.profile.toarray(),
        [[1.5 / 2, 0, 0, 0], [0, 1 / 1.5, 0, 0], [0.25 / 1, 0, 0.25 / 1, 0]],
        rtol=1e-6,
    )


def test_the_nearest_count_alike_and_the_others_not(crowd: Crowd) -> None:
    np.testing.assert_allclose(crowd.scores(LOOKING, None, n=1), [0.75, 0, 0, 0])
    np.testing.assert_allclose(
        crowd.scores(LOOKING, None, n=2), [0.75 / 2, 1 / 1.5 / 2, 0, 0], rtol=1e-6
    )


def test_a_small_crowd_counts_whole(crowd: Crowd) -> None:
    np.testing.assert_allclose(
        crowd.scores(LOOKING, None, n=40), crowd.profile.toarray().mean(0), rtol=1e-6
    )


def test_nobody_is_a_neighbour_of_their_own(crowd: Crowd) -> None:
    np.testing.assert_allclose(crowd.scores(LOOKING, 0, n=1), [0, 1 / 1.5, 0, 0], rtol=1e-6)
    # User 2 is not in the crowd: nobody is left out.
    np.testing.assert_array_equal(crowd.scores(LOOKING, 2), crowd.scores(LOOKING, None))


def test_alone_there_is_no_crowd() -> None:
    alone = gather_crowd(
        np.array([0]), np.array([1]), np.ones(1, np.float32), np.ones(1), TASTE[:1], n_items=4
    )
    assert alone.scores(LOOKING, 0).tolist() == [0, 0, 0, 0]
    assert alone.scores(LOOKING, None)[1] == pytest.approx(1 / 1.5)
    assert no_crowd(4, 2).scores(LOOKING, None).tolist() == [0, 0, 0, 0]


def test_the_most_active_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.crowd.MAX_PEOPLE", 2)
    crowd = gather_crowd(USER, ITEM, WEIGHT, VISITS, TASTE, n_items=4)
    assert crowd.row.tolist() == [0, 1]
    np.testing.assert_allclose(
        crowd.profile.toarray(), [[0.75, 0, 0, 0], [0, 1 / 1.5, 0, 0]], rtol=1e-6
    )


def test_the_mean_is_that_of_the_nearest_however_many_people_there_are() -> None:
    rng = np.random.default_rng(3)
    taste = rng.normal(size=(200, 4)).astype(np.float32)
    event = rng.integers(0, 200, 2_000), rng.integers(0, 50, 2_000)
    weight, visits = rng.random(2_000, np.float32), rng.uniform(0.5, 3, 200).astype(np.float32)
    crowd = gather_crowd(*event, weight, visits, taste, n_items=50)
    nearest = np.argsort(-(taste @ taste[7]))
    profile = crowd.profile.toarray()
    for own, people in ((None, nearest[:40]), (7, nearest[nearest != 7][:40])):
        found = crowd.scores(taste[7], own)
        np.testing.assert_allclose(found, profile[people].mean(axis=0), rtol=1e-6, atol=1e-7)
