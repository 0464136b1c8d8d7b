"""Two processes make the step that one would make on the whole batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from planted_shop import NOW, make_shop

from graph import GraphConfig, GraphModel, build_graph
from graph.inputs import Content, graph_inputs
from graph.train import drawing, step

CONFIG = GraphConfig(
    width=12, batch_size=64, n_negatives=30, contrastive_weight=0.1, learning_rate=0.1
)


def one_step(fanout: int | None) -> tuple[float, list[torch.Tensor]]:
    """Loss and weights after a step of plain descent, whose change is the gradient."""
    torch.set_num_threads(1)
    shop = make_shop()
    config = CONFIG.model_copy(update={"fanout": fanout})
    kg = build_graph(shop.tables, as_of_unix_s=NOW)
    content = Content(np.ones((80, 3), np.float32), np.ones(80, bool))
    inputs = graph_inputs(kg, shop.tables, content, config, seed=0)
    model = GraphModel(inputs, layers=2, popularity_scale=0.5)
    part, batch = drawing(kg, inputs, config)(np.random.default_rng(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=10.0)
    loss = step(model, part, batch, optimizer, config)
    return loss, [p.detach().clone() for p in model.parameters()]


def _process(rank: int, folder: str, fanout: int | None) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.save(one_step(fanout), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("fanout", [None, 4], ids=["whole graph", "sampled"])
def test_two_processes_equal_one(tmp_path: Path, fanout: int | None) -> None:
    mp.spawn(_process, (str(tmp_path), fanout), nprocs=2)
    loss, weights = one_step(fanout)
    for rank in (0, 1):
        their_loss, theirs = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert their_loss == pytest.approx(loss, rel=1e-5)
        for mine, other in zip(weights, theirs, strict=True):
            torch.testing.assert_close(other, mine, rtol=1e-4, atol=1e-6)
    assert any(p.abs().max() > 1e-4 for p in weights[:2])
