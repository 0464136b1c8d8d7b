"""Ranking losses: pure functions of scores."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    r"""Bayesian personalised ranking (Rendle et al. 2009).

    .. math:: -\frac{1}{BN}\sum_{b,n} \ln \sigma(s^+_b - s^-_{bn})

    Args:
        positive: Scores of the items that users chose, float32 ``[B]``.
        negative: Scores of sampled items, float32 ``[B, N]``.

    Returns:
        A scalar.
    """
    return F.softplus(negative - positive[:, None]).mean()


def sampled_softmax(positive: Tensor, negative: Tensor, log_q: Tensor, row: Tensor) -> Tensor:
    r"""Softmax over the catalogue, its sum estimated from sampled items (Bengio & Senécal 2008).

    .. math:: \frac{1}{B}\sum_b \ln\Bigl(1 + e^{-s^+_b} \sum_n
              \frac{e^{s^-_{r(b) n}}}{N q_n}\Bigr)

    Dividing by the expected count :math:`N q_n` (the logQ correction) keeps the sum unbiased
    whatever the sampling, so the scores learn the log-probability of an item and not its ratio
    to how often it was drawn. Positives that share a user share one row of negatives.

    Args:
        positive: Scores of the items that users chose, float32 ``[B]``.
        negative: Scores of sampled items, float32 ``[R, N]``.
        log_q: Log-probability with which each was drawn, float32 ``[N]``.
        row: Row of ``negative`` that belongs to each positive, int64 ``[B]``.

    Returns:
        A scalar.
    """
    log_count = log_q + torch.log(torch.tensor(float(negative.shape[1])))
    log_sum = torch.logsumexp(negative - log_count, dim=1)
    return F.softplus(log_sum[row] - positive).mean()


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    r"""Two views of one node agree more than views of different nodes (Oord et al. 2018).

    .. math:: -\frac{1}{B}\sum_b \ln \frac{e^{x_b \cdot y_b / \tau}}
              {\sum_{b'} e^{x_b \cdot y_{b'} / \tau}}

    Args:
        first: Unit rows, float32 ``[B, W]``.
        second: The same nodes seen otherwise, unit rows, float32 ``[B, W]``.
        temperature: The ``τ`` above.

    Returns:
        A scalar.
    """
    logits = first @ second.T / temperature
    return F.cross_entropy(logits, torch.arange(len(first), device=first.device))
