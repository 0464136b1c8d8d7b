"""One step of message passing along one relation.

Imported where a network is built or trained: PyG takes a second, which no server should wait for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing  # type: ignore[import-untyped]

from graph.adjacency import Adjacency


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
