"""What the reranker reads: a history, a moment, the items. Arrays only; ids are rows."""

from __future__ import annotations

import builtins
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class History:
    """What one user did before a moment, oldest first. Every array is ``[H]``."""

    item: Ints
    at_unix_s: Ints
    local_s: Ints
    """The same moments on the shop's clock (unix seconds plus the zone's offset then)."""
    session: Ints
    place: Ints
    """Row of the place vocabulary, 0 where none is known."""
    value: Floats
    kind: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.item)

    def where(self, mask: Bools) -> History:
        """The events that a bool mask ``[H]`` selects, in the same order."""
        return self._take(mask)

    def slice(self, start: int, stop: int) -> History:
        """Events ``start`` to ``stop``, without a copy."""
        return self._take(builtins.slice(start, stop))

    def _take(self, which: Bools | builtins.slice) -> History:
        return History(
            self.item[which],
            self.at_unix_s[which],
            self.local_s[which],
            self.session[which],
            self.place[which],
            self.value[which],
            self.kind[which],
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where a request is made."""

    at_unix_s: int
    local_s: int
    place: int = 0
    """Row of the place vocabulary, 0 where none is known."""
    to_holiday_days: float = math.nan
    """Whole days to the next public holiday, 0 on one; NaN where no calendar is known."""
    facets: tuple[int, ...] = ()
    """Code of the scene's value per facet of the run, 0 where it does not tell; empty for a scene
    that tells of none."""

    @property
    def hour(self) -> float:
        """Local hour of the day, in [0, 24)."""
        return (self.local_s % DAY_S) / 3600

    @property
    def weekday(self) -> int:
        """0 is Monday (the unix epoch was a Thursday)."""
        return (self.local_s // DAY_S + 3) % 7


@dataclass(frozen=True, slots=True)
class ItemTable:
    """What is known of every item before anyone touches it."""

    groups: Ints
    """``[G, I]``: code of the group that each item belongs to, per way of grouping: the
    category at several depths, the maker, ..."""
    n_groups: tuple[int, ...]
    """Number of codes per way of grouping."""
    log_price: Floats
    """``[I]``, natural logarithm; NaN where no price is known."""
    recommendable: Bools
    """``[I]``"""

    def __len__(self) -> int:
        return len(self.recommendable)
