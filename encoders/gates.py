r"""How much each part of an item counts in its vector: shares that are set, or learned.

An item has P parts (its pictures, its title, ...), each a unit row of the joint space, any of
which may be missing. Part p of an item asks for

    logit_p = bias_p + sum over the other present parts q of (beside_pq + agreement_pq cos(p, q))

and gets the softmax of that over the parts that are there. So a part may count less beside a
better one, and less (or more) where it says something else than the others, as a picture does
that shows not the thing but its parcel. This is the gate of Arevalo et al. 2017, "Gated
multimodal units for information fusion" (arXiv:1702.01992), on 2 P^2 - P numbers instead of on
the features themselves: a shop's own signal is enough to learn these.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.base import Float32

_MOST_LOGIT = 20.0
"""Odds beyond this are as good as nothing, or as everything; infinity would give NaN."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of learned gates on items that they did not learn from."""

    pairs: int
    """Pairs that they learned from."""
    recall_fixed: float
    """Recall@20 of the partners of held-out items among all items, by the fixed shares."""
    recall_learned: float
    """The same by the learned gates."""
    kept: bool
    """Whether the learned gates are used."""


@dataclass(frozen=True, slots=True, eq=False)
class Gates:
    """Numbers that give every present part of an item its share.

    Attributes:
        bias: ``[P]`` float32.
        beside: ``[P, P]`` float32, zero on the diagonal: what the presence of part q adds to
            the logit of part p.
        agreement: ``[P, P]`` float32, zero on the diagonal: what it adds per unit of their cosine.
        trial: How the gates did, if learning was tried.
    """

    bias: Float32
    beside: Float32
    agreement: Float32
    trial: Trial | None = None

    @property
    def n_parts(self) -> int:
        """P."""
        return len(self.bias)


def fixed_gates(odds: Sequence[float]) -> Gates:
    """Shares in proportion to fixed odds, whatever the parts say.

    Args:
        odds: One number a part, 0 or more; of two parts with odds 1 and 3 the second gets three
            quarters. A part of odds 0 counts only where an item has no other.

    Raises:
        ValueError: A number is negative or not a number, or all are zero.
    """
    given = np.array(odds, dtype=np.float64)
    if given.ndim != 1 or not np.all(given >= 0) or not given.any():
        raise ValueError(f"odds are {list(odds)}, expected numbers from 0, not all of them 0")
    with np.errstate(divide="ignore"):
        bias = np.clip(np.log(given), -_MOST_LOGIT, _MOST_LOGIT).astype(np.float32)
    nothing = np.zeros((len(bias), len(bias)), dtype=np.float32)
    return Gates(bias, nothing, nothing)


def agreements(parts: Float32, present: NDArray[np.bool_]) -> Float32:
    """Cosines between the parts of each item.

    Shapes:
        - parts ``[n, P, D]`` float32, unit rows where present (anything elsewhere)
        - present ``[n, P]`` bool
        - returns ``[n, P, P]`` float32, zero on the diagonal and where either part is missing
    """
    n, width = present.shape
    cosines = np.zeros((n, width, width), dtype=np.float32)
    for p in range(width):
        for q in range(p + 1, width):
            both = np.flatnonzero(present[:, p] & present[:, q])
            between = np.einsum("nd,nd->n", parts[both, p], parts[both, q])
            cosines[both, p, q] = cosines[both, q, p] = between
    return cosines


def shares_of(cosines: Float32, present: NDArray[np.bool_], gates: Gates) -> Float32:
    """The share of every part.

    Shapes:
        - cosines ``[n, P, P]`` float32, from :func:`agreements`
        - present ``[n, P]`` bool
        - returns ``[n, P]`` float32; a row sums to 1, or to 0 where nothing is present
    """
    logits = gates.bias + present.astype(np.float32) @ gates.beside.T
    logits = logits + np.einsum("npq,pq->np", cosines, gates.agreement)
    logits = np.where(present, logits, -np.inf)
    top = logits.max(axis=1, keepdims=True, initial=-np.finfo(np.float32).max)
    weight: Float32 = np.exp(logits - top).astype(np.float32)
    total = weight.sum(axis=1, keepdims=True)
    np.divide(weight, total, out=weight, where=total > 0)
    return weight


def dump_gates(gates: Gates, path: str | Path, *, names: Sequence[str]) -> None:
    """Write gates as JSON, with the names of the parts for whoever reads it.

    Raises:
        ValueError: There are not as many names as parts.
    """
    if len(names) != gates.n_parts:
        raise ValueError(f"{len(names)} names for {gates.n_parts} parts: expected one each")
    trial = gates.trial
    content = {
        "parts": list(names),
        "bias": gates.bias.tolist(),
        "beside": gates.beside.tolist(),
        "agreement": gates.agreement.tolist(),
        "trial": trial
        and {
            "pairs": trial.pairs,
            "recall_fixed": trial.recall_fixed,
            "recall_learned": trial.recall_learned,
            "kept": trial.kept,
        },
    }
    Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load_gates(path: str | Path, *, names: Sequence[str]) -> Gates:
    """Read what :func:`dump_gates` wrote.

    Raises:
        ValueError: The file is missing, holds no gates, or gates of other parts.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        found, trial = content["parts"], content["trial"]
        bias, beside, agreement = (
            np.array(content[name], dtype=np.float32) for name in ("bias", "beside", "agreement")
        )
        gates = Gates(bias, beside, agreement, trial and Trial(**trial))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no gates ({error}): learn them anew") from error
    n = len(names)
    shapes = [bias.shape, beside.shape, agreement.shape]
    if found != list(names) or shapes != [(n,), (n, n), (n, n)]:
        raise ValueError(
            f"{path} has gates {shapes} of {found}, expected those of {list(names)}: "
            "learn them anew"
        )
    return gates
