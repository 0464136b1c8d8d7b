"""FAISS against the oracle: sizes where its own machinery is at work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from retrieval.index import (
    Allowed,
    ExactIndex,
    FaissIndex,
    IndexFormatError,
    IndexPlan,
    Kind,
    LogFailedError,
    build_index,
    build_stream,
    open_index,
    plan_index,
)
from retrieval.index.base import Rows, Vectors
from retrieval.index.segment import COMPARE_UP_TO, Living, search_segment
from retrieval.index.structures import centres_of, with_whole_centres

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
    assert lists.recall >= 0.95


def test_queries_that_lie_elsewhere_get_the_lists_that_they_need(
    catalogue: tuple[Rows, Vectors], lists: FaissIndex, oracle: ExactIndex
) -> None:
    rng = np.random.default_rng(4)
    users = unit(rng.standard_normal((400, DIM)))
    tuned = build_index(*catalogue, queries=users[:200])
    assert recall(tuned, oracle, users[200:], 50) >= 0.95
    assert (tuned.nprobe or 0) > (lists.nprobe or 0)


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.03, 0.2, 0.5, 1.0])
def test_a_filter_over_lists_finds_its_best(
    lists: FaissIndex,
    oracle: ExactIndex,
    catalogue: tuple[Rows, Vectors],
    centres: np.ndarray,
    share: float,
) -> None:
    rng = np.random.default_rng(5)
    allowed = np.sort(rng.choice(catalogue[0], int(share * N), replace=False))
    queries, before = near(centres, 50, rng), lists.stats().searches
    got = lists.search(queries, 100, allowed=Allowed(allowed))
    want = oracle.search(queries, 100, allowed=allowed)
    assert_array_equal(got.valid, want.valid)
    assert np.isin(got.rows[got.valid], allowed).all()
    floor = want.scores.min(axis=1, where=want.valid, initial=1, keepdims=True) - 1e-6
    reached = (got.scores >= floor)[got.valid].mean()
    assert reached >= (0.95 if len(allowed) > COMPARE_UP_TO else 1.0)
    after = lists.stats().searches
    compared = after.exact_subset - before.exact_subset
    assert (compared, after.selector - before.selector) == (
        (50, 0) if len(allowed) <= COMPARE_UP_TO else (0, 50)
    )


def test_a_filter_far_from_the_query_still_gets_its_answers(
    lists: FaissIndex, oracle: ExactIndex, catalogue: tuple[Rows, Vectors], centres: np.ndarray
) -> None:
    rows, vectors = catalogue
    query = centres[:1].astype(np.float32)
    far = np.sort(rows[np.argsort(vectors @ query[0])[:5000]])
    before = lists.stats().searches.every_list
    got = lists.search(query, 100, allowed=far)
    want = oracle.search(query, 100, allowed=far)
    assert_allclose(got.scores, want.scores, atol=2e-6)
    assert lists.stats().searches.every_list == before + 1


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


FACTS = b'"dim": 16, "generation": 1, "structure": "flat", "format": 2'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("index.json", b"{}", "no readable index description"),
        ("index.json", b"\xff", "no readable index description"),
        ("index.json", b'{"kind": "faiss", "dim": 16, "count": 3, "format": 99}', "format 99"),
        ("index.json", b'{"kind": "annoy", "count": 3, %b}' % FACTS, "kind 'annoy'"),
        ("index.json", b'{"kind": "faiss", "count": 4, %b}' % FACTS, "expected .4, 16"),
        ("index.json", b'{"kind": "exact", "count": 3, %b}' % FACTS, r"rows\.npy"),
        ("index-1.faiss", b"not an index", "FAISS cannot read it"),
        ("rows-1.npy", b"not an array", r"rows-1\.npy"),
        ("changes-1.log", b"not a log of this index", "another index"),
    ],
)
def test_a_damaged_folder_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    build_index(np.arange(3), np.eye(3, DIM, dtype=np.float32)).save(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IndexFormatError, match=message):
        open_index(tmp_path)


@pytest.mark.parametrize("name", ["index-1.faiss", "rows-1.npy"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    build_index(np.arange(3), np.eye(3, DIM, dtype=np.float32)).save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(IndexFormatError, match=re.escape(name)):
        open_index(tmp_path)


@pytest.mark.parametrize(
    ("kind", "code", "most_bytes"),
    [
        (Kind.IVF_SQ8, 0, 40),
        (Kind.IVF_RABITQ, 4, 50),
        (Kind.IVF_RABITQ, 2, 35),
        (Kind.IVF_PQ, 8, 30),
        (Kind.HNSW, 16, 220),
    ],
)
def test_every_structure_reaches_its_recall_and_lives_on(
    kind: Kind, code: int, most_bytes: float, centres: np.ndarray, tmp_path: Path
) -> None:
    rng = np.random.default_rng(11)
    n = 6000
    rows, vectors, queries = 3 * np.arange(n), near(centres, n, rng), near(centres, 60, rng)
    oracle = ExactIndex(DIM)
    oracle.add(rows, vectors)
    plan = IndexPlan(kind, 0 if kind is Kind.HNSW else 60, code)
    build_index(rows, vectors, plan=plan).save(tmp_path)
    with FaissIndex.open(tmp_path, live=True) as index:
        assert index.stats().bytes_per_item <= most_bytes + 16
        assert recall(index, oracle, queries, 100) >= 0.94
        for one in (index, oracle):
            one.remove(rows[:300])
            one.add(rows[:100] + 1, vectors[:100])
        assert recall(index, oracle, queries, 10) >= 0.94
        index.compact()
        assert (index.stats().deleted, index.stats().log_records) == (0, 0)
        assert recall(index, oracle, queries, 100) >= 0.94
        for allowed in (rows[::40], rows[300:]):
            got = index.search(queries, 20, allowed=allowed)
            want = oracle.search(queries, 20, allowed=allowed)
            assert got.valid.all()
            assert np.isin(got.rows, allowed).all()
            assert (got.scores >= want.scores[:, -1:] - 1e-6).mean() >= 0.94
        assert index.search(queries[:1], n).valid.sum() == len(oracle)


def test_coded_answers_carry_exact_scores(centres: np.ndarray) -> None:
    rng = np.random.default_rng(12)
    vectors, queries = near(centres, 3000, rng), near(centres, 20, rng)
    plan = IndexPlan(Kind.IVF_RABITQ, 30, 1)
    found = build_index(np.arange(3000), vectors, plan=plan).search(queries, 10)
    assert_allclose(found.scores, np.einsum("qkd,qd->qk", vectors[found.rows], queries), atol=1e-6)


def test_a_stream_is_built_as_the_whole(centres: np.ndarray, tmp_path: Path) -> None:
    rng = np.random.default_rng(13)
    n = 60_000
    rows, vectors = rng.permutation(2 * n)[:n], near(centres, n, rng)
    oracle = ExactIndex(DIM)
    oracle.add(rows, vectors)
    chunks = ((rows[at : at + 7000], vectors[at : at + 7000]) for at in range(0, n, 7000))
    index = build_stream(chunks, tmp_path, memory_bytes=n * 50)
    queries = near(centres, 100, rng)
    assert index.stats().kind == Kind.IVF_SQ8
    assert recall(index, oracle, queries, 100) >= 0.95
    assert_array_equal(index.search(vectors[:50], 1).rows[:, 0], rows[:50])
    assert not list(tmp_path.glob(".*"))


def test_a_stream_with_a_row_twice_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    vectors = np.eye(3, DIM, dtype=np.float32)
    with pytest.raises(ValueError, match="two chunks"):
        build_stream([(np.arange(3), vectors), (np.arange(2, 5), vectors)], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("n", "bytes_each", "goal", "kind"),
    [
        (10_000, 10**4, 0.95, Kind.FLAT),
        (10**6, 10**4, 0.95, Kind.IVF_FLAT),
        (10**6, 10**4, 0.995, Kind.HNSW),
        (10**6, 10**4, 1.0, Kind.FLAT),
        (10**6, 200, 0.95, Kind.IVF_SQ8),
        (10**6, 110, 0.95, Kind.IVF_RABITQ),
        (10**6, 45, 0.95, Kind.IVF_RABITQ),
        (10**8, 38, 0.95, Kind.IVF_PQ),
    ],
)
def test_a_plan_fits_what_is_there(n: int, bytes_each: int, goal: float, kind: Kind) -> None:
    plan = plan_index(n, 128, n * bytes_each, goal)
    assert plan.kind is kind
    assert plan.bytes_per_item <= bytes_each
    assert str(kind) in plan.why


def test_a_plan_that_cannot_be_says_what_it_would_take() -> None:
    with pytest.raises(ValueError, match=r"1e\+03 bytes for 1000000 vectors of 128.*Milvus"):
        plan_index(10**6, 128, 1000)


def test_a_compaction_begins_by_itself_and_loses_nothing(centres: np.ndarray) -> None:
    rng = np.random.default_rng(14)
    vectors = near(centres, 12_000, rng)
    index = build_index(np.arange(3000), vectors[:3000], flat_below=1000)
    for start in range(3000, 12_000, 500):
        index.add(np.arange(start, start + 500), vectors[start : start + 500])
        index.remove(np.arange(start - 500, start - 490))
    index.wait()
    assert index.stats().deleted < 500
    held = np.setdiff1d(np.arange(12_000), np.arange(2500, 11_500)[np.arange(9000) % 500 < 10])
    assert len(index) == len(held)
    found = index.search(vectors[held[::50]], 1)
    assert_allclose(found.scores, 1, atol=1e-5)


def test_what_was_acknowledged_is_there_after_the_process_is_gone(tmp_path: Path) -> None:
    axes = np.eye(4, DIM, dtype=np.float32)
    build_index(np.arange(3), axes[:3]).save(tmp_path)
    index = FaissIndex.open(tmp_path, live=True)
    index.add(np.array([7]), axes[3:])
    index.remove(np.array([0]))
    reader = open_index(tmp_path)  # as after a crash: nothing was closed
    assert_array_equal(np.sort(reader.search(axes[3:], 3).rows), [[1, 2, 7]])
    with pytest.raises(LogFailedError, match="another index"):
        FaissIndex.open(tmp_path, live=True)
    index.save(tmp_path)  # a checkpoint
    assert index.stats().log_records == 0
    index.close()
    with FaissIndex.open(tmp_path, live=True) as again:
        assert_array_equal(again.search(axes[3:], 1).rows, [[7]])
        assert len(again) == 3


def test_a_compaction_that_fails_leaves_the_index_as_it_was(
    tmp_path: Path,
) -> None:
    axes = np.eye(4, DIM, dtype=np.float32)
    build_index(np.arange(3), axes[:3]).save(tmp_path)
    with FaissIndex.open(tmp_path, live=True) as index:
        index.add(np.array([7]), axes[3:])
        (tmp_path / ".index-2.faiss.part").mkdir()  # no file can be written there
        with pytest.raises(RuntimeError):
            index.compact()
        index.add(np.array([8]), axes[3:])
    assert len(open_index(tmp_path)) == 5


def test_a_device_that_passes_over_nothing_answers_only_what_lives(centres: np.ndarray) -> None:
    """A GPU ignores selectors; here another copy on the processor stands in for it."""
    base = build_index(np.arange(500), near(centres, 500, np.random.default_rng(15)))._now.base
    device, dead = base.index.__class__(DIM), np.arange(0, 500, 10)
    device.add(base.whole)
    mask = np.ones(500, np.bool_)
    mask[dead] = False
    living = Living(np.packbits(mask, bitorder="little"), 450)
    queries = base.vectors_at(dead[:9])
    got = search_segment(base, device, queries, 20, living).found
    want = search_segment(base, base.index, queries, 20, living).found
    assert_array_equal(got.rows, want.rows)
    assert got.valid.all()


@pytest.mark.parametrize("kind", [Kind.FLAT, Kind.IVF_FLAT, Kind.IVF_SQ8])
def test_what_goes_to_a_gpu_has_whole_centres_and_answers_alike(
    kind: Kind, centres: np.ndarray
) -> None:
    vectors = near(centres, 2000, np.random.default_rng(16))
    plan = IndexPlan(kind, 0 if kind is Kind.FLAT else 40)
    index = build_index(np.arange(2000), vectors, plan=plan)._now.base.index
    whole = with_whole_centres(index)
    (one, at), (two, there) = (which.search(vectors[:50], 10) for which in (index, whole))
    assert (at == there).mean() > 0.98
    assert_allclose(two, one, atol=5e-3)  # the codes of SQ8 lean on the score of the centre
    if kind is Kind.FLAT:
        assert whole is index
    else:
        assert type(centres_of(whole)).__name__ == "IndexFlatIP"
        assert centres_of(index).code_size == 2 * DIM  # and the index keeps its own


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
