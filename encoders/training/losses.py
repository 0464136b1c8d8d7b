"""The losses of the recipe, on unit rows."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def contrast(pictures: Tensor, words: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE (Radford et al. 2021, arXiv:2103.00020) where equal words are no rivals.

    Shapes:
        - pictures, words ``[B, D]`` float, unit rows; row i of one belongs to row i of the other
        - labels ``[B]`` int64, equal where the words are equal
        - scale: scalar, the inverse temperature
    """
    logits = scale * pictures @ words.T
    same = (labels[:, None] == labels[None, :]).float()
    target = same / same.sum(dim=1, keepdim=True)
    forth = -(target * functional.log_softmax(logits, dim=1)).sum(dim=1).mean()
    back = -(target * functional.log_softmax(logits.T, dim=1)).sum(dim=1).mean()
    return (forth + back) / 2


def name_loss(pictures: Tensor, names: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of a picture's class among the names of all classes of its set.

    Shapes:
        - pictures ``[B, D]``, names ``[C, D]`` float, unit rows
        - labels ``[B]`` int64 in ``[0, C)``
    """
    return functional.cross_entropy(scale * pictures @ names.T, labels, label_smoothing=0.05)


def forgetting(logits: Tensor, before: Tensor) -> Tensor:
    """Divergence of a classifier's answers from what they were (Li & Hoiem 2016, arXiv:1606.09282).

    Shapes:
        - logits, before ``[B, C]`` float
    """
    temperature = 2.0
    return functional.kl_div(
        functional.log_softmax(logits / temperature, dim=1),
        functional.log_softmax(before / temperature, dim=1),
        log_target=True,
        reduction="batchmean",
    )
