"""The benchmark of the sequence model at a small size: that it asks and weighs what it says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from benchmarks.graph_cases.beauty import protocols
from benchmarks.graph_cases.ranking import Question, Score, rank
from benchmarks.rerank_cases.contest import Contest
from benchmarks.rerank_cases.movielens import movie_tables
from benchmarks.rerank_cases.sequence_baselines import gru4rec, sas_rec
from benchmarks.rerank_cases.sequences import Make, Part, Split, blended, histories_of, learned
from graph import GraphTables
from retrieval.sequence import Padded, SequenceConfig

N_ITEMS, N_USERS, LENGTH = 20, 60, 8
DAY = 86_400
SMALL = SequenceConfig(
    width=16,
    max_events=10,
    dropout=0.0,
    epochs=30,
    patience=30,
    batch_size=16,
    learning_rate=1e-2,
    temperature=1.0,
    negatives=None,
)
BASELINES = pytest.mark.parametrize("make", [sas_rec, gru4rec])


def ring() -> GraphTables:
    """Everyone walks the ring of items, a day a step, each from a place of their own."""
    step = np.arange(LENGTH)
    start = np.random.default_rng(0).integers(0, N_ITEMS, N_USERS)
    item = ((start[:, None] + step) % N_ITEMS).ravel()
    user = np.repeat(np.arange(N_USERS), LENGTH)
    at = np.tile(step * DAY, N_USERS)
    order = np.argsort(at, kind="stable")
    return GraphTables(
        n_users=N_USERS,
        n_items=N_ITEMS,
        user=user[order],
        item=item[order],
        at_unix_s=at[order],
        weight=np.ones(len(user), np.float32),
        session=user[order],
        item_facts=(),
        category_parent=np.zeros(0, np.int64),
    )


@pytest.fixture(scope="module")
def split() -> Split:
    tables = ring()
    earlier, asked = {name: pair for name, *pair in protocols(tables)}["leave one out"]
    return Split.of(earlier, asked, tables)


def truth(question: Question) -> Score:
    """Sure of the next of the ring."""
    last = histories_of(question.past).last_item()
    return lambda users: np.eye(N_ITEMS, dtype=np.float32)[(last[users] + 1) % N_ITEMS]


def noise(question: Question) -> Score:
    """Sure of something else, the same for the same user."""
    table = np.random.default_rng(len(question.past)).random((N_USERS, N_ITEMS))
    return lambda users: table[users].astype(np.float32)


def test_users_who_stop_a_training_weigh_no_parts(split: Split) -> None:
    assert not set(split.stopping) & set(split.weighing)
    assert set(split.stopping) | set(split.weighing) == set(range(N_USERS))


def test_what_stops_a_training_is_what_came_next(split: Split) -> None:
    asked = split.questions()
    last = asked.histories.last_item()[asked.users]
    np.testing.assert_array_equal(asked.target, (last + 1) % N_ITEMS)
    assert asked.histories.lengths.max() == LENGTH - 2


def test_the_part_that_was_right_is_believed(split: Split) -> None:
    parts = [Part(said.__name__, said(split.earlier), said(split.asked)) for said in (noise, truth)]
    assert rank("noise", parts[0].asked, split.asked, 1).recall.mean() < 0.5
    assert rank("both", blended(split, parts), split.asked, 1).recall.mean() == 1.0


@BASELINES
def test_a_baseline_sees_nothing_later(make: Make) -> None:
    torch.manual_seed(0)
    model = make(ring(), SMALL).eval()
    item = torch.tensor([[1, 2, 3, 4], [1, 2, 9, 9]])
    states = model(Padded(item, torch.zeros_like(item), torch.ones(2, 4, dtype=torch.bool)))
    # Places are counted from the end, so that both rows have the same.
    torch.testing.assert_close(states[0, :2], states[1, :2])
    assert not torch.allclose(states[0, 2], states[1, 2], atol=1e-3)


@BASELINES
def test_padding_changes_no_baseline(make: Make) -> None:
    torch.manual_seed(0)
    model = make(ring(), SMALL).eval()
    item = torch.tensor([[1, 2, 0, 0], [5, 6, 7, 8]])
    valid = torch.tensor([[True, True, False, False], [True] * 4])
    together = model(Padded(item, torch.zeros_like(item), valid))[0, :2]
    one = item[:1, :2]
    torch.testing.assert_close(
        model(Padded(one, torch.zeros_like(one), valid[:1, :2]))[0], together
    )


@BASELINES
def test_a_baseline_learns_what_follows_what(make: Make, split: Split) -> None:
    part = learned("baseline", make, [SMALL], split, 0)
    for score, question in ((part.earlier, split.earlier), (part.asked, split.asked)):
        assert rank("baseline", score, question, 1).recall.mean() > 0.95


def test_films_become_rows_with_genres_and_decades(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "user_id": [9, 4, 9],
            "movie_id": [70, 70, 30],
            "rating": [4.0, 0.5, 3.0],
            "timestamp": [300, 100, 200],
        }
    ).write_parquet(tmp_path / "movies_ratings.parquet")
    pl.DataFrame(
        {
            "movieId": [30, 50, 70],
            "title": ["Heat (1995)", "Nobody rated it (1950)", "Untitled"],
            "genres": ["Action|Crime", "Drama", "Crime"],
        }
    ).write_parquet(tmp_path / "movies_items.parquet")
    tables = movie_tables(tmp_path)
    genres, decades = tables.item_facts
    assert (tables.n_users, tables.n_items) == (2, 2)
    assert list(zip(tables.user, tables.item, strict=True)) == [(0, 1), (1, 0), (1, 1)]
    # Action is 0 and Crime is 1; only Heat has a year.
    assert sorted(zip(genres.head_rows, genres.tail_rows, strict=True)) == [(0, 0), (0, 1), (1, 1)]
    assert list(zip(decades.head_rows, decades.tail_rows, strict=True)) == [(0, 0)]


def test_the_ratio_is_to_the_best_of_the_others(split: Split) -> None:
    ranked = partial(rank, asked=split.asked, k=10)
    ours, lucky = (ranked(name, truth(split.asked)) for name in ("ours", "lucky"))
    unlucky = ranked("unlucky", noise(split.asked))
    found = Contest("ring", ours, (), (unlucky, lucky))
    assert found.best_other.method == "lucky"
    assert found.ndcg_ratio().estimate == 1.0
    assert found.recall_ratio().estimate == 1.0
