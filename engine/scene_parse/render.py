"""A scene in words that read back as the same scene."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from engine.scene import Scene
from engine.scene_parse.budget import CODES_IN_WORDS
from engine.scene_parse.keyed import TEXT_FIELDS, quoted
from engine.scene_parse.read import read_scene

_ADJECTIVES = {
    "rain": "raining", "storm": "stormy", "snow": "snowing", "wind": "windy", "cloud": "cloudy",
    "fog": "foggy", "sun": "sunny",
}  # fmt: skip
_DEVICES = {"mobile": "on my phone", "tablet": "on my tablet", "desktop": "on my computer"}

_ANY_DAY = datetime(2026, 1, 7)


def render(scene: Scene) -> str:
    """The scene as text; photo and attributes other than ``setting`` are not told.

    ``Scene.parse(render(scene), now=any)`` is the scene again, its time to the minute and on the
    clock of ``now``.
    """
    return ", ".join(_phrases(scene))


def _phrases(scene: Scene) -> Iterator[str]:
    if scene.query is not None:
        yield quoted(" ".join(scene.query.split()))
    if scene.time is not None:
        yield f"{scene.time:%Y-%m-%d %H:%M}"
    if scene.temperature is not None:
        yield f"{scene.temperature:.2f}".rstrip("0").rstrip(".") + "°C"
    if scene.recipient_age is not None:
        yield f"{_plain(scene.recipient_age)}-year-old"
    if scene.price_min is not None or scene.price_max is not None:
        yield _prices(scene)
    if scene.currency is not None and not _is_said_with_price(scene):
        yield f"currency: {quoted(scene.currency)}"
    for field in TEXT_FIELDS:
        value = scene.attributes.get(field) if field == "setting" else getattr(scene, field)
        if value is not None and field != "currency":
            yield _text(field, value, is_dated=scene.time is not None)


def _text(field: str, value: str, *, is_dated: bool) -> str:
    """The natural words for a value where they read back as it, else the field's name and it."""
    natural = {
        "weather": _ADJECTIVES.get(value, f"it's {value}"),
        "occasion": value,
        "recipient": f"for {value}",
        "companions": "alone" if value == "alone" else f"with {value}",
        "device": _DEVICES.get(value, value),
    }.get(field)
    if natural is not None:
        alone = read_scene(natural, now=_ANY_DAY).scene
        # Next to a date the name of a feast tells no other day.
        untold = {"attributes", "time"} if is_dated else {"attributes"}
        told = alone.model_dump(exclude_none=True, exclude=untold)
        if told == {field: value}:
            return natural
    return f"{field}: {quoted(value)}"


def _prices(scene: Scene) -> str:
    lowest, highest = scene.price_min, scene.price_max
    unit = f" {scene.currency}" if _is_said_with_price(scene) else ""
    if lowest is None:
        return f"under {_plain(highest or 0)}{unit}"
    if highest is None:
        return f"over {_plain(lowest)}{unit}"
    return f"between {_plain(lowest)} and {_plain(highest)}{unit}"


def _is_said_with_price(scene: Scene) -> bool:
    has_price = scene.price_min is not None or scene.price_max is not None
    return has_price and scene.currency in CODES_IN_WORDS


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
