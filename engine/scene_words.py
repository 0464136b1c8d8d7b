"""What surrounds a shopper, as words for the text encoder: it acts before anything is learned.

No data set here records weather or company beside its purchases, so the reranker cannot learn
what rain does to a list. The encoder knows: "rainy day" lies near umbrellas. These words count
little beside a wish that the shopper typed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from engine.calendar import next_holiday
from engine.errors import SceneError
from engine.interactions import Floats
from engine.scene import Scene

Encode = Callable[[str], Floats]
"""A text to its unit vector, float32 ``[D]``."""

WEATHER_WEIGHT = 0.3
COMPANY_WEIGHT = 0.25
SETTING_WEIGHT = 0.25
HOLIDAY_WEIGHT = 0.2
HOLIDAY_WITHIN_DAYS = 7
COLD_BELOW, HOT_FROM = 5.0, 27.0
"""Degrees Celsius at which the temperature alone makes the weather."""

WEATHER_WORDS = {
    "rain": "rainy day, umbrella, raincoat, hot soup",
    "storm": "stormy weather, candles, batteries, staying in",
    "snow": "snowy winter day, warm gloves, hot chocolate",
    "hot": "hot summer day, ice cream, cold drinks, sun protection",
    "warm": "warm day, light clothes, fresh salad, outdoors",
    "cold": "cold winter day, hot drinks, soup, warm clothes",
    "wind": "windy day, windbreaker, warm hat",
    "cloud": "grey day, comfort food",
    "fog": "foggy day, reflective light",
    "sun": "sunny day, sunglasses, sun cream, barbecue",
    "humid": "hot humid day, light clothes, cold drinks",
}
COMPANY_WORDS = {
    "alone": "for one person, single portion",
    "family": "family meal, family pack",
    "friends": "sharing with friends, snacks and drinks",
    "friend": "sharing with a friend",
    "children": "for children, kids",
    "2 people": "for two people",
}
SETTING_WORDS = {
    "beach": "day at the beach, sun cream, cold drinks, towel",
    "outdoors": "picnic outdoors, snacks to take along",
    "office": "lunch at the office, snacks, coffee",
    "home": "evening at home",
    "mountains": "hiking in the mountains, trail snacks, water bottle",
}


@dataclass(frozen=True, slots=True)
class SceneWords:
    """Words that a field of the scene stands for."""

    field: str
    text: str
    weight: float
    """Beside 1 for a typed wish."""


def ambience_of(
    scene: Scene, *, day: date | None = None, country: str | None = None
) -> tuple[SceneWords, ...]:
    """Words for everything around the wish, heaviest first; what the wish holds is not repeated.

    Args:
        scene: As asked.
        day: On the shop's calendar, for the holiday ahead; None tells none.
        country: The shop's, where the scene names none.
    """
    found = []
    weather = scene.weather or _weather_of(scene.temperature)
    if weather is not None:
        text = WEATHER_WORDS.get(weather.casefold(), f"{weather} weather")
        found.append(SceneWords("weather", text, WEATHER_WEIGHT))
    if scene.companions is not None:
        text = COMPANY_WORDS.get(scene.companions.casefold(), f"with {scene.companions}")
        found.append(SceneWords("companions", text, COMPANY_WEIGHT))
    if "setting" in scene.attributes:
        setting = scene.attributes["setting"]
        text = SETTING_WORDS.get(setting.casefold(), setting)
        found.append(SceneWords("setting", text, SETTING_WEIGHT))
    feast = _feast_ahead(day, scene.country or country)
    if feast is not None and feast != scene.occasion:
        found.append(SceneWords("time", feast, HOLIDAY_WEIGHT))
    return tuple(sorted(found, key=lambda words: -words.weight))


def ambience_vector(words: tuple[SceneWords, ...], encode: Encode) -> Floats | None:
    """One vector of all the words, float32 ``[D]``; None where there are none.

    Its length is the heaviest weight, below 1, so that what it adds to a score stays small beside
    a wish of length 1, however many things are known.
    """
    if not words:
        return None
    mixed = sum((one.weight * encode(one.text) for one in words), np.float32(0))
    length = float(np.linalg.norm(mixed))
    if length == 0:
        return None
    return np.asarray(mixed * (max(one.weight for one in words) / length), dtype=np.float32)


def _weather_of(temperature: float | None) -> str | None:
    if temperature is None or COLD_BELOW < temperature < HOT_FROM:
        return None
    return "cold" if temperature <= COLD_BELOW else "hot"


def _feast_ahead(day: date | None, country: str | None) -> str | None:
    if day is None or country is None:
        return None
    try:
        feast = next_holiday(day, country)
    except SceneError:
        # A scene may name a country without a calendar; the request itself tells of it.
        return None
    is_near = feast is not None and feast.days <= HOLIDAY_WITHIN_DAYS and not feast.observed
    return feast.name if feast is not None and is_near else None
