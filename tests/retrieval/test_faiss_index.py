"""FAISS against the oracle: sizes where its own machinery is at work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from retrieval.index import ExactIndex, FaissIndex, IndexFormatError, build_index, open_index
from retrieval.index.base import Rows, Vectors

DIM = 16
N = 60_000


def unit(vectors: np.ndarray) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def near(centres: np.ndarray, n: int, rng: np.random.Generator) -> Vectors:
    noise = 0.25 * rng.standard_normal((n, centres.shape[1]))
    return unit(centres[rng.integers(0, len(centres), n)] + noise)


@pytest.fixture(scope="module")
def centres() -> np.ndarray:
    return unit(np.random.default_rng(1).standard_normal((300, DIM)))


@pytest.fixture(scope="module")
def catalogue(centres: np.ndarray) -> tuple[Rows, Vectors]:
    rng = np.random.default_rng(2)
    return rng.permutation(2 * N)[:N].astype(np.int64), near(centres, N, rng)


@pytest.fixture(scope="module")
def lists(catalogue: tuple[Rows, Vectors]) -> FaissIndex:
    return build_index(*catalogue)


@pytest.fixture(scope="module")
def oracle(catalogue: tuple[Rows, Vectors]) -> ExactIndex:
    index = ExactIndex(DIM)
    index.add(*catalogue)
    return index


def recall(index: FaissIndex, oracle: ExactIndex, queries: Vectors, k: int) -> float:
    """Share of answers that score at least what the oracle's last answer scores."""
    floor = oracle.search(queries, k).scores[:, -1:] - 1e-6
    return float((index.search(queries, k).scores >= floor).mean())


@pytest.mark.parametrize("k", [10, 100])
def test_inverted_lists_find_what_the_oracle_finds(
    lists: FaissIndex, oracle: ExactIndex, centres: np.ndarray, k: int
) -> None:
    queries = near(centres, 200, np.random.default_rng(3))
    assert recall(lists, oracle, queries, k) >= 0.95


def test_inverted_lists_compare_a_small_share(lists: FaissIndex) -> None:
    assert lists.nprobe is not None
    assert lists.recall is not None
    assert lists.nprobe < 0.2 * 4 * N**0.5
    assert lists.recall >= 0.97


def test_queries_that_lie_elsewhere_get_the_lists_that_they_need(
    catalogue: tuple[Rows, Vectors], lists: FaissIndex, oracle: ExactIndex
) -> None:
    rng = np.random.default_rng(4)
    users = unit(rng.standard_normal((400, DIM)))
    tuned = build_index(*catalogue, queries=users[:200])
    assert recall(tuned, oracle, users[200:], 50) >= 0.95
    assert (tuned.nprobe or 0) > (lists.nprobe or 0)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 1.0])
def test_a_filter_over_lists_is_exact(
    lists: FaissIndex,
    oracle: ExactIndex,
    catalogue: tuple[Rows, Vectors],
    centres: np.ndarray,
    share: float,
) -> None:
    rng = np.random.default_rng(5)
    allowed = np.sort(rng.choice(catalogue[0], int(share * N), replace=False))
    queries = near(centres, 5, rng)
    got = lists.search(queries, 100, allowed=allowed)
    want = oracle.search(queries, 100, allowed=allowed)
    assert_array_equal(got.valid, want.valid)
    assert_allclose(got.scores[got.valid], want.scores[want.valid], atol=2e-6)
    assert np.isin(got.rows[got.valid], allowed).all()


@pytest.mark.parametrize("spread", [1, 10**6], ids=["rows-dense", "rows-far-apart"])
def test_a_wide_filter_over_a_flat_index_is_exact(spread: int) -> None:
    rng = np.random.default_rng(6)
    rows, vectors = np.arange(12_000) * spread, unit(rng.standard_normal((12_000, DIM)))
    index, oracle = build_index(rows, vectors), ExactIndex(DIM)
    oracle.add(rows, vectors)
    queries, allowed = vectors[:7], rows[rng.random(12_000) < 0.6]
    got, want = (one.search(queries, 50, allowed=allowed) for one in (index, oracle))
    assert index.nprobe is None
    assert_allclose(got.scores, want.scores, atol=2e-6)
    assert_array_equal(got.rows[:, 0], want.rows[:, 0])
    assert np.isin(got.rows, allowed).all()


def test_more_answers_than_the_visited_lists_hold(lists: FaissIndex, centres: np.ndarray) -> None:
    found = lists.search(near(centres, 1, np.random.default_rng(7)), N + 1)
    assert found.valid.sum() == N
    assert len(np.unique(found.rows[found.valid])) == N


def test_the_same_seed_builds_the_same_index(lists: FaissIndex, centres: np.ndarray) -> None:
    rng = np.random.default_rng(8)
    rows, vectors, queries = np.arange(5000), near(centres, 5000, rng), near(centres, 20, rng)
    one, two = (build_index(rows, vectors, flat_below=1000, seed=9) for _ in range(2))
    assert one.nprobe == two.nprobe
    assert_array_equal(one.search(queries, 20).rows, two.search(queries, 20).rows)


def test_what_chose_the_lists_is_saved(lists: FaissIndex, tmp_path: Path) -> None:
    lists.save(tmp_path)
    meta = json.loads((tmp_path / "index.json").read_text())
    assert (meta["nprobe"], meta["recall"], meta["count"]) == (lists.nprobe, lists.recall, N)
    again = open_index(tmp_path)
    assert isinstance(again, FaissIndex)
    assert (again.nprobe, again.recall) == (lists.nprobe, lists.recall)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("index.json", b"{}", "no readable index description"),
        ("index.json", b"\xff", "no readable index description"),
        ("index.json", b'{"kind": "faiss", "dim": 16, "count": 3, "format": 99}', "format 99"),
        ("index.json", b'{"kind": "hnsw", "dim": 16, "count": 3}', "kind 'hnsw'"),
        ("index.json", b'{"kind": "faiss", "dim": 16, "count": 4}', "expected .4, 16"),
        ("index.json", b'{"kind": "exact", "dim": 16, "count": 3}', "rows.npy"),
        ("index.faiss", b"not an index", "FAISS cannot read it"),
    ],
)
def test_a_damaged_folder_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    build_index(np.arange(3), np.eye(3, DIM, dtype=np.float32)).save(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IndexFormatError, match=message):
        open_index(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    build_index(np.arange(3), np.eye(3, DIM, dtype=np.float32)).save(tmp_path)
    (tmp_path / "index.faiss").unlink()
    with pytest.raises(IndexFormatError, match=r"index\.faiss"):
        open_index(tmp_path)


def test_without_a_gpu_the_move_is_refused(lists: FaissIndex) -> None:
    import faiss

    if faiss.get_num_gpus():
        pytest.skip("FAISS sees a GPU here")
    with pytest.raises(RuntimeError, match="vitrine-rec\\[gpu\\]"):
        lists.to_gpu()


def test_on_a_gpu_the_answers_stay() -> None:
    import faiss

    if not faiss.get_num_gpus():
        pytest.skip("FAISS sees no GPU here: needs an NVIDIA GPU and a FAISS built for it")
    rng = np.random.default_rng(10)
    rows, vectors = np.arange(20_000), unit(rng.standard_normal((20_000, DIM)))
    for flat_below in (50_000, 1000):
        index = build_index(rows, vectors, flat_below=flat_below)
        before = [index.search(vectors[:9], 20, allowed=a) for a in (None, rows[::2])]
        index.to_gpu()
        after = [index.search(vectors[:9], 20, allowed=a) for a in (None, rows[::2])]
        for one, two in zip(before, after, strict=True):
            assert_allclose(two.scores, one.scores, atol=1e-5)
        index.remove(rows[:5])
        assert (index.search(vectors[:5], 1).rows[:, 0] >= 5).all()
