"""A relation as sparse matrices, ready for message passing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor


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
