"""Item neighbours against the dense formula."""

from __future__ import annotations

import numpy as np
import pytest

import retrieval.neighbours
from retrieval.neighbours import Neighbours, item_neighbours

USERS, ITEMS, EVENTS = 25, 18, 160
SHRINK = 1.5


@pytest.fixture(scope="module")
def events() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    # Item 4 is never taken; few users per item, so that many scores are tied.
    item = rng.choice(np.delete(np.arange(ITEMS), 4), EVENTS)
    return rng.integers(0, USERS, EVENTS), item, rng.choice([0.5, 1, 1], EVENTS).astype(np.float32)


def dense_scores(user: np.ndarray, item: np.ndarray, weight: np.ndarray) -> np.ndarray:
    taken = np.zeros((USERS, ITEMS))
    np.add.at(taken, (user, item), weight)
    taken = np.log1p(2 * taken)
    norm = np.sqrt((taken**2).sum(0)) + SHRINK
    similar = (taken.T @ taken) / np.outer(norm, norm)
    np.fill_diagonal(similar, 0)
    return similar


@pytest.mark.parametrize("n", [1, 5, ITEMS + 3])
@pytest.mark.parametrize("chunk_rows", [512, 4])
def test_neighbours_are_the_best_of_the_dense_formula(
    events: tuple[np.ndarray, np.ndarray, np.ndarray],
    n: int,
    chunk_rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retrieval.neighbours, "CHUNK_ROWS", chunk_rows)
    dense = dense_scores(*events)
    found = item_neighbours(*events, shape=(USERS, ITEMS), n=n, shrink=SHRINK)
    for i in range(ITEMS):
        real = found.weight[i] > 0
        mine = found.rows[i][real]
        assert len(set(mine)) == len(mine)
        # Equal scores may come in any order: compare the scores, and each with its own row.
        best = np.sort(dense[i][dense[i] > 0])[::-1][:n]
        np.testing.assert_allclose(found.weight[i][real], best, rtol=1e-5)
        np.testing.assert_allclose(dense[i][mine], found.weight[i][real], rtol=1e-5)


def test_an_item_is_no_neighbour_of_itself_and_an_untaken_one_of_none(
    events: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    found = item_neighbours(*events, shape=(USERS, ITEMS), n=ITEMS)
    real = found.weight > 0
    assert not (real & (found.rows == np.arange(ITEMS)[:, None])).any()
    assert not real[4].any()
    assert not (real & (found.rows == 4)).any()


def test_scores_are_the_sum_over_what_was_taken(
    events: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    found = item_neighbours(*events, shape=(USERS, ITEMS), n=ITEMS, shrink=SHRINK)
    dense = dense_scores(*events)
    taken, strength = np.array([2, 7, 11]), np.array([1, 0.5, 2], np.float32)
    np.testing.assert_allclose(
        found.scores(taken, strength), strength @ dense[taken], rtol=1e-5, atol=1e-6
    )


def test_padding_never_scores() -> None:
    # Items 1 and 2 share a user; item 0 shares none, but is the row that padding holds.
    user, item = np.array([0, 1, 1]), np.array([0, 1, 2])
    found = item_neighbours(user, item, np.ones(3, np.float32), shape=(2, 4), n=3)
    scores = found.scores(np.array([1, 0, 3]), np.ones(3, np.float32))
    assert scores[2] > 0
    assert scores[[0, 1, 3]].tolist() == [0, 0, 0]


def test_nobody_took_anything() -> None:
    none = np.zeros(0, np.int64)
    found = item_neighbours(none, none, np.zeros(0, np.float32), shape=(2, 3), n=2)
    assert not found.weight.any()
    assert found.scores(none, np.zeros(0, np.float32)).tolist() == [0, 0, 0]


def test_shrinkage_keeps_an_item_of_one_user_from_the_top() -> None:
    # Items 0 and 1 share five users; item 2 was taken by one of them alone.
    user = np.array([*range(5), *range(5), 0])
    item = np.array([0] * 5 + [1] * 5 + [2])
    ones = np.ones(len(user), np.float32)

    def best_of_one_user(shrink: float) -> float:
        found = item_neighbours(user, item, ones, shape=(5, 3), n=2, shrink=shrink)
        by_row = dict(zip(found.rows[0].tolist(), found.weight[0].tolist(), strict=True))
        return by_row[2] / by_row[1]

    assert best_of_one_user(0.0) == pytest.approx(1 / np.sqrt(5), rel=1e-5)
    assert best_of_one_user(4.0) < best_of_one_user(0.0)


def test_progress_ends_at_the_whole(
    events: tuple[np.ndarray, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval.neighbours, "CHUNK_ROWS", 8)
    seen: list[tuple[int, int]] = []
    item_neighbours(*events, shape=(USERS, ITEMS), on_progress=lambda *at: seen.append(at))
    assert seen == [(8, 17), (16, 17), (17, 17)]


def test_scores_are_summed_as_numpy_sums_them() -> None:
    rng = np.random.default_rng(5)
    found = Neighbours(
        rng.integers(0, 300, (300, 20)).astype(np.int32), rng.random((300, 20), np.float32)
    )
    taken, strength = rng.choice(300, 90, replace=False), rng.random(90, np.float32)
    weight = found.weight[taken] * strength[:, None]
    summed = np.bincount(found.rows[taken].ravel(), weights=weight.ravel(), minlength=300)
    assert found.scores(taken, strength).tolist() == summed.astype(np.float32).tolist()
