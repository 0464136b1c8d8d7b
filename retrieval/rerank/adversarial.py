"""Training against the worst small change of the embeddings (FGM).

Miyato, Dai and Goodfellow 2017, "Adversarial training methods for semi-supervised text
classification", arXiv:1605.07725: the gradient says which small shift of the embeddings hurts most,
and the network is trained to be right there too. A step costs twice as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def perturbed(parameters: Sequence[Tensor], epsilon: float) -> Iterator[None]:
    r"""Inside, parameters are shifted by :math:`\epsilon\, g / \lVert g \rVert_2`.

    Args:
        parameters: With gradients g of the loss; the norm is over all of them together.
        epsilon: Length of the shift.
    """
    given = [(p, p.grad) for p in parameters if p.grad is not None]
    if not given:
        yield
        return
    norm = torch.stack([gradient.norm() for _, gradient in given]).norm().clamp(min=1e-12)
    before = [parameter.detach().clone() for parameter, _ in given]
    with torch.no_grad():
        for parameter, gradient in given:
            parameter.add_(gradient, alpha=epsilon / float(norm))
    try:
        yield
    finally:
        with torch.no_grad():
            for (parameter, _), value in zip(given, before, strict=True):
                parameter.copy_(value)
