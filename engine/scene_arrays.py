"""A scene as numbers for the reranker: fixed width, unknown parts masked, parts that can be hidden.

Time and place go to the model through :class:`retrieval.rerank.records.Moment`, words and photo
through the encoder; this is the rest. A column that no training data ever filled has taught the
model nothing: such a part acts through :mod:`engine.scene_words` alone until events carry scenes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from engine.calendar import (
    EPOCH,
    Season,
    days_since_holiday,
    days_to_holiday,
    is_day_off,
    season_of,
)
from engine.errors import SceneError
from engine.interactions import Floats
from engine.scene import Scene
from retrieval.rerank.records import DAY_S

WEATHERS = ("rain", "storm", "snow", "hot", "warm", "cold", "wind", "cloud", "fog", "sun", "humid")
DEVICES = ("mobile", "tablet", "desktop", "tv")
COMPANIES = ("alone", "two", "family", "friends", "group")
TEN_DEGREES = 10.0

_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("season", tuple(season.value for season in Season)),
    ("day_off", ("day_off",)),
    ("holiday", ("ahead", "behind")),
    ("weather", WEATHERS),
    ("temperature", ("temperature",)),
    ("device", DEVICES),
    ("companions", COMPANIES),
    ("recipient", ("for_somebody",)),
    ("recipient_age", ("recipient_age",)),
    ("price_min", ("price_min",)),
    ("price_max", ("price_max",)),
)
SCENE_COLUMNS = tuple(
    name if len(names) == 1 else f"{group}_{name}" for group, names in _GROUPS for name in names
)
"""Names of the S columns."""
SCENE_PARTS = tuple(group for group, _ in _GROUPS)
"""Names of what is known or hidden as one."""
_PART_OF_COLUMN = np.array([i for i, (_, names) in enumerate(_GROUPS) for _ in names])
_AT = {
    group: slice(int(start), int(start) + len(names))
    for (group, names), start in zip(
        _GROUPS, np.cumsum([0, *(len(names) for _, names in _GROUPS[:-1])]), strict=True
    )
}


@dataclass(frozen=True, slots=True)
class SceneArrays:
    """One scene; S columns as in ``SCENE_COLUMNS``."""

    values: Floats
    """float32 ``[S]``; 0 where unknown."""
    known: NDArray[np.bool_]
    """bool ``[S]``"""

    def hide(self, rng: np.random.Generator, chance: float) -> SceneArrays:
        """The scene with each part hidden by a coin of its own, as in training.

        Raises:
            ValueError: ``chance`` is no probability.
        """
        if not 0 <= chance <= 1:
            raise ValueError(f"got a chance of {chance}, expected a probability in [0, 1]")
        shown = (rng.random(len(SCENE_PARTS)) >= chance)[_PART_OF_COLUMN]
        return SceneArrays(np.where(shown, self.values, np.float32(0)), self.known & shown)


def scene_arrays(scene: Scene, local_s: int, country: str | None = None) -> SceneArrays:
    """The columns of a scene.

    Args:
        scene: As asked, or as it was recorded with a past event.
        local_s: Its moment on the shop's clock, as seconds.
        country: The shop's, where the scene names none.
    """
    values = np.full(len(SCENE_COLUMNS), np.nan, dtype=np.float32)

    def put(part: str, told: tuple[float, ...] | None) -> None:
        if told is not None:
            values[_AT[part]] = told

    day = date.fromordinal(EPOCH.toordinal() + local_s // DAY_S)
    country = scene.country or country
    put("season", _one_hot(season_of(day, country, scene.hemisphere), tuple(Season)))
    put("day_off", _day_off(day, country))
    put("holiday", _holiday(local_s, country))
    put("weather", _one_hot(scene.weather, WEATHERS))
    put("temperature", _number(scene.temperature, lambda t: t / TEN_DEGREES))
    put("device", _one_hot(scene.device, DEVICES))
    put("companions", _one_hot(_company(scene.companions), COMPANIES))
    is_for_somebody = scene.recipient is not None or scene.recipient_age is not None
    put("recipient", (1.0,) if is_for_somebody else None)
    put("recipient_age", _number(scene.recipient_age, math.log1p))
    put("price_min", _number(scene.price_min, math.log1p))
    put("price_max", _number(scene.price_max, math.log1p))
    known = ~np.isnan(values)
    return SceneArrays(np.where(known, values, np.float32(0)), known)


def _one_hot(value: str | None, choices: tuple[str, ...]) -> tuple[float, ...] | None:
    """None for a word that is not among the choices: its meaning is left to the encoder."""
    word = value.casefold() if value is not None else None
    return tuple(float(word == choice) for choice in choices) if word in choices else None


def _number(value: float | None, scale: Callable[[float], float]) -> tuple[float, ...] | None:
    return None if value is None else (scale(value),)


def _company(companions: str | None) -> str | None:
    if companions is None:
        return None
    word = companions.casefold()
    count = word.removesuffix(" people")
    if count != word and count.isdecimal():
        return {"1": "alone", "2": "two"}.get(count, "group")
    if word in {"alone", "family", "friends", "group"}:
        return word
    kin = {"children", "child", "parents", "son", "daughter", "baby", "mother", "father"}
    pairs = {"wife", "husband", "partner", "girlfriend", "boyfriend", "couple", "friend"}
    return "family" if word in kin else "two" if word in pairs else None


def _day_off(day: date, country: str | None) -> tuple[float, ...]:
    try:
        return (float(is_day_off(day, country)),)
    except SceneError:
        return (float(is_day_off(day, None)),)


def _holiday(local_s: int, country: str | None) -> tuple[float, ...] | None:
    if country is None:
        return None
    try:
        ahead, behind = days_to_holiday(local_s, country), days_since_holiday(local_s, country)
    except SceneError:
        # A country without a calendar: unknown is what the mask is for.
        return None
    return (math.log1p(ahead), math.log1p(behind))
