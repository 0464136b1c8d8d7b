"""Scenes as numbers for the reranker, and as words for the encoder."""

from datetime import date

import numpy as np
import pytest

from engine.calendar import EPOCH
from engine.scene import Scene
from engine.scene_arrays import SCENE_COLUMNS, SCENE_PARTS, scene_arrays
from engine.scene_words import ambience_of, ambience_vector

THURSDAY = (date(2026, 12, 24) - EPOCH).days * 86_400


def columns(scene: Scene, country: str | None = None) -> dict[str, float]:
    """What is known, by name."""
    told = scene_arrays(scene, THURSDAY, country)
    return {
        name: round(float(value), 4)
        for name, value, known in zip(SCENE_COLUMNS, told.values, told.known, strict=True)
        if known
    }


def test_an_empty_scene_knows_only_the_weekend():
    assert columns(Scene()) == {"day_off": 0}


def test_each_field_fills_its_columns():
    told = columns(
        Scene(
            weather="rain",
            temperature=-5,
            device="mobile",
            companions="3 people",
            recipient_age=6,
            price_max=30,
        ),
        "US",
    )
    assert {name: value for name, value in told.items() if value} == {
        "season_winter": 1,
        "holiday_ahead": pytest.approx(np.log(2), abs=1e-4),
        "holiday_behind": pytest.approx(np.log(29), abs=1e-4),
        "weather_rain": 1,
        "temperature": -0.5,
        "device_mobile": 1,
        "companions_group": 1,
        "for_somebody": 1,
        "recipient_age": pytest.approx(np.log(7), abs=1e-4),
        "price_max": pytest.approx(np.log(31), abs=1e-4),
    }
    assert told["weather_snow"] == 0


def test_a_word_without_a_column_is_unknown_rather_than_none_of_them():
    assert columns(Scene(weather="raining frogs")) == columns(Scene())
    assert columns(Scene(country="Atlantis")) == {"day_off": 0}


def test_unknown_is_zero_and_masked():
    told = scene_arrays(Scene(weather="sun"), THURSDAY)
    assert told.values.dtype == np.float32
    assert (told.values[~told.known] == 0).all()
    assert np.isfinite(told.values).all()


def test_hidden_parts_go_as_one_and_as_often_as_asked():
    told = scene_arrays(Scene(weather="rain", temperature=20, device="tablet"), THURSDAY, "US")
    rng = np.random.default_rng(0)
    weather = np.array([name.startswith("weather_") for name in SCENE_COLUMNS])
    seen = [told.hide(rng, 0.3) for _ in range(2_000)]
    shown = np.array([one.known[weather] for one in seen])
    assert (shown.all(axis=1) == shown.any(axis=1)).all()
    assert shown.mean() == pytest.approx(0.7, abs=0.04)
    assert all((one.values[~one.known] == 0).all() for one in seen)
    np.testing.assert_array_equal(told.hide(rng, 0).values, told.values)
    assert not told.hide(rng, 1).known.any()
    with pytest.raises(ValueError, match="expected a probability"):
        told.hide(rng, 1.5)
    assert len(SCENE_PARTS) == 11


def test_surroundings_become_words_that_weigh_less_than_a_wish():
    words = ambience_of(Scene(weather="rain", companions="friends", query="wine"))
    assert [one.field for one in words] == ["weather", "companions"]
    assert "umbrella" in words[0].text
    assert all(0 < one.weight < 1 for one in words)
    assert ambience_of(Scene(query="wine", occasion="birthday")) == ()


def test_temperature_speaks_only_at_its_ends_and_never_over_the_weather():
    def weather(**known):
        return [one.text.split(",")[0] for one in ambience_of(Scene(**known))]

    assert weather(temperature=15) == []
    assert weather(temperature=-2) == ["cold winter day"]
    assert weather(temperature=31) == ["hot summer day"]
    assert weather(temperature=31, weather="rain") == ["rainy day"]
    assert weather(weather="sandstorm") == ["sandstorm weather"]


def test_a_feast_within_the_week_is_told_unless_it_is_the_occasion():
    def feasts(scene, day, country="US"):
        return [one.text for one in ambience_of(scene, day=day, country=country)]

    assert feasts(Scene(), date(2026, 12, 20)) == ["Christmas Day"]
    assert feasts(Scene(), date(2026, 12, 5)) == []
    assert feasts(Scene(country="CN"), date(2026, 9, 20)) == ["Mid-Autumn Festival"]
    assert feasts(Scene(occasion="Christmas Day"), date(2026, 12, 20)) == []
    assert feasts(Scene(), date(2026, 12, 20), "Atlantis") == []


def test_the_ambience_is_as_long_as_its_heaviest_word():
    axes = {"rainy": 0, "sharin": 1}

    def encode(text: str) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[axes[text[:5] if text[0] == "r" else text[:6]]]

    words = ambience_of(Scene(weather="rain", companions="friends"))
    mixed = ambience_vector(words, encode)
    long = np.hypot(0.3, 0.25)
    assert mixed == pytest.approx(np.array([0.3, 0.25, 0]) * 0.3 / long, abs=1e-6)
    assert ambience_vector((), encode) is None
