"""What is made small: pure functions of unit rows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def symmetric_info_nce(
    left: Tensor, right: Tensor, scale: Tensor, allowed: Tensor, log_q: Tensor | None = None
) -> Tensor:
    r"""Each row should find its partner among those of the batch, both ways.

    .. math:: -\frac{1}{2B} \sum_i \log \frac{e^{s_{ii}}}{\sum_{j \in A_i} e^{s_{ij}}}
              + \text{the same with left and right exchanged}, \qquad
              s_{ij} = \tau\, l_i \cdot r_j - \log q_j

    (Radford et al. 2021, arXiv:2103.00020). Subtracting :math:`\log q_j` undoes that popular
    items are drawn as others' negatives more often (Yi et al. 2019, doi:10.1145/3298689.3346996).

    Args:
        left: Unit rows, float ``[B, D]``.
        right: The partner of each, unit rows ``[B, D]``.
        scale: τ, one number.
        allowed: Which ``right`` row (column) may stand against which ``left`` one (row), bool
            ``[B, B]``, true on the diagonal. What is as right as the partner is left out.
        log_q: Logarithm of how often each pair's ``left`` and ``right`` item is drawn, ``[2, B]``.
    """
    scores = scale * left @ right.T  # [B, B]
    to_right = scores if log_q is None else scores - log_q[1]
    to_left = scores.T if log_q is None else scores.T - log_q[0]
    partner = torch.arange(len(left), device=left.device)
    hidden = ~allowed
    there = cross_entropy(to_right.masked_fill(hidden, -torch.inf), partner)
    back = cross_entropy(to_left.masked_fill(hidden.T, -torch.inf), partner)
    return (there + back) / 2


def drift(rows: Tensor, original: Tensor) -> Tensor:
    """How far unit rows ``[n, D]`` have moved from where they were: 1 - cosine, averaged."""
    return (1 - (rows * original).sum(dim=-1)).mean()
