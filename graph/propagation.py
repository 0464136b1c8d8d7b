"""One step of message passing along one relation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing  # type: ignore[import-untyped]


@dataclass(frozen=True, slots=True)
class Adjacency:
    """A relation as sparse matrices.

    Shapes: ``forward`` float32 ``[T, S]``, from S sources to T targets; ``backward`` float32
    ``[S, T]``, its transpose, kept for the gradient.
    """

    forward: Tensor
    backward: Tensor

    @classmethod
    def mean(cls, weights: sp.csr_array, device: torch.device) -> Adjacency:
        """Rows scaled to sum to one: every target takes the weighted mean of its sources."""
        degree = np.asarray(weights.sum(axis=1)).ravel()
        scale = sp.diags_array(np.where(degree > 0, 1 / degree.clip(1e-30), 0.0))
        rows = sp.csr_array(scale @ weights, dtype=np.float32)
        return cls(_to_torch(rows, device), _to_torch(sp.csr_array(rows.T), device))


class RelationMean(MessagePassing):  # type: ignore[misc]
    r"""Weighted mean over the neighbours along one relation.

    .. math:: m_t = \sum_{s \in N(t)} \frac{w_{ts}}{\sum_{s'} w_{ts'}}\, x_s

    A target without neighbours gets zeros.

    Shapes: sources ``[S, W]`` and an adjacency ``[T, S]`` give messages ``[T, W]``.
    """

    def __init__(self) -> None:
        super().__init__(aggr="sum")

    def forward(self, x: Tensor, adjacency: Adjacency) -> Tensor:
        """Messages float32 ``[T, W]`` from sources float32 ``[S, W]``."""
        messages: Tensor = self.propagate(
            adjacency.forward, x=(x, None), backward_adj=adjacency.backward
        )
        return messages

    def message_and_aggregate(self, edge_index: Tensor, x: Any, backward_adj: Tensor) -> Tensor:  # noqa: ANN401
        """The fused product that PyG calls in place of one message per edge."""
        messages: Tensor = _SparseProduct.apply(x[0], edge_index, backward_adj)
        return messages


class _SparseProduct(torch.autograd.Function):
    """``A @ x`` whose gradient uses a stored transpose: torch would sort one at every step."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, a_transposed: Tensor) -> Tensor:  # noqa: ANN401
        ctx.a_transposed = a_transposed
        # Sparse products know no bfloat16, which mixed precision would hand them.
        with torch.autocast(x.device.type, enabled=False):
            return a @ x.float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return ctx.a_transposed @ grads[0], None, None


def _to_torch(matrix: sp.csr_array, device: torch.device) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            size=matrix.shape,
            check_invariants=False,
            device=device,
        )
