"""The benchmark's cases at a small size: that they measure what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hnswlib", reason="the peers are not installed: pip install hnswlib usearch")
pytest.importorskip("usearch", reason="the peers are not installed: pip install hnswlib usearch")

from benchmarks.retrieval_cases.crash import measure_crashes
from benchmarks.retrieval_cases.filters import measure_filter
from benchmarks.retrieval_cases.memory import measure_memory
from benchmarks.retrieval_cases.open_saved import measure_open
from benchmarks.retrieval_cases.search import hnswlib_peer, measure_search, usearch_peer
from benchmarks.retrieval_cases.vectors import Catalogue, catalogue
from benchmarks.retrieval_cases.write_load import measure_write_load
from retrieval.index import IndexPlan, Kind, build_index

N, DIM = 5000, 32


@pytest.fixture(scope="module")
def shop() -> Catalogue:
    return catalogue(N, n_queries=50, k=20, dim=DIM)


@pytest.fixture(scope="module")
def folder(shop: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    build_index(np.arange(N), shop.vectors, flat_below=1000).save(folder)
    return folder


def test_every_contender_reaches_the_recall(shop: Catalogue, folder: Path) -> None:
    figures = measure_search(shop, folder, (hnswlib_peer(shop), usearch_peer(shop)))
    contenders = (figures.ours, figures.raw, *figures.peers)
    assert min(one.recall for one in contenders) >= 0.93


def test_a_filter_and_its_rival_answer_alike(shop: Catalogue, folder: Path) -> None:
    figures = measure_filter(shop, folder, share=0.05, n_queries=20)
    assert figures.recall >= 0.95
    assert figures.post_recall >= 0.95


def test_every_search_is_answered_under_load(shop: Catalogue, folder: Path, tmp_path: Path) -> None:
    work = tmp_path / "copy"
    figures = measure_write_load(shop, folder, work, n_new=200, batch=20, seconds=0.5)
    assert figures.searches > 0
    assert figures.short == 0


def test_a_fresh_process_answers(folder: Path) -> None:
    figures = measure_open(folder, DIM)
    assert 0 < figures.open_s <= figures.first_answer_s


def test_codes_cost_what_they_say(shop: Catalogue, tmp_path: Path) -> None:
    (figures,) = measure_memory(shop, [IndexPlan(Kind.IVF_RABITQ, 50, 2)], tmp_path)
    assert figures.bytes_without_ids == pytest.approx(32 * 2 / 8 + 20 + 50 * 2 * 32 / N)
    assert figures.recall >= 0.93


def test_a_killed_index_keeps_what_it_acknowledged() -> None:
    figures = measure_crashes(rounds=2, changes=120, seed=3)
    assert figures.acknowledged > 0
    assert (figures.lost, figures.unopened) == (0, 0)
