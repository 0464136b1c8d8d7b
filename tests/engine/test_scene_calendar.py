"""Holidays, weekends and seasons of several countries."""

from datetime import date

import numpy as np
import pytest

from engine.calendar import (
    EPOCH,
    Season,
    days_since_holiday,
    days_to_holiday,
    is_day_off,
    last_holiday,
    next_holiday,
    season_of,
    weekend_days,
)
from engine.errors import SceneError


def local_s(day: date, hour: int = 12) -> int:
    return (day - EPOCH).days * 86_400 + hour * 3_600


@pytest.mark.parametrize(
    ("day", "country", "ahead", "behind"),
    [
        (date(2026, 12, 25), "US", 0, 0),
        (date(2026, 12, 20), "US", 5, 24),
        (date(2027, 1, 3), "GB", 82, 2),
        (date(2026, 2, 15), "CN", 1, 44),
    ],
)
def test_days_to_and_since_a_holiday(day, country, ahead, behind):
    for hour in (0, 23):
        assert days_to_holiday(local_s(day, hour), country) == ahead
        assert days_since_holiday(local_s(day, hour), country) == behind


def test_without_a_country_nothing_is_known():
    assert np.isnan(days_to_holiday(0, None))
    assert np.isnan(days_since_holiday(0, None))
    with pytest.raises(SceneError, match="no holidays are known for 'Atlantis'"):
        days_since_holiday(0, "Atlantis")


def test_holidays_have_names_and_are_told_from_their_days_off():
    # 4 July 2026 is a Saturday: the day off is the Friday.
    observed = next_holiday(date(2026, 7, 1), "US")
    assert (observed.name, observed.days, observed.observed) == ("Independence Day", 2, True)
    itself = next_holiday(date(2026, 7, 4), "US")
    assert (itself.name, itself.days, itself.observed) == ("Independence Day", 0, False)
    past = last_holiday(date(2026, 12, 27), "DE")
    assert (past.name, past.days) == ("Second Day of Christmas", -1)


def test_weekends_are_the_countrys():
    assert weekend_days("US") == weekend_days(None) == weekend_days("Atlantis") == {5, 6}
    assert weekend_days("SA") == {4, 5}
    friday = date(2026, 11, 20)
    assert is_day_off(friday, "SA")
    assert not is_day_off(friday, "US")
    assert is_day_off(date(2026, 11, 26), "US")
    assert not is_day_off(date(2026, 11, 26), "DE")


@pytest.mark.parametrize(
    ("month", "country", "hemisphere", "season"),
    [
        (1, "DE", None, Season.WINTER),
        (4, "DE", None, Season.SPRING),
        (7, "DE", None, Season.SUMMER),
        (10, "DE", None, Season.AUTUMN),
        (12, "AU", None, Season.SUMMER),
        (6, "AU", None, Season.WINTER),
        (6, "AU", "north", Season.SUMMER),
        (7, "IN", None, Season.WET),
        (2, "IN", None, Season.DRY),
        (1, "ID", None, Season.WET),
        (7, "SG", None, None),
        (7, None, None, None),
        (7, None, "south", Season.WINTER),
    ],
)
def test_seasons(month, country, hemisphere, season):
    assert season_of(date(2026, month, 15), country, hemisphere) == season
