"""Public holidays of any country, as the scene sees them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache

import holidays
import numpy as np

from engine.errors import SceneError
from engine.interactions import Ints
from retrieval.rerank.records import DAY_S

EPOCH = date(1970, 1, 1)


def days_to_holiday(local_s: int, country: str | None) -> float:
    """Whole days to the next public holiday, 0 on one; NaN where no country is known.

    Args:
        local_s: A moment on the shop's clock, as seconds.
        country: ISO 3166 code.

    Raises:
        SceneError: No calendar of that country is known.
    """
    if country is None:
        return float("nan")
    day = local_s // DAY_S
    year = datetime.fromtimestamp(local_s, UTC).year
    days = _holidays(country, year)
    at = int(np.searchsorted(days, day))
    return float(days[at] - day) if at < len(days) else float("nan")


@lru_cache(maxsize=1024)
def _holidays(country: str, year: int) -> Ints:
    """Day numbers of a year's holidays and the next year's, ascending."""
    try:
        known = holidays.country_holidays(country, years=(year, year + 1))
    except NotImplementedError as error:
        raise SceneError(
            "country", f"no holidays are known for {country!r}; give an ISO 3166 code such as US"
        ) from error
    return np.array(sorted((day - EPOCH).days for day in known), dtype=np.int64)
