"""A scene from what a browser sends, and from what it should not send."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.scene_headers import COUNTRY_HEADERS, ZONE_HEADERS, scene_from_headers

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0"
IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) {APPLE} Mobile/15E148"
IPAD = f"Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) {APPLE} Mobile/15E148"
PIXEL = f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {CHROME} Mobile Safari/537.36"
GALAXY_TAB = f"Mozilla/5.0 (Linux; Android 13; SM-X906C) {CHROME} Safari/537.36"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36"


def test_everything_a_browser_says_at_once():
    told = scene_from_headers(
        {
            "Accept-Language": "zh-cn,en;q=0.8",
            "User-Agent": IPHONE,
            "X-Timezone": "Asia/Shanghai",
            "CF-IPCountry": "CN",
            "Cookie": "secret",
        },
        NOW,
    )
    assert told.ignored == ()
    scene = told.scene
    assert (scene.locale, scene.device, scene.country) == ("zh-CN", "mobile", "CN")
    assert scene.time == NOW
    assert scene.time.hour == 23
    assert scene.attributes == {"time_zone": "Asia/Shanghai"}
    assert "secret" not in scene.model_dump_json()


def test_nothing_said_is_a_bare_moment():
    told = scene_from_headers({}, NOW)
    assert told.scene.model_dump(exclude_none=True) == {"time": NOW, "attributes": {}}


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (IPHONE, "mobile"),
        (IPAD, "tablet"),
        (PIXEL, "mobile"),
        (GALAXY_TAB, "tablet"),
        (WINDOWS, "desktop"),
        ("curl/8.4.0", None),
        ("Googlebot/2.1", None),
        ("", None),
    ],
)
def test_devices(agent, device):
    told = scene_from_headers({"user-agent": agent}, NOW)
    assert told.scene.device == device
    assert bool(told.ignored) == (device is None and agent != "")


@pytest.mark.parametrize(
    ("headers", "device"),
    [
        ({"Sec-CH-UA-Mobile": "?1", "User-Agent": WINDOWS}, "mobile"),
        ({"Sec-CH-UA-Mobile": "?0", "User-Agent": WINDOWS}, "desktop"),
        ({"Sec-CH-UA-Mobile": "?0", "User-Agent": GALAXY_TAB}, "tablet"),
        ({"Sec-CH-UA-Mobile": "yes", "User-Agent": PIXEL}, "mobile"),
        ({"Sec-CH-UA-Form-Factors": '"Tablet"', "Sec-CH-UA-Mobile": "?1"}, "tablet"),
    ],
)
def test_client_hints_outrank_the_user_agent(headers, device):
    assert scene_from_headers(headers, NOW).scene.device == device


@pytest.mark.parametrize(
    ("value", "locale"),
    [
        ("en-GB", "en-GB"),
        ("de;q=0.5, fr;q=0.9, *;q=0.1", "fr"),
        ("en, de", "en"),
        ("EN-us", "en-US"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("*", None),
        ("de;q=0", None),
        ("de;q=2, es;q=0.1", "es"),
        ("ein deutscher", None),
        ("de\r\nSet-Cookie: a", None),
    ],
)
def test_the_language_that_is_liked_best(value, locale):
    told = scene_from_headers({"Accept-Language": value}, NOW)
    assert told.scene.locale == locale
    assert [i.header for i in told.ignored] == ([] if locale else ["accept-language"])


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "../../etc/passwd", "America", "/etc/passwd", "Europe/Berlin\x00", "9"]
)
def test_a_zone_that_is_none_is_told_and_left_out(zone):
    told = scene_from_headers({"X-Timezone": zone}, NOW)
    assert told.scene.time == NOW
    assert told.scene.attributes == {}
    assert [(i.header, i.value) for i in told.ignored] == [("x-timezone", zone)]
    assert "Europe/Berlin" in told.ignored[0].why


def test_countries():
    def country(headers, geo=None):
        return scene_from_headers(headers, NOW, geo).scene.country

    assert country({"CF-IPCountry": "de"}) == "DE"
    assert country({"CF-IPCountry": "XX"}) is None
    assert country({"CF-IPCountry": "T1", "X-Vercel-IP-Country": "FR"}) == "FR"
    assert country({"CF-IPCountry": "DE"}, geo="FR") == "FR"
    assert country({"CF-IPCountry": "DE"}, geo="France") == "DE"
    assert country({"Accept-Language": "en-US"}) is None


NAMES = [*COUNTRY_HEADERS, *ZONE_HEADERS, "accept-language", "user-agent", "Sec-CH-UA-Mobile", "a"]


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES), st.text(max_size=80) | st.binary(max_size=9)),
    st.datetimes() | st.datetimes(timezones=st.just(UTC)),
    st.none() | st.text(max_size=4),
)
def test_no_header_raises_and_every_one_is_used_or_told(headers, now, geo):
    told = scene_from_headers(headers, now, geo)
    for ignored in told.ignored:
        assert ignored.why
        assert len(ignored.value) <= 81
    is_known = told.scene.locale is not None
    language = headers.get("accept-language")
    is_said = isinstance(language, bytes) or bool(language and language.strip())
    given_and_unused = is_said and not is_known
    assert given_and_unused == ("accept-language" in {i.header for i in told.ignored})
