"""LightGCN: vectors of users and items, smoothed over who had what."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch_geometric.nn import LightGCN  # type: ignore[import-untyped]

from engine.evaluate.baselines.factorisation import FactorScores
from engine.evaluate.baselines.purchases import Purchases, Weighting

PAIRS_PER_STEP = 0.2
"""Share of the pairs in a step: each propagates over the whole graph, so few large steps pay."""


@dataclass(frozen=True, slots=True)
class LightGcn:
    """PyG's LightGCN, trained by its own pairwise loss.

    He et al., "LightGCN: simplifying and powering graph convolution network for recommendation",
    SIGIR 2020.
    """

    layers: int = 2
    learning_rate: float = 0.02
    decay: float = 1e-4
    width: int = 64
    steps: int = 200
    seed: int = 0

    def fit(self, purchases: Purchases) -> FactorScores:
        """Descend."""
        bought = purchases.matrix(Weighting("ever")).tocoo()
        n_users, n_nodes = purchases.n_users, purchases.n_users + purchases.n_columns
        rng = np.random.default_rng(self.seed)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            # The weights of the edges are normalised once, and not at every layer of every step.
            model = LightGCN(n_nodes, self.width, num_layers=self.layers, normalize=False)
        ends = torch.from_numpy(np.stack([bought.row, bought.col + n_users]).astype(np.int64))
        graph = _normalised(ends, n_nodes)
        optimizer = torch.optim.Adam(model.parameters(), lr=self.learning_rate)
        size = max(1, int(PAIRS_PER_STEP * ends.shape[1]))
        for _ in range(self.steps):
            user, right = ends[:, torch.from_numpy(rng.integers(0, ends.shape[1], size))]
            wrong = torch.from_numpy(rng.integers(n_users, n_nodes, size))
            loss = self._loss(model, graph, user, right, wrong)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            state = model.get_embedding(graph).numpy()
        return FactorScores(state[:n_users], state[n_users:])

    def _loss(
        self, model: LightGCN, graph: Tensor, user: Tensor, right: Tensor, wrong: Tensor
    ) -> Tensor:
        state = model.get_embedding(graph)
        positive = (state[user] * state[right]).sum(dim=1)
        negative = (state[user] * state[wrong]).sum(dim=1)
        nodes = torch.cat([user, right, wrong])
        loss: Tensor = model.recommendation_loss(positive, negative, nodes, lambda_reg=self.decay)
        return loss


def _normalised(ends: Tensor, n_nodes: int) -> Tensor:
    """Both directions of the edges, each over the roots of its two nodes' degrees."""
    edges = torch.cat([ends, ends.flip(0)], dim=1)
    root = torch.bincount(edges[0], minlength=n_nodes).clamp(min=1).float().rsqrt()
    weight = root[edges[0]] * root[edges[1]]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        shape = (n_nodes, n_nodes)
        joined = torch.sparse_coo_tensor(edges, weight, shape, check_invariants=False)
        return joined.to_sparse_csr()
