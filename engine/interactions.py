"""Events as arrays: what the models read."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from retrieval.rerank.facets import FacetKind

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Interactions:
    """Events sorted by user, then time, then order of arrival; ids are rows.

    Shapes: every array is ``[E]``. Timestamps are int64 unix seconds (float32 cannot order
    them). ``place`` is a row of the place vocabulary, where 0 means that none is known.
    """

    user: Ints
    item: Ints
    kind: NDArray[np.int8]
    """Position in :class:`engine.types.EventKind`."""
    at_unix_s: Ints
    value: Floats
    """Quantity or stars; 1.0 where the table has none."""
    session: Ints
    """Basket or visit; unique over all users."""
    place: Ints
    n_users: int
    n_items: int
    n_places: int
    facets: NDArray[np.int16] | None = None
    """Codes of the scene's facets, ``[E, K]``, 0 where not known; None where the run has none."""
    facet_kinds: tuple[FacetKind, ...] = ()
    """The K facets."""

    def __len__(self) -> int:
        return len(self.user)

    def before(self, as_of_unix_s: int) -> Interactions:
        """The events strictly before a moment: the only ones a model may learn from then."""
        return self.where(self.at_unix_s < as_of_unix_s)

    def where(self, mask: NDArray[np.bool_]) -> Interactions:
        """The events that a bool mask ``[E]`` selects, in the same order."""
        arrays = {
            f.name: getattr(self, f.name)[mask]
            for f in fields(self)
            if isinstance(getattr(self, f.name), np.ndarray)
        }
        return replace(self, **arrays)

    def user_offsets(self) -> Ints:
        """Row of each user's first event, int64 ``[U + 1]``."""
        return np.searchsorted(self.user, np.arange(self.n_users + 1)).astype(np.int64)
