"""``vitrine tune``: the best of what was tried, kept, and taken up again."""

from __future__ import annotations

import json
from pathlib import Path

import planted
import pytest

from engine.config import EngineConfig
from engine.dataset import Dataset
from engine.errors import DataError, MissingExtraError
from engine.tune import TRIALS_FILE, tune

CONFIG = planted.CONFIG.model_copy(
    update={"rerank": planted.CONFIG.rerank.model_copy(update={"epochs": 2, "hidden": 64})}
)


def search(shop: Dataset, folder: Path, trials: int, config: EngineConfig = CONFIG):  # type: ignore[no-untyped-def]
    return tune(
        shop,
        config,
        folder,
        as_of_unix_s=planted.CUT_UNIX_S,
        trials=trials,
        stages=Path(shop.folder).parent / ".stages",
    )


def tried(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((folder / TRIALS_FILE).read_text("utf-8"))
    return found


def test_the_best_of_a_search_is_no_worse_than_what_was_given(
    planted_shop: Dataset, planted_run: Path, tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    found = search(planted_shop, tmp_path, 3)
    trials = tried(tmp_path)
    assert found.trials == len(trials) == 3
    scores = [t["score"] for t in trials if t["state"] == "complete"]
    assert found.score == max(scores) >= found.given_score == scores[0]  # type: ignore[type-var]
    assert trials[0]["settings"]["hidden"] == CONFIG.rerank.hidden  # type: ignore[index]
    # What was found is what training reads, and nothing but the reranker's settings changed.
    read = EngineConfig.read(found.file)
    assert read == found.best
    assert read.model_copy(update={"rerank": CONFIG.rerank}) == CONFIG
    best = max((t for t in trials if t["state"] == "complete"), key=lambda t: t["score"])  # type: ignore[arg-type, return-value]
    for name, value in best["settings"].items():  # type: ignore[attr-defined]
        assert getattr(read.rerank, name) == value


def test_a_search_goes_on_where_it_was_left(
    planted_shop: Dataset, planted_run: Path, tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    search(planted_shop, tmp_path, 1)
    first = tried(tmp_path)
    found = search(planted_shop, tmp_path, 2)
    assert found.trials == 2
    assert tried(tmp_path)[:1] == first
    assert tried(tmp_path)[1]["settings"] != first[0]["settings"]
    again = search(planted_shop, tmp_path, 2)  # nothing is left to do
    assert again == found
    other = CONFIG.model_copy(update={"rerank": CONFIG.rerank.model_copy(update={"negatives": 20})})
    with pytest.raises(DataError, match="other training requests"):
        search(planted_shop, tmp_path, 2, other)


def test_without_optuna_the_extra_is_named(
    planted_shop: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.tune.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"vitrine-rec\[tune\]"):
        search(planted_shop, tmp_path, 1)
