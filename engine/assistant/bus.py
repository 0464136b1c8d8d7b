"""The candidate bus: items travel between tools here, and never through a model's words.

After InteRecAgent (Huang et al. 2023, arXiv:2308.16505): a tool puts candidates in, the next ones
narrow them step by step, and a model is shown how many are left and the first few.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.recommendation import Recommendation
from engine.types import Item


@dataclass(frozen=True, slots=True)
class Station:
    """One step of the way: what was done, and how many candidates were left."""

    what: str
    left: int


@dataclass(slots=True)
class Bus:
    """Candidates of one request, best first."""

    found: list[Recommendation] = field(default_factory=list)
    way: list[Station] = field(default_factory=list)

    def put(self, found: Sequence[Recommendation], what: str) -> None:
        """Begin with these."""
        self.found = list(found)
        self.way.append(Station(what, len(self.found)))

    def keep(self, fits: Callable[[Item], bool], what: str) -> None:
        """Leave only what fits."""
        self.put([one for one in self.found if fits(one.item)], what)

    def sort(self, key: Callable[[Recommendation], float], what: str) -> None:
        """Put the lowest key first; equal ones keep their order."""
        self.put(sorted(self.found, key=key), what)

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Ids, best first."""
        return tuple(one.item.item_id for one in self.found)
