"""A scene out of HTTP headers: language, device, time zone and country.

Headers come from anybody. What is malformed is left out and told, and nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from engine.scene import MAX_YEAR, MIN_YEAR, Scene

Reader = Callable[[str], str | None]

COUNTRY_HEADERS = (
    "x-country",
    "cf-ipcountry",
    "cloudfront-viewer-country",
    "x-vercel-ip-country",
    "x-appengine-country",
)
"""Where reverse proxies write the country they looked up, the shop's own name first."""
ZONE_HEADERS = ("x-timezone", "x-time-zone", "time-zone", "cf-timezone", "x-vercel-ip-timezone")
MAX_VALUE_CHARS = 1_000
_TOLD_CHARS = 80
_NOWHERE = {"XX", "ZZ", "T1", "A1", "A2", "O1", "AP", "EU"}
"""Codes for "unknown", for anonymous networks and for regions that are no country."""

_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_QUALITY = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_ROBOT = re.compile(r"bot\b|crawl|spider|curl/|wget/|python|httpx|headless", re.IGNORECASE)
_DEVICES = (
    ("tv", re.compile(r"smart-?tv|appletv|googletv|hbbtv|web0s|tizen.*tv", re.IGNORECASE)),
    ("tablet", re.compile(r"ipad|tablet|kindle|silk/|android(?!.*mobile)", re.IGNORECASE)),
    ("mobile", re.compile(r"mobi|iphone|ipod|android|windows phone", re.IGNORECASE)),
    ("desktop", re.compile(r"windows nt|macintosh|x11|cros |linux x86", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A header that said nothing usable."""

    header: str
    """Its name, in small letters."""
    value: str
    """What it said, cut short."""
    why: str


@dataclass(frozen=True, slots=True)
class HeaderScene:
    """What the headers tell of the moment."""

    scene: Scene
    ignored: tuple[Ignored, ...]


def scene_from_headers(
    headers: Mapping[str, str], now: datetime, geo: str | None = None
) -> HeaderScene:
    """Open a scene from a request's headers.

    The region of a language is no country ("en-US" is read all over the world), so it tells none.

    Args:
        headers: Names in any case.
        now: The moment of the request, aware; told on the shopper's clock where the headers name
            a zone.
        geo: ISO 3166 code that the caller looked up; outranks the headers.
    """
    plain, ignored = _readable(headers)
    zone = _first(plain, ZONE_HEADERS, _zone, ignored)
    time = _on_clock(now, zone, ignored)
    country = _country(geo) if geo else None
    if geo and country is None:
        ignored.append(_ignored("geo", geo, "expected an ISO 3166 code of two letters such as DE"))
    country = country or _first(plain, COUNTRY_HEADERS, _country, ignored)
    return HeaderScene(
        Scene(
            time=time,
            country=country,
            locale=_first(plain, ("accept-language",), _locale, ignored),
            device=_device(plain, ignored),
            attributes={"time_zone": zone} if zone else {},
        ),
        tuple(ignored),
    )


def _readable(headers: Mapping[str, str]) -> tuple[dict[str, str], list[Ignored]]:
    plain: dict[str, str] = {}
    ignored: list[Ignored] = []
    for name, value in headers.items():
        key = str(name).casefold()
        if key not in SCENE_HEADERS:
            continue
        if not isinstance(value, str) or len(value) > MAX_VALUE_CHARS:
            why = f"expected text of at most {MAX_VALUE_CHARS} characters"
            ignored.append(_ignored(key, str(value), why))
        else:
            plain[key] = value.strip()
    return plain, ignored


def _first(
    plain: Mapping[str, str], names: tuple[str, ...], read: Reader, ignored: list[Ignored]
) -> str | None:
    """What the first of some headers says that says anything; those before it are told."""
    for name in names:
        value = plain.get(name)
        if not value:
            continue
        found = read(value)
        if found is not None:
            return found
        ignored.append(_ignored(name, value, _EXPECTED[read]))
    return None


def _country(value: str) -> str | None:
    code = value.strip().upper()
    return code if re.fullmatch("[A-Z]{2}", code) and code not in _NOWHERE else None


def _zone(value: str) -> str | None:
    if len(value) > 64 or not _ZONE.fullmatch(value):
        return None
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, OSError):
        # No such zone, or the name of a folder of zones such as "America".
        return None


def _locale(value: str) -> str | None:
    """The tag of the highest quality; the earlier of two alike."""
    best, best_quality = None, 0.0
    for tag, quality in _languages(value):
        if quality > best_quality:
            best, best_quality = tag, quality
    return best


def _languages(value: str) -> Iterator[tuple[str, float]]:
    for part in value.split(",")[:50]:
        tag, _, parameter = (text.strip() for text in part.partition(";"))
        quality = _QUALITY.fullmatch(parameter.replace(" ", "")) if parameter else None
        if _TAG.fullmatch(tag) and len(tag) <= 35 and (quality or not parameter):
            yield _written(tag), float(quality[1]) if quality else 1.0


def _written(tag: str) -> str:
    """A tag as it is usually written: zh-Hans-CN."""
    language, *others = tag.split("-")
    shaped = [
        part.title() if len(part) == 4 else part.upper() if len(part) == 2 else part.lower()
        for part in others
    ]
    return "-".join([language.lower(), *shaped])


def _device(plain: Mapping[str, str], ignored: list[Ignored]) -> str | None:
    factors = plain.get("sec-ch-ua-form-factors", "").casefold()
    for device in ("tablet", "mobile", "desktop"):
        if f'"{device}"' in factors:
            return device
    agent = plain.get("user-agent", "")
    is_robot = _ROBOT.search(agent) is not None
    by_agent = next((name for name, words in _DEVICES if words.search(agent)), None)
    hint = plain.get("sec-ch-ua-mobile")
    if hint == "?1":
        return "mobile"
    if hint == "?0":
        return by_agent if by_agent in {"tablet", "tv"} and not is_robot else "desktop"
    if hint:
        ignored.append(_ignored("sec-ch-ua-mobile", hint, "expected ?0 or ?1"))
    if agent and (is_robot or by_agent is None):
        why = "a program's, not a shopper's" if is_robot else "names no device that is known here"
        ignored.append(_ignored("user-agent", agent, why))
        return None
    return by_agent


def _on_clock(now: datetime, zone: str | None, ignored: list[Ignored]) -> datetime | None:
    if not MIN_YEAR < now.year < MAX_YEAR:
        ignored.append(_ignored("now", str(now), f"expected a year of {MIN_YEAR} to {MAX_YEAR}"))
        return None
    if zone is None:
        return now
    if now.tzinfo is None:
        ignored.append(_ignored("now", str(now), "has no zone: it stays on the shop's clock"))
        return now
    return now.astimezone(ZoneInfo(zone))


def _ignored(header: str, value: str, why: str) -> Ignored:
    shown = value if len(value) <= _TOLD_CHARS else value[:_TOLD_CHARS] + "…"
    return Ignored(header, shown, why)


_DEVICE_HEADERS = ("user-agent", "sec-ch-ua-mobile", "sec-ch-ua-form-factors")
SCENE_HEADERS = frozenset({*COUNTRY_HEADERS, *ZONE_HEADERS, *_DEVICE_HEADERS, "accept-language"})
"""Every header that is read, in small letters."""
_EXPECTED: dict[Reader, str] = {
    _zone: "expected an IANA zone such as Europe/Berlin",
    _country: "expected an ISO 3166 code of two letters such as DE",
    _locale: "expected language tags such as en-GB, en;q=0.8",
}
