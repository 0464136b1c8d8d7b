"""The planted shop and a run on it, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import planted
import pytest
import torch

from engine.dataset import Dataset
from engine.recommend import Engine
from engine.runtime import Run, load_run
from engine.store import EventStore


@pytest.fixture(scope="session")
def planted_shop(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two tastes, a weekly habit per user, two places."""
    return planted.write_shop(tmp_path_factory.mktemp("planted") / "data")


@pytest.fixture(scope="session")
def planted_run(planted_shop: Dataset) -> Path:
    """Trained on one thread, so that it is the same bytes every time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run = Path(planted_shop.folder).parent / "run"
    planted.train(planted_shop, run)
    torch.set_num_threads(threads)
    return run


@pytest.fixture(scope="session")
def loaded(planted_run: Path) -> Run:
    """The planted run in memory: opening it once spares every test the encoder."""
    return load_run(planted_run)


@pytest.fixture
def shop(loaded: Run, tmp_path: Path) -> Iterator[Engine]:
    """An engine on the planted run, with an empty store of its own."""
    with Engine(loaded, EventStore.open(f"sqlite:///{tmp_path / 'events.sqlite'}")) as engine:
        yield engine
