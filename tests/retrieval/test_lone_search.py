"""The short way of one query answers what the long way of many does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from retrieval.index import ExactIndex, FaissIndex, IndexPlan, Kind, Neighbours, build_index
from retrieval.index.base import Rows, Vectors
from retrieval.index.plan import GOAL_RECALL
from retrieval.index.tuning import tune

DIM, N = 16, 4000
PLANS = [
    pytest.param(IndexPlan(Kind.FLAT), id="flat"),
    pytest.param(IndexPlan(Kind.IVF_FLAT, 60), id="lists"),
    pytest.param(IndexPlan(Kind.HNSW, 0, 16), id="graph"),
]


def unit(n: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((n, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def one_by_one(index: FaissIndex, queries: Vectors, k: int) -> Neighbours:
    found = [index.search(query[None], k) for query in queries]
    return Neighbours(
        np.concatenate([one.rows for one in found]),
        np.concatenate([one.scores for one in found]),
        np.concatenate([one.valid for one in found]),
    )


@pytest.mark.parametrize("spread", [1, 7], ids=["rows-dense", "rows-apart"])
@pytest.mark.parametrize("plan", PLANS)
def test_one_query_alone_gets_the_answers_that_it_gets_among_others(
    plan: IndexPlan, spread: int
) -> None:
    index, queries = build_index(spread * np.arange(N), unit(N, 1), plan=plan), unit(30, 2)
    for k in (1, 10, 300):
        alone, among = one_by_one(index, queries, k), index.search(queries, k)
        assert_array_equal(alone.rows, among.rows)
        assert_allclose(alone.scores, among.scores, atol=1e-6)
        assert alone.valid.all()


@pytest.mark.parametrize("plan", PLANS)
def test_equal_scores_come_by_ascending_row(plan: IndexPlan) -> None:
    """Every vector is there four times, in rows far from each other."""
    vectors = np.tile(unit(N // 4, 3), (4, 1))
    index = build_index(np.arange(N), vectors, plan=plan)
    for query in vectors[:20]:
        found = index.search(query[None], 40)
        score, row = found.scores[0], found.rows[0]
        tied = score[1:] == score[:-1]
        assert tied.sum() >= 20
        assert (row[1:] > row[:-1])[tied].all()


def test_every_query_is_counted_once() -> None:
    index, queries = build_index(np.arange(N), unit(N, 4)), unit(12, 5)
    one_by_one(index, queries, 5)
    index.search(queries, 5)
    index.search(queries[:1], N + 1)  # more than there are: the long way
    assert index.stats().searches.all == 25


def test_what_came_and_went_is_seen_at_once() -> None:
    """The short way while nothing left the base, with fresh vectors beside it; then the long."""
    rows, vectors, queries = np.arange(N), unit(N, 6), unit(20, 7)
    index, oracle = build_index(rows, vectors), ExactIndex(DIM)
    oracle.add(rows, vectors)
    for change in (
        lambda one: one.add(np.arange(N, N + 50), unit(50, 8)),
        lambda one: one.remove(np.arange(0, N, 3)),
        lambda one: one.add(np.arange(0, 90), unit(90, 9)),
    ):
        one_by_one(index, queries, 10)  # whatever it keeps from before must not be used after
        change(index)
        change(oracle)
        got, want = one_by_one(index, queries, 10), oracle.search(queries, 10)
        assert_array_equal(got.rows, want.rows)
        assert_allclose(got.scores, want.scores, atol=1e-6)


def test_answers_belong_to_who_asked() -> None:
    index, query = build_index(np.arange(N), unit(N, 10)), unit(1, 11)
    first = index.search(query, 10)
    for part in (first.rows, first.scores, first.valid):
        part[:] = 0
    again, want = index.search(query, 10), index.search(np.repeat(query, 2, axis=0), 10)
    assert_array_equal(again.rows[0], want.rows[0])
    assert again.valid.all()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (2 * unit(1, 0), "not of length 1"),
        (np.full((1, DIM), np.nan, np.float32), "not of length 1"),
        (unit(1, 0)[0], "expected float32"),
        (unit(1, 0)[:, :-1], "expected float32"),
        (unit(1, 0).astype(np.int64), "expected float32"),
    ],
)
def test_one_query_is_checked_like_many(query: Vectors, message: str) -> None:
    index = build_index(np.arange(N), unit(N, 12))
    with pytest.raises(ValueError, match=message):
        index.search(query, 5)


def test_no_answers_cannot_be_asked_for() -> None:
    index = build_index(np.arange(N), unit(N, 13))
    with pytest.raises(ValueError, match="at least 1"):
        index.search(unit(1, 14), 0)


@pytest.mark.parametrize("layout", ["float64", "strided", "read-only"])
def test_a_query_may_lie_in_memory_as_it_likes(layout: str) -> None:
    index, query = build_index(np.arange(N), unit(N, 15)), unit(1, 16)
    want: Rows = index.search(query, 10).rows
    other = query.astype(np.float64) if layout == "float64" else query.copy()
    if layout == "strided":
        other = np.repeat(query, 2, axis=1)[:, ::2]
    other.flags.writeable = layout != "read-only"
    assert_array_equal(index.search(other, 10).rows, want)


def test_no_breadth_is_wasted() -> None:
    """One list less would not surely reach the recall on the sample that was tuned with."""
    vectors, queries = unit(N, 17), unit(400, 18)
    plan = IndexPlan(Kind.IVF_FLAT, 60)
    base = build_index(np.arange(N), vectors, plan=plan)._now.base
    floor = np.sort(queries @ vectors.T, axis=1)[:, [-100]] - 1e-6
    chosen = tune(base.index, plan, vectors, queries).of(100, 1.0).breadth

    def surely(breadth: int) -> float:
        base.index.nprobe = breadth
        recalls = (base.index.search(queries, 100)[0] >= floor).mean(axis=1)
        return float(recalls.mean() - 2 * recalls.std() / np.sqrt(len(recalls)))

    step = 1 + chosen // 16
    assert surely(chosen) >= GOAL_RECALL > surely(chosen - step)


_COUNT = """
import os
import numpy as np
from retrieval.index import IndexPlan, Kind, build_index
from retrieval.index.structures import faiss, threads
vectors = np.random.default_rng(0).standard_normal((4000, 16)).astype(np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
plans = IndexPlan(Kind.FLAT), IndexPlan(Kind.IVF_FLAT, 60), IndexPlan(Kind.HNSW, 0, 16)
with threads(1):
    built = [build_index(np.arange(4000), vectors, plan=plan) for plan in plans]
before = len(os.listdir("/proc/self/task"))
for index in built:
    index.search(vectors[:1], 100)
alone = len(os.listdir("/proc/self/task"))
built[1].search(vectors, 100)
print(alone - before, len(os.listdir("/proc/self/task")) - before)
"""


def test_one_query_wakes_no_thread() -> None:
    """The short way sets no limit; another FAISS may need one."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("threads are counted in /proc, which only Linux has")
    settings = os.environ | {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    counts = []
    for _ in range(3):
        ran = subprocess.run(
            [sys.executable, "-c", _COUNT],
            capture_output=True,
            text=True,
            check=True,
            env=settings,
            cwd=root,
        )
        alone, many = map(int, ran.stdout.split())
        counts.append(alone)
        if alone == 0:
            break
    # A pool that one query wakes is there every time; a stray thread of a busy machine is not.
    assert 0 in counts
    assert many > 0
