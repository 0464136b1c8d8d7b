"""The graph that people read: what looks alike is in it, where there are pictures."""

from pathlib import Path

import numpy as np
import planted
import pytest

from engine.arrays import graph_tables
from engine.build import _read
from engine.dataset import Dataset
from engine.knowledge import write_knowledge
from engine.show_graph import KNOWLEDGE
from engine.sides import Side
from engine.stages import Silent, StageCache
from graph import KnowledgeGraph


def written(shop: Dataset, looks: np.ndarray, folder: Path) -> KnowledgeGraph:
    stages = StageCache(folder / "stages", Silent())
    job = _read(shop, planted.CONFIG, planted.CUT_UNIX_S, stages)
    tables = graph_tables(shop, job.vocabulary, job.past.events)
    write_knowledge(folder, job, tables, Side(looks.astype(np.float16)))
    return KnowledgeGraph.open(folder / KNOWLEDGE)


def relations(kg: KnowledgeGraph) -> list[str]:
    return [edge_type.relation for edge_type in kg.edge_types]


def test_items_that_look_alike_are_joined(planted_shop: Dataset, tmp_path: Path) -> None:
    looks = np.zeros((len(planted_shop.items), 8))
    looks[:6] = np.repeat(np.eye(8)[:3], 2, axis=0)  # twins: 0 and 1, 2 and 3, 4 and 5
    looks[1, 7] = 0.1
    kg = written(planted_shop, looks, tmp_path)
    edges = kg.edges(relations(kg).index("looks_like"))
    start = kg.global_row("item", 0)
    pairs = set(zip((edges.head - start).tolist(), (edges.tail - start).tolist(), strict=True))
    assert pairs == {(0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4)}
    cosine = dict(zip((edges.head - start).tolist(), edges.weight.tolist(), strict=True))
    assert cosine[2] == pytest.approx(1.0)
    assert cosine[0] == pytest.approx(1 / np.sqrt(1.01), abs=1e-3)


def test_a_shop_without_pictures_has_no_such_edges(planted_shop: Dataset, tmp_path: Path) -> None:
    kg = written(planted_shop, np.zeros((len(planted_shop.items), 8)), tmp_path)
    assert "looks_like" not in relations(kg)
    assert "bought_with" in relations(kg)
