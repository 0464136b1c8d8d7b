"""Two runs side by side: the same requests, and nothing that cannot be compared."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import planted
import pytest
from typer.testing import CliRunner

from engine.artifacts import Manifest
from engine.build import build
from engine.cli import app
from engine.errors import DataError
from engine.evaluate.compare import RunComparison, compare_runs, dataset_of, must_compare
from engine.evaluate.engine_ranker import EngineRanker, as_trained
from engine.evaluate.rankers import measure
from engine.evaluate.run import requests_of


@pytest.fixture(scope="module")
def forgetful_run(planted_shop, tmp_path_factory) -> Path:
    """The planted shop, trained to propose nothing that was taken before: habits are lost."""
    quotas = planted.CONFIG.candidates.model_copy(update={"history": 0})
    ranker = planted.CONFIG.rerank.model_copy(update={"epochs": 1, "weeks": 2})
    config = planted.CONFIG.model_copy(update={"candidates": quotas, "rerank": ranker})
    run = tmp_path_factory.mktemp("forgetful") / "run"
    build(planted_shop, config, run, as_of_unix_s=planted.CUT_UNIX_S)
    return run


@pytest.fixture(scope="module")
def compared(planted_shop, planted_run, forgetful_run) -> RunComparison:
    """Forgetful first, planted second."""
    return compare_runs(forgetful_run, planted_run, Path(planted_shop.folder))


def test_figures_are_those_of_each_run_alone(compared, planted_run, planted_shop):
    with as_trained(planted_run) as engine:
        asked = requests_of(engine.run, planted_shop, compared.min_users)
        ranked = EngineRanker(engine, asked, with_scene=True).rank(
            asked.requests, 10, new_only=False
        )
    alone = measure("", ranked, asked)

    by_name = {row.measure: row for row in compared.all_items}
    assert list(by_name) == ["NDCG", "Recall", "Hit", "MRR", "MAP"]
    assert by_name["NDCG"].second == pytest.approx(alone.ndcg.mean())
    assert by_name["Recall"].second == pytest.approx(alone.recall.mean())
    assert by_name["MAP"].second == pytest.approx(alone.average_precision.mean())
    assert by_name["NDCG"].n_requests == len(asked) == planted.N_USERS


def test_a_run_that_forgets_habits_is_told_apart(compared):
    ndcg = compared.all_items[0]
    assert ndcg.difference.estimate == pytest.approx(ndcg.second - ndcg.first)
    assert ndcg.difference.low > 0.1
    assert ndcg.p_value < 0.01
    assert 0 <= compared.overlap < 0.9
    assert compared.same_lists < 1
    assert compared.first.median_ms > 0


def test_the_other_way_round_is_the_other_sign(compared, planted_shop, planted_run, forgetful_run):
    turned = compare_runs(planted_run, forgetful_run, Path(planted_shop.folder))
    for one, other in zip(compared.all_items, turned.all_items, strict=True):
        assert (one.first, one.second) == (other.second, other.first)
        assert one.difference.estimate == pytest.approx(-other.difference.estimate)
        assert one.difference.low == pytest.approx(-other.difference.high)
        assert one.p_value == other.p_value
    assert turned.overlap == compared.overlap


def test_a_run_beside_itself_differs_in_nothing(planted_shop, planted_run):
    same = compare_runs(planted_run, planted_run, Path(planted_shop.folder))
    for row in (*same.all_items, *same.new_items, *same.slices):
        gap = row.difference
        assert (gap.low, gap.estimate, gap.high) == (0, 0, 0)
        assert row.p_value == 1
    assert (same.overlap, same.same_lists) == (1, 1)


def test_slices_are_paired_parts_of_the_same_requests(compared):
    by_weekday = [row for row in compared.slices if row.measure.startswith("weekday")]
    assert sum(row.n_requests for row in by_weekday) == planted.N_USERS
    means = np.average(
        [row.second for row in by_weekday], weights=[row.n_requests for row in by_weekday]
    )
    assert means == pytest.approx(compared.all_items[0].second)
    for row in compared.slices:
        assert row.difference.low <= row.difference.estimate <= row.difference.high


# --- what cannot be compared


def test_runs_of_other_data_or_another_cut_are_refused(planted_run):
    manifest = Manifest.verify(planted_run)
    folders = (Path("a"), Path("b"))
    other_data = replace(manifest, dataset_hash="0" * 64, dataset_name="Another")
    later = replace(manifest, as_of_unix_s=manifest.as_of_unix_s + 86_400)

    must_compare(folders, (manifest, manifest))
    with pytest.raises(DataError, match=r"a and b .* different datasets \(Planted, .*Another, 000"):
        must_compare(folders, (manifest, other_data))
    with pytest.raises(DataError, match=r"2024-04-07T22.* the other up to 2024-04-08T22.*--as-of"):
        must_compare(folders, (manifest, later))


def test_a_dataset_is_found_by_its_hash(planted_shop, tmp_path):
    with pytest.raises(DataError, match="--dataset"):
        dataset_of(planted_shop.hash, tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "dataset.json").write_text("{}")
    shutil.copytree(planted_shop.folder, tmp_path / "shop")

    assert dataset_of(planted_shop.hash, tmp_path) == tmp_path / "shop"
    with pytest.raises(DataError, match="0000"):
        dataset_of("0" * 64, tmp_path)


def test_the_command_shows_both_and_writes_json(planted_shop, planted_run, forgetful_run, tmp_path):
    found = CliRunner().invoke(
        app,
        [
            *("compare", str(forgetful_run), str(planted_run)),
            *("--dataset", str(planted_shop.folder), "--json", str(tmp_path / "c.json")),
        ],
    )
    figures = json.loads((tmp_path / "c.json").read_text("utf-8"))

    assert found.exit_code == 0, found.output
    for side in ("first", "second"):
        assert figures[side]["run_id"] in re.sub(r"\s+", "", found.output)
    assert figures["all_items"][0]["measure"] == "NDCG"
    assert f"{figures['overlap']:.1%}" in found.output


def test_the_command_says_why_not_in_one_line(planted_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, ["compare", str(planted_run), str(planted_run)])
    assert found.exit_code == 2
    (line,) = found.stderr.splitlines()
    assert "name it with --dataset" in line
