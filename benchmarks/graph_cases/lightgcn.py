"""Time against LightGCN: to its published quality on Gowalla, and per epoch of a million edges.

Both sides run on the same machine, in the same process, one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.nn import LightGCN  # type: ignore[import-untyped]

from benchmarks.graph_cases.gowalla import QUICKEST, gowalla_question, quickest
from benchmarks.graph_cases.ranking import Question, Ranking, rank
from graph import GraphConfig, GraphModel, GraphTables, build_graph
from graph.inputs import Content, graph_inputs
from graph.train import drawing, step

WIDTH = 64
PUBLISHED_RECALL = 0.1830
PUBLISHED_EPOCHS = 1000
"""What the authors' code trains; it reports the best epoch on test and stops at no criterion."""
EARLY_EPOCHS = 300
"""A lower bound of the epochs that it needs: users of the code see it level off near 500."""
GOWALLA_BATCH, GOWALLA_LAYERS = 2048, 3
EXAMPLE_BATCH, EXAMPLE_LAYERS = 8192, 2
MILLION_USERS, MILLION_ITEMS, MILLION = 20_000, 10_000, 1_000_000
MOMENT = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Race:
    """Seconds to LightGCN's published recall.

    ``closed_s`` is all of ours, ranking included; ``epoch_s`` one epoch of LightGCN, extrapolated
    from its steps, whose cost does not depend on the state of training.
    """

    closed: Ranking
    closed_s: float
    epoch_s: float

    def ratio(self, epochs: int = PUBLISHED_EPOCHS) -> float:
        """Our seconds over LightGCN's for a number of epochs."""
        return self.closed_s / (epochs * self.epoch_s)

    def reached(self) -> bool:
        """Whether the closed form is at LightGCN's published recall."""
        return float(self.closed.recall.mean()) >= PUBLISHED_RECALL


@dataclass(frozen=True, slots=True)
class EpochSeconds:
    """Seconds per epoch over a million edges at 64 dimensions.

    ``ours_same_batch`` is our trainer with the batch of PyG's example.
    """

    ours: float
    ours_same_batch: float
    pyg: float

    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.pyg / self.ours


def time_to_lightgcn(data: Path, *, steps: int = 20, seed: int = 0) -> Race:
    """Our quickest closed form against PyG's LightGCN, trained as its authors do."""
    asked = gowalla_question(data)
    start = time.perf_counter()
    closed = rank(QUICKEST, quickest(asked), asked)
    closed_s = time.perf_counter() - start
    pairs = _pairs(asked)
    n_users, n_items = asked.known.shape
    one = pyg_step(pairs, (n_users, n_items), GOWALLA_BATCH, GOWALLA_LAYERS, seed)
    return Race(closed, closed_s, seconds_per_call(one, steps) * _ceil(len(pairs), GOWALLA_BATCH))


def epoch_ratio(*, steps: int = 10, seed: int = 0) -> EpochSeconds:
    """Our trainer's epoch against that of PyG's ``examples/lightgcn.py``."""
    tables = million_edges(seed)
    pairs = np.stack([tables.user, tables.item], axis=1)
    sizes = (MILLION_USERS, MILLION_ITEMS)
    theirs = pyg_step(pairs, sizes, EXAMPLE_BATCH, EXAMPLE_LAYERS, seed)
    pyg = seconds_per_call(theirs, steps) * _ceil(MILLION, EXAMPLE_BATCH)
    own_size = GraphConfig(width=WIDTH)
    same_size = GraphConfig(width=WIDTH, batch_size=EXAMPLE_BATCH)
    ours, same = (
        seconds_per_call(our_step(tables, config, seed), steps) * _ceil(MILLION, config.batch_size)
        for config in (own_size, same_size)
    )
    return EpochSeconds(ours, same, pyg)


def pyg_step(
    pairs: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    sizes: tuple[int, int],
    batch: int,
    layers: int,
    seed: int,
) -> Callable[[], None]:
    """A step of PyG's example: the whole graph is propagated for each batch of pairs.

    Args:
        pairs: User and item of each edge, int64 ``[E, 2]``.
        sizes: Number of users and of items.
        batch: Positive pairs per step, with one negative each.
        layers: Steps of propagation.
        seed: Initial vectors and batches.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    n_users, n_items = sizes
    model = LightGCN(n_users + n_items, WIDTH, layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    ends = torch.from_numpy(pairs.T.copy()) + torch.tensor([[0], [n_users]])
    edges = torch.cat([ends, ends.flip(0)], dim=1)

    def one() -> None:
        right = ends[:, torch.from_numpy(rng.integers(0, ends.shape[1], batch))]
        wrong = torch.from_numpy(rng.integers(n_users, n_users + n_items, batch))
        labels: Tensor = torch.cat([right, torch.stack([right[0], wrong])], dim=1)
        optimizer.zero_grad()
        positive, negative = model(edges, labels).chunk(2)
        nodes = labels.unique()  # type: ignore[no-untyped-call]
        model.recommendation_loss(positive, negative, node_id=nodes).backward()
        optimizer.step()

    return one


def our_step(tables: GraphTables, config: GraphConfig, seed: int) -> Callable[[], None]:
    """A step of our trainer on the same edges, its propagation over the whole graph included."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    kg = build_graph(tables, as_of_unix_s=MOMENT + 1)
    none = Content(np.zeros((tables.n_items, 1), np.float32), np.zeros(tables.n_items, bool))
    inputs = graph_inputs(kg, tables, none, config, seed=seed)
    model = GraphModel(inputs, config.layers, 0.6).to(inputs.taste.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    draw = drawing(kg, inputs, config)

    def one() -> None:
        step(model, *draw(rng), optimizer, config)

    return one


def million_edges(seed: int) -> GraphTables:
    """Events of users with items whose popularity falls as in a shop; each a session of its own."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(10, 10 + MILLION_ITEMS)
    return GraphTables(
        n_users=MILLION_USERS,
        n_items=MILLION_ITEMS,
        user=rng.integers(0, MILLION_USERS, MILLION),
        item=rng.choice(MILLION_ITEMS, MILLION, p=share / share.sum()),
        at_unix_s=np.full(MILLION, MOMENT, np.int64),
        weight=np.ones(MILLION, np.float32),
        session=np.arange(MILLION),
        item_facts=(),
        category_parent=np.zeros(0, np.int64),
    )


def seconds_per_call(call: Callable[[], None], times: int) -> float:
    """Median seconds of a call, after two to warm up."""
    taken = []
    for _ in range(times + 2):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken[2:]))


def _pairs(asked: Question) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    known = asked.known.tocoo()
    return np.stack([known.row, known.col], axis=1).astype(np.int64)


def _ceil(n: int, size: int) -> int:
    return -(-n // size)
