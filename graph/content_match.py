"""Which content goes with which: new items matched to users by what their content attracts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.schema import Floats, GraphError


@dataclass(frozen=True, slots=True)
class ContentMatch:
    """``c_i · M c_j``: how much item ``i`` speaks for ``j``; ``weights`` M float32 ``[D, D]``."""

    weights: Floats

    def embed_new_items(self, content: Floats) -> Floats:
        """Vectors ``M c`` of items from content ``[B, D]`` alone, float32 ``[B, D]``.

        Their inner product with a user's weighted sum of content is the score. One product: an
        item has its vector as soon as it is known.
        """
        vectors: Floats = content @ self.weights.T
        return vectors


def fit_content_match(
    content: Floats, together: sp.csr_array, known: NDArray[np.bool_], *, ridge: float = 1.0
) -> ContentMatch:
    r"""Learn, from the items that have events, which content draws the same users.

    .. math:: \min_M \sum_{ij} (s_{ij} - c_i^\top M c_j)^2, \qquad
              M = (C^\top C + \rho)^{-1} C^\top S C (C^\top C + \rho)^{-1}

    Plain similarity takes like for like. ``M`` also learns that a shampoo calls for its
    conditioner, and that a shared brand says more than a shared size. An item never stands
    beside itself in ``S``, so there is nothing to copy.

    Args:
        content: Content of all items, float32 ``[I, D]``, rows of zeros where there is none.
        together: How items are touched together, sparse ``[I, I]``, the diagonal empty; such as
            the step of :func:`graph.relation_filter.touched_in_turn`.
        known: Items to learn from, bool ``[I]``.
        ridge: The ``ρ`` above, in items.

    Raises:
        GraphError: An item is together with itself, or no item is known.
    """
    if together.diagonal().any():
        raise GraphError("an item is together with itself: clear the diagonal of together")
    if not known.any():
        raise GraphError("no item is known: there is nothing to learn from")
    shown = np.where(known[:, None], content, np.float32(0))
    gram = (shown.T @ shown).astype(np.float64) + ridge * np.eye(content.shape[1])
    met = shown.T @ (together @ shown)
    weights = np.linalg.solve(gram, np.linalg.solve(gram, met).T).T
    return ContentMatch(weights.astype(np.float32))
