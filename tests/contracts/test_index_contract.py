"""What every vector index must do, run over each of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_builds import BUILDS, SHARED, Build, exact
from numpy.testing import assert_allclose, assert_array_equal

from retrieval.index import Allowed, ExactIndex, FaissIndex, open_index
from retrieval.index.base import Neighbours, Rows, Vectors

anything = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def unit(rng: np.random.Generator, n: int, dim: int = 8) -> Vectors:
    vectors = rng.standard_normal((n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make(seed: int, n: int) -> tuple[np.random.Generator, Rows, Vectors]:
    """Rows with gaps, in no order; every fifth vector has a twin."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(3 * n)[:n].astype(np.int64)
    vectors = unit(rng, n)
    vectors[: n // 5] = vectors[n // 5 : 2 * (n // 5)]
    return rng, rows, vectors


def assert_same_answers(got: Neighbours, want: Neighbours) -> None:
    """Equal scores by place, and equal rows where no score is tied with another or the floor."""
    assert_array_equal(got.valid, want.valid)
    assert_allclose(got.scores[want.valid], want.scores[want.valid], atol=2e-6)
    for got_rows, want_rows, scores, valid in zip(
        got.rows, want.rows, want.scores, want.valid, strict=True
    ):
        floor = scores[valid].min() if valid.any() else np.inf
        clear = valid & (scores > floor + 4e-6)
        assert set(got_rows[clear]) == set(want_rows[clear])


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Indexes as small as these are slower with several."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


@pytest.mark.parametrize("build", BUILDS)
class TestIndexContract:
    def test_the_axes_are_found(self, build: Build) -> None:
        rows = np.array([30, 10, 20])
        index = build(rows, np.eye(3, dtype=np.float32))
        query = np.array([[0.0, 0.8, 0.6]], np.float32)
        found = index.search(query, 5)
        assert_array_equal(found.valid, [[True, True, True, False, False]])
        assert_array_equal(found.rows[0, :3], [10, 20, 30])
        assert_allclose(found.scores[0, :3], [0.8, 0.6, 0.0], atol=1e-6)

    @anything
    @given(seed=st.integers(0, 1000), n=st.integers(1, 200), k=st.integers(1, 250))
    def test_answers_descend_and_there_are_as_many_as_can_be(
        self, build: Build, seed: int, n: int, k: int
    ) -> None:
        rng, rows, vectors = make(seed, n)
        found = build(rows, vectors).search(unit(rng, 3), k)
        assert found.rows.shape == found.scores.shape == found.valid.shape == (3, k)
        assert_array_equal(found.valid.sum(axis=1), [min(k, n)] * 3)
        for answered, scores, valid in zip(found.rows, found.scores, found.valid, strict=True):
            assert valid[: min(k, n)].all()
            assert (np.diff(scores[valid]) <= 0).all()
            assert len(set(answered[valid])) == valid.sum()
            assert set(answered[valid]) <= set(rows)

    @anything
    @given(seed=st.integers(0, 1000), n=st.integers(1, 200), share=st.floats(0, 1))
    def test_a_filter_is_exact_at_any_selectivity(
        self, build: Build, seed: int, n: int, share: float
    ) -> None:
        rng, rows, vectors = make(seed, n)
        strangers = np.array([3 * n, 3 * n + 5])
        held = rows[rng.random(n) < share]
        allowed = np.union1d(held, strangers)
        queries, k = unit(rng, 4), 10
        found = build(rows, vectors).search(queries, k, allowed=allowed)
        assert_array_equal(found.valid.sum(axis=1), [min(k, len(held))] * 4)
        assert np.isin(found.rows[found.valid], held).all()
        assert_same_answers(found, exact(rows, vectors).search(queries, k, allowed=allowed))

    def test_nothing_allowed_is_nothing_found(self, build: Build) -> None:
        rng, rows, vectors = make(0, 20)
        found = build(rows, vectors).search(unit(rng, 2), 3, allowed=np.zeros(0, np.int64))
        assert not found.valid.any()

    def test_equal_scores_come_by_ascending_row(self, build: Build) -> None:
        twins = np.tile(np.array([[0.6, 0.8]], np.float32), (5, 1))
        index = build(np.array([8, 2, 6, 4, 0]), twins)
        assert_array_equal(index.search(twins[:1], 5).rows, [[0, 2, 4, 6, 8]])
        filtered = index.search(twins[:1], 2, allowed=np.array([4, 6, 8]))
        assert_array_equal(filtered.rows, [[4, 6]])

    @anything
    @given(seed=st.integers(0, 1000), n=st.integers(1, 40))
    def test_a_vector_finds_itself_with_cosine_one(self, build: Build, seed: int, n: int) -> None:
        _, rows, vectors = make(seed, n)
        best = build(rows, vectors).search(vectors, 1)
        assert_allclose(best.scores[:, 0], 1, atol=1e-5)

    @anything
    @given(
        seed=st.integers(0, 1000),
        n=st.integers(1, 40),
        changes=st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=6),
    )
    def test_changes_are_visible_at_once(
        self, build: Build, seed: int, n: int, changes: list[tuple[bool, int]]
    ) -> None:
        rng, rows, vectors = make(seed, n)
        index, model = build(rows, vectors), dict(zip(rows.tolist(), vectors, strict=True))
        for adds, size in changes:
            touched = rng.permutation(4 * n + 30)[:size].astype(np.int64)
            if adds:
                fresh = unit(rng, size)
                index.add(touched, fresh)
                model.update(zip(touched.tolist(), fresh, strict=True))
            else:
                gone = [row for row in touched.tolist() if model.pop(row, None) is not None]
                assert index.remove(touched) == len(gone)
            assert len(index) == len(model)
            held = np.array(sorted(model), np.int64)
            everything = index.search(unit(rng, 1), len(model) + 1)
            assert sorted(everything.rows[everything.valid].tolist()) == held.tolist()
            if not held.size:
                continue
            some = held[: len(held) // 2 + 1]
            queries = np.stack([model[row] for row in some.tolist()])
            oracle = exact(some, queries)
            assert_same_answers(index.search(queries, 3, allowed=some), oracle.search(queries, 3))

    def test_an_update_replaces_what_is_there(self, build: Build) -> None:
        axes = np.eye(3, 8, dtype=np.float32)
        index = build(np.array([4, 9]), axes[:2])
        index.update(np.array([9]), axes[2:])
        assert len(index) == 2
        assert_array_equal(index.search(axes[2:], 1).rows, [[9]])

    def test_an_update_of_a_stranger_is_refused_and_changes_nothing(self, build: Build) -> None:
        axes = np.eye(3, 8, dtype=np.float32)
        index = build(np.array([4, 9]), axes[:2])
        with pytest.raises(ValueError, match=r"1 rows .*\(7\)"):
            index.update(np.array([9, 7]), axes[1:])
        assert len(index) == 2
        assert_allclose(index.search(axes[1:2], 1).scores, [[1]], atol=1e-6)

    @anything
    @given(seed=st.integers(0, 1000), n=st.integers(1, 60))
    def test_a_filter_used_again_answers_as_if_new(self, build: Build, seed: int, n: int) -> None:
        rng, rows, vectors = make(seed, n)
        index, queries = build(rows, vectors), unit(rng, 2)
        chosen = np.sort(rows[rng.random(n) < 0.5])
        again = Allowed(chosen)
        for change in (lambda: None, lambda: index.remove(rows[:2]), lambda: None):
            change()
            got = index.search(queries, 5, allowed=again)
            want = index.search(queries, 5, allowed=chosen)
            assert_array_equal(got.rows, want.rows)
            assert_array_equal(got.scores, want.scores)

    def test_what_it_says_of_itself(self, build: Build) -> None:
        rng, rows, vectors = make(8, 40)
        index = build(rows, vectors)
        index.remove(rows[:5])
        before = index.stats()
        index.search(unit(rng, 3), 2)
        index.search(unit(rng, 2), 2, allowed=np.sort(rows))
        after = index.stats()
        assert (after.count, after.dim) == (35, 8)
        assert after.kind
        assert after.searches.all - before.searches.all == 3
        filtered = [s.searches.selector + s.searches.exact_subset for s in (before, after)]
        assert filtered[1] - filtered[0] == 2

    def test_searches_run_while_it_changes(self, build: Build) -> None:
        """Every search sees all of one change or nothing of it."""
        rng, rows, vectors = make(9, 60)
        index, query = build(rows, vectors), unit(rng, 1)
        pairs = np.arange(10**6, 10**6 + 40).reshape(-1, 2)

        def ask() -> None:
            for _ in range(60):
                found = index.search(query, 200)
                new = found.rows[found.valid & (found.rows >= 10**6)]
                assert len(new) % 2 == 0
                assert len(set(rows) - set(found.rows[found.valid])) == 0

        with ThreadPoolExecutor(2) as pool:
            asking = [pool.submit(ask) for _ in range(2)]
            for pair in pairs:
                index.add(pair, unit(rng, 2))
            for task in asking:
                task.result()
        assert (index.search(query, 200).rows >= 10**6).sum() == 40

    def test_an_update_replaces(self, build: Build) -> None:
        axes = np.eye(3, dtype=np.float32)
        index = build(np.array([0, 1]), axes[:2])
        index.add(np.array([1]), axes[2:])
        assert len(index) == 2
        assert_allclose(index.search(axes[1:2], 2).scores, [[0, 0]], atol=1e-6)
        assert_array_equal(index.search(axes[2:], 1).rows, [[1]])

    def test_removing_twice_removes_once(self, build: Build) -> None:
        _, rows, vectors = make(1, 30)
        index = build(rows, vectors)
        assert index.remove(np.array([rows[0], rows[0], rows[1], 10**6])) == 2
        assert index.remove(rows[:2]) == 0
        assert len(index) == 28

    def test_an_emptied_index_answers_nothing_and_can_be_filled(self, build: Build) -> None:
        rng, rows, vectors = make(2, 30)
        index = build(rows, vectors)
        assert index.remove(rows) == 30
        assert not index.search(unit(rng, 2), 4).valid.any()
        index.add(rows, vectors)
        assert_array_equal(index.search(vectors, 30).valid.sum(axis=1), [30] * 30)

    @anything
    @given(seed=st.integers(0, 1000), n=st.integers(0, 60))
    def test_saved_and_opened_answers_the_same(
        self, build: Build, seed: int, n: int, tmp_path: Path
    ) -> None:
        rng, rows, vectors = make(seed, n)
        index, queries = build(rows, vectors), unit(rng, 3)
        index.save(tmp_path)
        again = open_index(tmp_path)
        assert (len(again), again.dim) == (n, 8)
        assert_same_answers(again.search(queries, 7), index.search(queries, 7))

    def test_an_opened_index_can_be_changed_and_saved_in_place(
        self, build: Build, tmp_path: Path
    ) -> None:
        rng, rows, vectors = make(3, 50)
        build(rows, vectors).save(tmp_path)
        reader, writer = open_index(tmp_path), open_index(tmp_path)
        new, query = np.array([10**6]), unit(rng, 1)
        before = reader.search(query, 50)
        writer.add(new, query)
        writer.remove(rows[:10])
        writer.save(tmp_path)
        if build not in SHARED:
            assert_array_equal(reader.search(query, 50).rows, before.rows)
        latest = open_index(tmp_path)
        assert len(latest) == 41
        assert_array_equal(latest.search(query, 1).rows, [new])

    def test_one_query_at_a_time_is_the_batch(self, build: Build) -> None:
        rng, rows, vectors = make(4, 60)
        index, queries = build(rows, vectors), unit(rng, 30)
        batch = index.search(queries, 5)
        for at in range(30):
            single = index.search(queries[at : at + 1], 5)
            assert_allclose(single.scores[0], batch.scores[at], atol=2e-6)

    def test_no_query_is_no_answer(self, build: Build) -> None:
        _, rows, vectors = make(5, 10)
        found = build(rows, vectors).search(np.zeros((0, 8), np.float32), 3)
        assert found.rows.shape == (0, 3)

    @pytest.mark.parametrize(
        ("rows", "vectors", "message"),
        [
            ([1], 2 * np.eye(1, 8), "not of length 1"),
            ([1], np.zeros((1, 8)), "not of length 1"),
            ([1], np.full((1, 8), np.nan), "not of length 1"),
            ([1], np.eye(1, 7), r"\[n, 8\]"),
            ([1], np.eye(1, 8)[0], r"\[n, 8\]"),
            ([1, 2], np.eye(1, 8), "equally many"),
            ([1, 1], np.eye(2, 8), "twice"),
            ([-1], np.eye(1, 8), "from 0 on"),
            ([1.5], np.eye(1, 8), "int64"),
        ],
    )
    def test_what_cannot_be_added_is_refused_and_changes_nothing(
        self, build: Build, rows: list[int], vectors: Vectors, message: str
    ) -> None:
        rng, held, held_vectors = make(6, 20)
        index, query = build(held, held_vectors), unit(rng, 1)
        before = index.search(query, 20)
        with pytest.raises(ValueError, match=message):
            index.add(np.array(rows), vectors.astype(np.float32))
        assert_array_equal(index.search(query, 20).rows, before.rows)

    @pytest.mark.parametrize(
        ("query", "k", "allowed", "message"),
        [
            (np.eye(1, 8), 0, None, "at least 1"),
            (3 * np.eye(1, 8), 1, None, "queries: .* not of length 1"),
            (np.eye(1, 9), 1, None, r"\[n, 8\]"),
            (np.eye(1, 8), 1, [2, 1], "ascending"),
            (np.eye(1, 8), 1, [1, 1], "ascending"),
        ],
    )
    def test_a_question_that_makes_no_sense_is_refused(
        self, build: Build, query: Vectors, k: int, allowed: list[int] | None, message: str
    ) -> None:
        _, rows, vectors = make(7, 20)
        rows_allowed = None if allowed is None else np.array(allowed)
        with pytest.raises(ValueError, match=message):
            build(rows, vectors).search(query.astype(np.float32), k, allowed=rows_allowed)


@pytest.mark.parametrize("kind", [ExactIndex, FaissIndex])
def test_a_new_index_is_empty(kind: type[ExactIndex] | type[FaissIndex]) -> None:
    index = kind(4)
    assert (len(index), index.dim) == (0, 4)
    assert not index.search(np.eye(1, 4, dtype=np.float32), 2).valid.any()
    assert index.remove(np.array([1])) == 0
