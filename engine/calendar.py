"""The calendar of any country, as the scene sees it: holidays, weekends, seasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Literal

import holidays
import numpy as np

from engine.errors import SceneError
from engine.interactions import Ints
from retrieval.rerank.records import DAY_S

EPOCH = date(1970, 1, 1)
SATURDAY, SUNDAY = 5, 6

_SOUTH = frozenset(
    [
        "AR",
        "AU",
        "BO",
        "BR",
        "BW",
        "CL",
        "FJ",
        "LS",
        "MG",
        "MU",
        "MW",
        "MZ",
        "NA",
        "NZ",
        "PE",
        "PY",
        "RE",
        "SZ",
        "TO",
        "UY",
        "VU",
        "WS",
        "ZA",
        "ZM",
        "ZW",
    ]
)
"""Countries that lie south of the equator, most of their people outside the tropics' rains."""
_RAINS = {
    **dict.fromkeys(["BD", "BT", "IN", "LK", "MM", "NP", "PK"], range(6, 10)),
    **dict.fromkeys(["KH", "LA", "PH", "TH", "VN"], range(5, 11)),
    **dict.fromkeys(["BF", "GH", "GM", "ML", "NE", "NG", "SD", "SN", "TD"], range(5, 11)),
    **dict.fromkeys(["CR", "GT", "HN", "NI", "PA", "SV"], range(5, 12)),
    **dict.fromkeys(["AO", "ID", "TL", "TZ"], (11, 12, 1, 2, 3, 4)),
}
"""Months of rain where the year has a wet and a dry half rather than a summer and a winter."""
_ALWAYS_WET = frozenset(["BN", "EC", "GA", "GQ", "KI", "MV", "MY", "NR", "PG", "SB", "SG", "ST"])
"""So near the equator that no season is told."""


class Season(StrEnum):
    """What the year is doing."""

    SPRING = "spring"
    SUMMER = "summer"
    AUTUMN = "autumn"
    WINTER = "winter"
    WET = "wet"
    DRY = "dry"


@dataclass(frozen=True, slots=True)
class Holiday:
    """A public holiday near a day."""

    name: str
    """In English where the calendar has it in English."""
    days: int
    """Whole days from the day asked about: 0 on it, negative where it is past."""
    observed: bool
    """A day off in place of the holiday itself, which fell on a day that was free anyway."""


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
    days = _day_numbers(country, datetime.fromtimestamp(local_s, UTC).year)
    at = int(np.searchsorted(days, day))
    return float(days[at] - day) if at < len(days) else float("nan")


def days_since_holiday(local_s: int, country: str | None) -> float:
    """Whole days since the last public holiday, 0 on one; NaN where no country is known.

    Args:
        local_s: A moment on the shop's clock, as seconds.
        country: ISO 3166 code.

    Raises:
        SceneError: No calendar of that country is known.
    """
    if country is None:
        return float("nan")
    day = local_s // DAY_S
    days = _day_numbers(country, datetime.fromtimestamp(local_s, UTC).year - 1)
    at = int(np.searchsorted(days, day, side="right")) - 1
    return float(day - days[at]) if at >= 0 else float("nan")


def next_holiday(day: date, country: str) -> Holiday | None:
    """The first public holiday from a day on; None at the end of what the calendar knows.

    Raises:
        SceneError: No calendar of that country is known.
    """
    named = _named(country, day.year)
    at = min((known for known in named if known >= day), default=None)
    return None if at is None else _holiday(named[at], (at - day).days)


def last_holiday(day: date, country: str) -> Holiday | None:
    """The last public holiday up to a day, with ``days`` at most 0.

    Raises:
        SceneError: No calendar of that country is known.
    """
    named = _named(country, day.year - 1)
    at = max((known for known in named if known <= day), default=None)
    return None if at is None else _holiday(named[at], (at - day).days)


def weekend_days(country: str | None) -> frozenset[int]:
    """Weekdays that are free: {5, 6} is Saturday and Sunday, and so where nothing is known."""
    try:
        return _weekend(country) if country else frozenset((SATURDAY, SUNDAY))
    except SceneError:
        return frozenset((SATURDAY, SUNDAY))


def is_day_off(day: date, country: str | None) -> bool:
    """A day of the weekend or a public holiday; without a country, of the weekend.

    Raises:
        SceneError: No calendar of that country is known.
    """
    if day.weekday() in weekend_days(country):
        return True
    return country is not None and day in _named(country, day.year)


def season_of(
    day: date, country: str | None = None, hemisphere: Literal["north", "south"] | None = None
) -> Season | None:
    """The season of a day, by meteorological months.

    Args:
        day: On the shop's calendar.
        country: ISO 3166 code: tells the hemisphere, and where seasons are a wet and a dry one.
        hemisphere: Outranks the country.

    Returns:
        None where the country has no seasons, and where neither is known.
    """
    if hemisphere is None:
        if country is None or country in _ALWAYS_WET or not _is_known(country):
            return None
        if country in _RAINS:
            return Season.WET if day.month in _RAINS[country] else Season.DRY
        hemisphere = "south" if country in _SOUTH else "north"
    ahead = 6 if hemisphere == "south" else 0
    quarter = (day.month + ahead) % 12 // 3
    return (Season.WINTER, Season.SPRING, Season.SUMMER, Season.AUTUMN)[quarter]


def holiday_dates(country: str, year: int, language: str = "en_US") -> dict[date, tuple[str, ...]]:
    """Names of every holiday of a year, those kept only by custom too, as people write them.

    Args:
        country: ISO 3166 code.
        year: Of the common era.
        language: Of the names, where the calendar has them in it; else its own.

    Raises:
        SceneError: No calendar of that country is known.
    """
    return _all_names(country, year, language)


def _is_known(country: str) -> bool:
    try:
        return bool(_weekend(country))
    except SceneError:
        return False


def _holiday(name: str, days: int) -> Holiday:
    certain = name.replace(" (estimated)", "")
    plain = certain.replace(" (observed)", "")
    return Holiday(plain, days, observed=plain != certain or plain.startswith("Day off"))


@lru_cache(maxsize=1024)
def _day_numbers(country: str, year: int) -> Ints:
    """Day numbers of a year's holidays and the next year's, ascending."""
    known = sorted((day - EPOCH).days for day in _named(country, year))
    return np.array(known, dtype=np.int64)


@lru_cache(maxsize=1024)
def _named(country: str, year: int) -> dict[date, str]:
    """Public holidays of a year and of the next."""
    return dict(_calendar(country, (year, year + 1)).items())


@lru_cache(maxsize=256)
def _all_names(country: str, year: int, language: str) -> dict[date, tuple[str, ...]]:
    known = _calendar(country, (year,), language=language, with_customs=True)
    return {day: tuple(known.get_list(day)) for day in known}


@lru_cache(maxsize=256)
def _weekend(country: str) -> frozenset[int]:
    return frozenset(_calendar(country, ()).weekend)


def _calendar(
    country: str, years: tuple[int, ...], *, language: str = "en_US", with_customs: bool = False
) -> holidays.HolidayBase:
    try:
        known = holidays.country_holidays(country)
        categories = {"public", "unofficial", "optional", "school"} & set(
            known.supported_categories
        )
        wanted = tuple(sorted(categories)) if with_customs and "public" in categories else None
        return holidays.country_holidays(
            country,
            years=[year for year in years if known.start_year <= year <= known.end_year],
            language=language if language in known.supported_languages else known.default_language,
            categories=wanted,
        )
    except NotImplementedError as error:
        raise SceneError(
            "country", f"no holidays are known for {country!r}; give an ISO 3166 code such as US"
        ) from error
