"""Nothing that happens from the cut on may change what a run is trained on, or the run."""

from datetime import UTC, timedelta
from pathlib import Path

import numpy as np
import planted
import polars as pl
import pytest
import torch

from engine.artifacts import Manifest, file_hash
from engine.dataset import Dataset

CUT = planted.CUT.astimezone(UTC)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def altered_future() -> pl.DataFrame:
    """The planted events with another future, which stays within the known users and places.

    From the cut on items, places, kinds and values are shuffled, visits run together or begin at
    the very second of the cut, some are lost, and a rush of new ones comes.
    """
    rng = np.random.default_rng(7)
    taken = planted.events()
    past, future = taken.filter(pl.col("timestamp") < CUT), taken.filter(pl.col("timestamp") >= CUT)
    n = len(future)
    assert n > 300
    future = future.with_columns(
        item_id=future["item_id"].shuffle(seed=1),
        place=future["place"].shuffle(seed=2),
        kind=pl.Series(rng.choice(["purchase", "view", "dismiss", "rating"], n)),
        value=pl.Series(rng.uniform(1, 5, n)),
        timestamp=pl.Series([CUT + timedelta(hours=int(h)) for h in rng.integers(0, 500, n)]),
        session_id=pl.Series([f"visit-{i}" for i in rng.integers(0, 400, n)]),
    ).head(n // 2)
    rush = pl.DataFrame(
        {
            "user_id": [planted.user_id(int(u)) for u in rng.integers(0, planted.N_USERS, 500)],
            "item_id": [planted.item_id(59)] * 500,
            "kind": ["purchase"] * 500,
            "timestamp": [CUT] * 500,
            "value": [9.0] * 500,
            "session_id": ["rush"] * 500,
            "place": ["north"] * 500,
        }
    )
    columns = past.columns
    frames = [frame.select(columns).cast(dict(past.schema)) for frame in (rush, past, future)]
    return pl.concat(frames)


def stage_files(run: Path) -> dict[str, str]:
    """Hash of every file of every stage of the training, its requests among them; keys left out."""
    stages = run.parent / ".stages"
    return {
        f"{file.relative_to(stages).parts[0].rsplit('-', 1)[0]}/{file.name}": file_hash(file)
        for file in stages.rglob("*")
        if file.is_file()
        and file.parent != stages  # how long each stage took
        and not file.relative_to(stages).parts[0].startswith(("vectors", "baselines"))
    }


def test_another_future_changes_no_training_input_and_no_file_of_the_run(planted_run, tmp_path):
    shop = planted.write_shop(tmp_path / "data", altered_future())
    original = Dataset.open(planted_run.parent / "data")
    assert shop.hash != original.hash
    manifest = planted.train(shop, tmp_path / "run")
    known = Manifest.verify(planted_run)
    differing = {name for name in known.files if manifest.files.get(name) != known.files[name]}
    assert differing == set()
    assert manifest.files.keys() == known.files.keys()
    inputs = stage_files(tmp_path / "run")
    assert {"requests/examples.safetensors", "requests/tokens.safetensors"} <= inputs.keys()
    assert inputs == stage_files(planted_run)


def test_one_other_event_before_the_cut_is_noticed(planted_run, tmp_path):
    # The test above can fail: a second earlier, an event is part of the training.
    one = pl.col("timestamp") == pl.col("timestamp").filter(pl.col("timestamp") < CUT).max()
    last_second = pl.when(one).then(pl.lit(CUT - timedelta(seconds=1))).otherwise("timestamp")
    moved = planted.events().with_columns(timestamp=last_second)
    manifest = planted.train(planted.write_shop(tmp_path / "data", moved), tmp_path / "run")
    known = Manifest.verify(planted_run)
    same = {name for name in known.files if manifest.files[name] == known.files[name]}
    assert "content/content.safetensors" in same
    for name in ("history.safetensors", "graph/kg/triples.parquet", "crowd.safetensors"):
        assert name not in same
