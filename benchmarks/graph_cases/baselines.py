"""What everyone compares with: popularity, item-kNN, EASE, BPR and LightGCN."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import torch
from torch_geometric.nn import LightGCN  # type: ignore[import-untyped]

from benchmarks.graph_cases.ranking import Floats, Question, Score

SECONDS_PER_DAY = 86_400
WIDTH = 64


def popularity(asked: Question, half_life_days: float | None = None) -> Score:
    """The same list for everyone: what most users touched, of late where a half-life is given."""
    past = asked.past
    weight = np.ones(len(past))
    if half_life_days is not None:
        age_days = (past.at_unix_s.max() - past.at_unix_s) / SECONDS_PER_DAY
        weight = 0.5 ** (age_days / half_life_days)
    sold = np.bincount(past.item, weight, minlength=past.n_items).astype(np.float32)
    return lambda users: np.tile(sold, (len(users), 1))


def item_knn(asked: Question, neighbours: int | None = None, shrinkage: float = 0.0) -> Score:
    """Cosine of items over the users that touched them (Sarwar et al. 2001)."""
    known = asked.known
    together = sp.csr_array(known.T @ known)
    together.setdiag(0)
    root = sp.diags_array((np.asarray(known.sum(axis=0)).ravel() + shrinkage + 1e-9) ** -0.5)
    similar = sp.csr_array(root @ together @ root)
    if neighbours is not None:
        similar = _strongest(similar, neighbours)
    return lambda users: (known[users] @ similar).toarray()


def ease(asked: Question, penalty: float) -> Score:
    """The closed-form item-item regression of Steck 2019; one inverse of ``[I, I]``."""
    known = asked.known
    gram = (known.T @ known).toarray().astype(np.float32)
    gram[np.diag_indices_from(gram)] += penalty
    factor, _ = scipy.linalg.cho_factor(gram, overwrite_a=True, check_finite=False)
    inverse, _ = scipy.linalg.lapack.spotri(factor, overwrite_c=True)
    inverse = np.triu(inverse)
    inverse += np.triu(inverse, 1).T
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return lambda users: known[users] @ weights


def bpr(asked: Question, seed: int, *, epochs: int = 40) -> Score:
    """Matrix factorisation with pairwise sampled ranking (Rendle et al. 2009)."""
    return _pairwise(asked, seed, layers=0, steps=epochs * 5, learning_rate=0.01, decay=1e-4)


def lightgcn(asked: Question, seed: int, *, layers: int = 2, epochs: int = 40) -> Score:
    """PyG's LightGCN (He et al. 2020), trained with its own loss of BPR."""
    return _pairwise(asked, seed, layers, steps=epochs * 5, learning_rate=0.01, decay=1e-4)


def _pairwise(
    asked: Question, seed: int, layers: int, steps: int, learning_rate: float, decay: float
) -> Score:
    """Five steps an epoch; without layers, PyG's LightGCN is plain matrix factorisation."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    n_users, n_items = asked.known.shape
    # The weights are normalised once, below, and not again at every layer of every step.
    model = LightGCN(n_users + n_items, WIDTH, num_layers=layers, normalize=False)
    pairs = asked.known.tocoo()
    ends = torch.from_numpy(np.stack([pairs.row, pairs.col + n_users]).astype(np.int64))
    graph = _normalised(ends, n_users + n_items)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for _ in range(steps):
        chosen = torch.from_numpy(rng.integers(0, ends.shape[1], ends.shape[1] // 5))
        wrong = torch.from_numpy(rng.integers(n_users, n_users + n_items, len(chosen)))
        state = model.get_embedding(graph)
        user, right = ends[:, chosen]
        positive = (state[user] * state[right]).sum(dim=1)
        negative = (state[user] * state[wrong]).sum(dim=1)
        nodes = torch.cat([user, right, wrong])
        loss = model.recommendation_loss(positive, negative, nodes, lambda_reg=decay)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        state = model.get_embedding(graph).numpy()
    items: Floats = state[n_users:].T
    return lambda users: state[users] @ items


def _normalised(ends: torch.Tensor, n_nodes: int) -> torch.Tensor:
    """Both directions of the edges, each divided by the roots of its two nodes' degrees."""
    edges = torch.cat([ends, ends.flip(0)], dim=1)
    root = torch.bincount(edges[0], minlength=n_nodes).clamp(min=1).float().rsqrt()
    weight = root[edges[0]] * root[edges[1]]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_coo_tensor(edges, weight, (n_nodes, n_nodes)).to_sparse_csr()


def _strongest(similar: sp.csr_array, limit: int) -> sp.csr_array:
    rows = np.repeat(np.arange(similar.shape[0]), np.diff(similar.indptr))
    order = np.lexsort((-similar.data, rows))
    place = np.arange(len(rows)) - similar.indptr[rows]
    kept = order[place < limit]
    return sp.csr_array((similar.data[kept], (rows[kept], similar.indices[kept])), similar.shape)
