"""Turn scores into probabilities: Platt scaling (Platt 1999) on lists that were not trained on."""

from __future__ import annotations

import torch
from torch import Tensor

MAX_STEPS = 50


def fit_platt(logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Slope a and offset b of ``sigmoid(a * logit + b)``, by Newton's method.

    Args:
        logits: float32 ``[N]``.
        label: bool ``[N]``.
        weight: float32 ``[N]``: how many candidates each stands for.

    Returns:
        float32 ``[2]``: a (not negative) and b; the identity where labels are all alike.
    """
    identity = torch.tensor([1.0, 0.0])
    if len(label) == 0 or bool(label.all()) or not bool(label.any()):
        return identity
    y, w = label.double(), weight.double()
    # From scores around zero and the share that was taken, Newton's method has a short way.
    centre, spread = logits.double().mean(), logits.double().std().clamp(min=1e-6)
    around = (logits.double() - centre) / spread
    x = torch.stack([around, torch.ones_like(around)], dim=1)
    theta = torch.stack([torch.zeros((), dtype=torch.double), torch.logit((w * y).sum() / w.sum())])
    loss = _loss(x, y, w, theta)
    for _ in range(MAX_STEPS):
        p = torch.sigmoid(x @ theta)
        gradient = x.T @ (w * (p - y))
        curvature = (x * (w * p * (1 - p)).clamp(min=1e-12)[:, None]).T @ x
        step = torch.linalg.solve(curvature + 1e-9 * torch.eye(2, dtype=torch.double), gradient)
        # Far from the answer a whole step overshoots, and the next one may leave for good.
        while (new := _loss(x, y, w, theta - step)) > loss and float(step.abs().max()) > 1e-10:
            step = step / 2
        theta, loss = theta - step, min(new, loss)
        if float(step.abs().max()) < 1e-8:
            break
    slope = theta[0] / spread
    found = torch.stack([slope, theta[1] - slope * centre]).float()
    return found if slope > 0 else identity


def _loss(x: Tensor, y: Tensor, w: Tensor, theta: Tensor) -> float:
    logits = x @ theta
    return float((w * (torch.nn.functional.softplus(logits) - y * logits)).sum())


def calibration_error(chance: Tensor, label: Tensor, weight: Tensor, bins: int = 15) -> float:
    """How far chances lie from what came true, over bins of equal weight (expected error, ECE).

    Naeini, Cooper and Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian
    binning"; bins hold equally many candidates, since nearly all chances are small.

    Args:
        chance: float32 ``[N]``.
        label: bool ``[N]``.
        weight: float32 ``[N]``: how many candidates each stands for.
        bins: Number of bins.
    """
    if len(chance) == 0:
        return 0.0
    order = torch.argsort(chance, stable=True)
    p, y, w = chance[order].double(), label[order].double(), weight[order].double()
    reached = w.cumsum(0) - w / 2
    of = (reached / w.sum() * bins).long().clamp(max=bins - 1)
    gap = torch.zeros(bins, dtype=torch.double).index_add_(0, of, w * (p - y))
    return float(gap.abs().sum() / w.sum())
