"""Milvus Lite: what the contract leaves open, and sizes where portions and filters are at work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("milvus_lite", reason="pip install 'vitrine-rec[scale]'")

from retrieval.index import ExactIndex, IndexFormatError
from retrieval.index.answers import cut, joined, only, tied_beyond
from retrieval.index.base import Neighbours, Rows, Vectors
from retrieval.index.milvus import (
    GATHER_UP_TO,
    TOKEN_VARIABLE,
    MilvusError,
    MilvusIndex,
    MilvusKind,
    MilvusPlace,
)

DIM, N = 16, 3000


def unit(rng: np.random.Generator, n: int) -> Vectors:
    vectors = rng.standard_normal((n, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def held() -> tuple[Rows, Vectors]:
    rng = np.random.default_rng(0)
    return rng.permutation(2 * N)[:N].astype(np.int64), unit(rng, N)


@pytest.fixture(scope="module", params=[MilvusKind.FLAT, MilvusKind.HNSW])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MilvusIndex:
    file = tmp_path_factory.mktemp("milvus") / "not yet there" / "items.db"
    index = MilvusIndex(DIM, MilvusPlace(str(file), "items", request.param))
    index.add(*held())
    return index


@pytest.fixture(scope="module")
def oracle() -> ExactIndex:
    index = ExactIndex(DIM)
    index.add(*held())
    return index


@pytest.mark.parametrize("share", [0.001, 0.01, 0.2, 0.5, 1.0])
def test_a_filter_finds_the_best_of_what_it_leaves(
    filled: MilvusIndex, oracle: ExactIndex, share: float
) -> None:
    rng = np.random.default_rng(1)
    allowed = np.sort(rng.permutation(2 * N)[: int(share * 2 * N)])
    queries = unit(rng, 5)
    got, want = (index.search(queries, 20, allowed=allowed) for index in (filled, oracle))
    assert_array_equal(got.valid, want.valid)
    assert_array_equal(got.rows[got.valid], want.rows[want.valid])
    assert_allclose(got.scores[got.valid], want.scores[want.valid], atol=2e-6)


def test_without_a_filter_it_is_the_oracle(filled: MilvusIndex, oracle: ExactIndex) -> None:
    queries = unit(np.random.default_rng(2), 5)
    got, want = filled.search(queries, 30), oracle.search(queries, 30)
    assert (got.rows == want.rows).mean() > 0.95
    if filled.stats().kind == "milvus-flat":
        assert_array_equal(got.rows, want.rows)


def test_stats_say_which_way_the_searches_went(tmp_path: Path) -> None:
    index = MilvusIndex(DIM, MilvusPlace(str(tmp_path / "items.db"), "items"))
    rows = np.arange(GATHER_UP_TO + 1)
    rng = np.random.default_rng(3)
    index.add(rows, unit(rng, len(rows)))
    queries = unit(rng, 3)
    index.search(queries, 2)
    index.search(queries[:2], 2, allowed=rows)
    index.search(queries[:1], 2, allowed=rows[:-1])
    stats = index.stats()
    assert (stats.kind, stats.count, stats.dim) == ("milvus-flat", len(rows), DIM)
    counts = stats.searches
    assert (counts.all, counts.selector, counts.exact_subset) == (3, 2, 1)


def test_more_ties_than_were_asked_for_come_by_ascending_row(tmp_path: Path) -> None:
    index = MilvusIndex(DIM, MilvusPlace(str(tmp_path / "items.db"), "items"))
    rows = np.random.default_rng(4).permutation(200)
    twins = np.tile(np.eye(1, DIM, dtype=np.float32), (200, 1))
    index.add(rows, twins)
    assert_array_equal(index.search(twins[:1], 5).rows, [[0, 1, 2, 3, 4]])


def test_whoever_opens_the_collection_sees_every_change_at_once(tmp_path: Path) -> None:
    index = MilvusIndex(DIM, MilvusPlace(str(tmp_path / "items.db"), "items"))
    vectors = unit(np.random.default_rng(5), 3)
    index.add(np.arange(2), vectors[:2])
    index.save(tmp_path / "saved")
    other = MilvusIndex.open(tmp_path / "saved")
    index.add(np.array([7]), vectors[2:])
    index.remove(np.array([0]))
    found = other.search(vectors[2:], 5)
    assert found.rows[found.valid].tolist()[0] == 7
    assert set(found.rows[found.valid].tolist()) == {1, 7}
    assert len(other) == 2


def test_a_token_is_never_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "root:hush")
    index = MilvusIndex(DIM, MilvusPlace(str(tmp_path / "items.db"), "items"))
    index.save(tmp_path / "saved")
    written = [file.read_text() for file in (tmp_path / "saved").iterdir()]
    assert not any("hush" in text for text in written)


def test_a_collection_of_another_width_is_refused(tmp_path: Path) -> None:
    place = MilvusPlace(str(tmp_path / "items.db"), "items")
    MilvusIndex(DIM, place)
    with pytest.raises(ValueError, match="got a collection of width 16, expected 8"):
        MilvusIndex(8, place)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    MilvusPlace(str(tmp_path / "gone.db"), "items").write(tmp_path)
    with pytest.raises(IndexFormatError, match=r"gone\.db is gone"):
        MilvusPlace.read(tmp_path)


def test_a_server_that_does_not_answer_is_named() -> None:
    place = MilvusPlace("http://127.0.0.1:9", "items")
    with pytest.raises(MilvusError, match=r"connect: Milvus at http://127.0.0.1:9"):
        MilvusIndex(DIM, place, timeout_s=1.0)


def test_without_the_package_the_error_names_the_extra() -> None:
    code = "import sys; sys.modules['pymilvus'] = None; import retrieval.index.milvus"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'vitrine-rec[scale]'" in ran.stderr


def answers(rows: list[int], scores: list[float]) -> Neighbours:
    """One query; a score of -inf is no answer."""
    values = np.array([scores], np.float32)
    return Neighbours(np.array([rows]), values, np.isfinite(values))


def test_parts_are_joined_cut_and_narrowed() -> None:
    both = joined(answers([5, 1], [0.9, 0.5]), answers([4, 2, 0], [0.9, 0.7, -np.inf]))
    best = cut(both, 3)
    assert_array_equal(best.rows, [[4, 5, 2]])
    assert best.valid.all()
    narrowed = only(best, np.array([2, 5]))
    assert_array_equal(narrowed.valid, [[True, True, False]])
    assert_array_equal(narrowed.rows[narrowed.valid], [5, 2])
    wide = cut(best, 5)
    assert_array_equal(wide.valid, [[True, True, True, False, False]])
    assert_array_equal(wide.scores[0, 3:], [-np.inf, -np.inf])


@pytest.mark.parametrize(
    ("scores", "k", "tied"),
    [([0.9, 0.5, 0.5], 2, True), ([0.9, 0.5, 0.4], 2, False), ([0.5, 0.5, -np.inf], 2, False)],
)
def test_ties_that_may_go_on_are_seen(scores: list[float], k: int, tied: bool) -> None:
    assert tied_beyond(answers([1, 2, 3], scores), k) is tied
