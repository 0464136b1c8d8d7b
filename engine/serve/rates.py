"""How often somebody may ask: a token bucket for each key and each address."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from pydantic import BaseModel, ConfigDict, Field

MOST_BUCKETS = 10_000
"""Who has not asked for longest is forgotten first: their bucket would be full by then."""


class Rate(BaseModel):
    """So many requests a second on average, and so many at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_s: float = Field(gt=0, le=1e6, allow_inf_nan=False)
    burst: float = Field(ge=1, le=1e6, allow_inf_nan=False)


class Buckets:
    """One bucket for each name: filled at its rate, emptied by one a request.

    It lives in the process that speaks HTTP and forgets with it.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str, rate: Rate) -> int:
        """Take one token.

        Returns:
            0 if there was one; else the whole seconds until there will be, at least 1.
        """
        now = self._clock()
        level, at = self._levels.pop(name, (rate.burst, now))
        level = min(rate.burst, level + (now - at) * rate.per_s)
        wait = 0 if level >= 1 else max(1, math.ceil((1 - level) / rate.per_s))
        self._levels[name] = (level if wait else level - 1, now)
        if len(self._levels) > MOST_BUCKETS:
            self._levels.popitem(last=False)
        return wait
