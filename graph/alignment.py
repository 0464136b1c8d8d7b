"""Keep the axes of a later training where those of an earlier one were."""

from __future__ import annotations

import numpy as np

from graph.schema import Floats
from graph.spectral import align


def align_items(items: Floats, like: Floats) -> Floats:
    """Rotate item vectors so that they agree best with earlier ones; no cosine changes.

    Coordinate 0, the popularity, stays as it is (see :mod:`graph.vectors`).

    Args:
        items: float32 ``[I, G]``.
        like: Earlier vectors of the same items, float32 ``[I, G]``.
    """
    rotated = align(items[:, 1:], like[:, 1:])
    return np.concatenate([items[:, :1], rotated], axis=1)
