from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.errors import SceneError
from engine.scene import Scene

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_time_without_a_zone_is_the_shops():
    at = Scene(time="2024-07-01T18:30").at(BERLIN)
    assert at == datetime(2024, 7, 1, 16, 30, tzinfo=UTC)


def test_a_time_with_a_zone_is_the_same_moment_on_the_shops_clock():
    at = Scene(time="2024-01-01T18:30-05:00").at(BERLIN)
    assert at == datetime(2024, 1, 1, 23, 30, tzinfo=UTC)
    assert (at.hour, at.tzinfo) == (0, BERLIN)


def test_no_time_is_now():
    now = datetime(2024, 3, 1, 12, tzinfo=UTC)
    assert Scene().at(BERLIN, now=now) == now
    assert abs(Scene().at(BERLIN) - datetime.now(UTC)) < timedelta(minutes=1)


@given(st.datetimes(), st.sampled_from(["Pacific/Kiritimati", "America/New_York", "UTC"]))
def test_every_time_has_a_moment_in_utc_or_is_refused_by_name(time, zone):
    scene = Scene(time=time)
    if 1900 <= time.year <= 2200:
        at = scene.at(ZoneInfo(zone))
        assert at.astimezone(UTC).timestamp() == at.timestamp()
    else:
        with pytest.raises(SceneError, match=r"scene\.time: got .* from 1900 to 2200"):
            scene.at(ZoneInfo(zone))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time", "half past six"),
        ("time", "2024-13-01"),
        ("place", ""),
        ("place", "x" * 201),
        ("query", ""),
        ("query", "x" * 501),
        ("temperature", 71),
        ("temperature", "warm"),
        ("hemisphere", "east"),
        ("attributes", {"a": 1}),
        ("mood", "cheerful"),
    ],
)
def test_a_field_that_cannot_be_understood_is_refused_by_name(field, value):
    with pytest.raises(ValidationError) as caught:
        Scene(**{field: value})
    assert caught.value.errors()[0]["loc"][0] == field


def test_a_wrong_time_is_told_what_a_right_one_looks_like():
    with pytest.raises(ValidationError, match="got 'soon', expected ISO 8601 such as 2017-12-22T"):
        Scene(time="soon")


def test_a_scene_is_a_value():
    assert Scene(place="a") == Scene(place="a")
    with pytest.raises(ValidationError, match="frozen"):
        Scene(place="a").place = "b"
