"""How good a trainee is on the validation parts, which no step reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.training.model import Trainee
from encoders.training.sets import PairSet

_BATCH = 128


@dataclass(frozen=True, slots=True)
class Marks:
    """Of one set.

    Attributes:
        name: Of the set.
        found: Share of first sentences whose picture is among the 10 nearest of the part.
        named: Share of pictures whose class name is the nearest; None where it has no classes.
    """

    name: str
    found: float
    named: float | None


@torch.inference_mode()
def examine(trainee: Trainee, pairs: PairSet, views: NDArray[np.float16]) -> Marks:
    """Ask for the pictures of sentences, and for the names of pictures.

    Args:
        trainee: Who is asked.
        pairs: n pictures with sentences.
        views: Front features of one view of each, ``[n, 1, C, h, w]`` float16.
    """
    pictures = torch.cat(
        [
            _pictures(trainee, views[start : start + _BATCH, 0])
            for start in range(0, len(views), _BATCH)
        ]
    )
    cosines = trainee.many_words([group[0] for group in pairs.captions]) @ pictures.T
    ranks = (cosines >= cosines.diagonal()[:, None]).sum(dim=1)
    named = None
    if pairs.classes:
        names = sorted(set(pairs.classes))
        labels = torch.tensor([names.index(name) for name in pairs.classes])
        named = float(
            ((pictures @ trainee.many_words(names).T).argmax(dim=1) == labels).float().mean()
        )
    return Marks(pairs.name, float((ranks <= 10).float().mean()), named)


def _pictures(trainee: Trainee, front: NDArray[np.float16]) -> Tensor:
    batch = torch.from_numpy(np.ascontiguousarray(front)).float()
    rows, _ = trainee.pictures(batch.contiguous(memory_format=torch.channels_last))
    return rows
