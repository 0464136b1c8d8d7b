from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from engine.dataset import Dataset, DatasetSettings, write_dataset
from engine.demo.run import cut_unix_s, demo_config
from engine.errors import DataError
from engine.moments import end_of_data, read_moment, weeks_before_end

NEW_YORK = ZoneInfo("America/New_York")


def dataset(folder: Path, *moments: str) -> Dataset:
    return write_dataset(
        folder,
        DatasetSettings(name="shop", time_zone="America/New_York"),
        items=pl.DataFrame({"item_id": ["a"], "title": ["A"]}),
        events=pl.DataFrame(
            {
                "user_id": ["ann"] * len(moments),
                "item_id": ["a"] * len(moments),
                "kind": ["purchase"] * len(moments),
                "timestamp": [datetime.fromisoformat(moment) for moment in moments],
            },
            schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
        ),
    )


@pytest.mark.parametrize(
    ("text", "in_utc"),
    [
        ("2017-12-04", "2017-12-04T05:00"),
        ("2017-07-04", "2017-07-04T04:00"),
        ("2017-12-04T18:30", "2017-12-04T23:30"),
        ("2017-12-04T18:30+01:00", "2017-12-04T17:30"),
    ],
)
def test_a_moment_is_of_the_shop_unless_it_says_otherwise(text, in_utc):
    assert read_moment(text, NEW_YORK) == datetime.fromisoformat(in_utc).replace(tzinfo=UTC)


def test_an_unreadable_moment_shows_how_to_write_one():
    with pytest.raises(DataError, match=r"'4\.12\.2017', expected a date .* 2017-12-04"):
        read_moment("4.12.2017", NEW_YORK)


def test_everything_lies_before_the_end_of_the_data(tmp_path):
    shop = dataset(tmp_path, "2017-12-31T04:00:00.500+00:00", "2017-03-01T00:00+00:00")
    assert end_of_data(shop) == datetime(2017, 12, 31, 4, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "weeks", "midnight"),
    [
        ("2018-01-01T04:59:59+00:00", 4, "2017-12-04T05:00"),  # the last second of 2017 there
        ("2018-01-01T05:00:00+00:00", 4, "2017-12-05T05:00"),  # the first of 2018
        ("2017-11-20T12:00+00:00", 4, "2017-10-24T04:00"),  # through the change of the clocks
    ],
)
def test_weeks_are_counted_in_days_of_the_shop(tmp_path, last, weeks, midnight):
    shop = dataset(tmp_path, last)
    expected = datetime.fromisoformat(midnight).replace(tzinfo=UTC)
    assert weeks_before_end(shop, weeks) == expected
    first_day = expected.astimezone(NEW_YORK).date()
    last_day = datetime.fromisoformat(last).astimezone(NEW_YORK).date()
    assert last_day - first_day == timedelta(weeks=weeks, days=-1)


def test_a_dataset_without_events_has_no_end(tmp_path):
    with pytest.raises(DataError, match="no events"):
        end_of_data(dataset(tmp_path))


def test_the_demo_is_cut_on_a_monday_at_midnight_in_new_york():
    assert cut_unix_s() == 1_512_363_600
    assert demo_config().min_users == 5
