"""Facets of a shop's scenes: which fields of its events have few values, and their codes.

A field becomes a facet when at least two of its values come often enough to be learned from.
Words are compared without case; a temperature is a band. Nothing is a facet by its name alone: a
shop whose events tell of no weather has no weather.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from engine.scene import Scene
from retrieval.rerank.facets import SEASONS, Codes, FacetKind, season_of
from retrieval.rerank.records import DAY_S

FIELDS = ("occasion", "weather", "device", "companions", "country")
"""Columns of the events that hold a word of the scene."""
TEMPERATURE = "temperature"
BANDS = ("freezing", "cold", "mild", "warm", "hot")
BAND_EDGES_CELSIUS = (0.0, 10.0, 18.0, 26.0)
"""Where each band but the first begins, in degrees Celsius."""
SEASON = "season"
SEASON_FROM_DAYS = 370
"""Days of events from which on the season is a facet: a year must have begun again."""
ATTRIBUTE = "attribute "
"""Prefix of a facet that is a key of the free attributes."""
MIN_EVENTS = 20
"""Events of a value, at least, for anything to be learned of it."""
MAX_VALUES = 50
"""Values of a facet, the commonest first; the rest are unknown."""
MAX_ATTRIBUTES = 8
"""Keys of the free attributes that become facets, those that most events have first."""


@dataclass(frozen=True, slots=True)
class Facet:
    """One facet and the values that it has codes for."""

    name: str
    """A column of the events, or :data:`ATTRIBUTE` and a key."""
    values: tuple[str, ...]
    """The value of each code; code 0 is the empty text: unknown."""

    @property
    def kind(self) -> FacetKind:
        """The facet as arrays know it."""
        name, n = self.name.replace(" ", "_"), len(self.values)
        return FacetKind(name, n, is_round=self.name == SEASON)

    def code(self, value: str | None) -> int:
        """The code of a value, 0 where it is not known."""
        word = _plain(value or "")
        return self.values.index(word) if word in self.values else 0


def find_facets(events: pl.DataFrame) -> tuple[Facet, ...]:
    """The facets of a table of events."""
    found = (Facet(name, _common(events[name])) for name in FIELDS if name in events.columns)
    facets = [facet for facet in found if len(facet.values) > 2]
    if TEMPERATURE in events.columns and len(_common(_bands(events[TEMPERATURE]))) > 2:
        facets.append(Facet(TEMPERATURE, ("", *BANDS)))
    if _days(events) >= SEASON_FROM_DAYS:
        facets.append(Facet(SEASON, ("", *(str(n + 1) for n in range(SEASONS)))))
    return (*facets, *_attribute_facets(events))


def event_codes(events: pl.DataFrame, facets: tuple[Facet, ...], zone: str) -> Codes:
    """Codes of every event, int16 ``[E, K]``, 0 where a value is not known.

    Args:
        events: The table.
        facets: The K facets.
        zone: IANA zone of the shop, for its seasons.
    """
    codes = np.zeros((len(events), len(facets)), dtype=np.int16)
    for at, facet in enumerate(facets):
        if facet.name == SEASON:
            local = events["timestamp"].dt.convert_time_zone(zone).dt.replace_time_zone(None)
            codes[:, at] = season_of(local.dt.epoch("s").to_numpy())
            continue
        values = _words(_column(events, facet.name))
        known = {value: code for code, value in enumerate(facet.values) if code}
        codes[:, at] = values.replace_strict(known, default=0, return_dtype=pl.Int16).to_numpy()
    return codes


def scene_codes(scene: Scene, facets: tuple[Facet, ...], local_s: int) -> tuple[int, ...]:
    """Codes of a request's scene, one per facet, 0 where it does not tell or is not known.

    Args:
        scene: As asked.
        facets: Those of the run.
        local_s: Its moment on the shop's clock, as seconds.
    """
    season = int(season_of(np.array([local_s]))[0])
    return tuple(
        season if facet.name == SEASON else facet.code(_told(scene, facet.name)) for facet in facets
    )


def without_learned(scene: Scene, facets: tuple[Facet, ...]) -> Scene:
    """The scene less the fields whose values the facets know.

    What the model learned from events need not speak through words as well.
    """
    told = (facet for facet in facets if facet.name in (*FIELDS, TEMPERATURE))
    known = [facet.name for facet in told if facet.code(_told(scene, facet.name))]
    return scene.model_copy(update=dict.fromkeys(known)) if known else scene


def band_of(celsius: float) -> str:
    """The band of a temperature."""
    return BANDS[int(np.searchsorted(BAND_EDGES_CELSIUS, celsius, side="right"))]


def _told(scene: Scene, name: str) -> str | None:
    if name.startswith(ATTRIBUTE):
        return scene.attributes.get(name.removeprefix(ATTRIBUTE))
    if name == TEMPERATURE:
        return None if scene.temperature is None else band_of(scene.temperature)
    told: str | None = getattr(scene, name)
    return told


def _days(events: pl.DataFrame) -> float:
    first, last = events["timestamp"].min(), events["timestamp"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return 0.0
    return (last - first).total_seconds() / DAY_S


def _plain(value: str) -> str:
    return value.strip().casefold()


def _words(values: pl.Series) -> pl.Series:
    """Values made comparable; the few distinct ones alone are touched."""
    distinct = values.unique().drop_nulls()
    plain = pl.Series([_plain(value) for value in distinct], dtype=pl.String)
    return values.replace_strict(distinct, plain, default=None, return_dtype=pl.String)


def _bands(celsius: pl.Series) -> pl.Series:
    """The band of each temperature; null stays null."""
    band = np.searchsorted(BAND_EDGES_CELSIUS, celsius.fill_null(0.0).to_numpy(), side="right")
    return pl.Series([BANDS[at] for at in band], dtype=pl.String).set(celsius.is_null(), None)


def _column(events: pl.DataFrame, name: str) -> pl.Series:
    if name.startswith(ATTRIBUTE):
        return _attribute(events, name.removeprefix(ATTRIBUTE))
    if name not in events.columns:
        return pl.Series([None] * len(events), dtype=pl.String)
    return _bands(events[name]) if name == TEMPERATURE else events[name]


def _attribute(events: pl.DataFrame, key: str) -> pl.Series:
    if "attributes" not in events.columns:
        return pl.Series([None] * len(events), dtype=pl.String)
    pair = pl.element()
    of_key = pair.filter(pair.struct.field("key") == key).struct.field("value")
    return events["attributes"].list.eval(of_key).list.first()


def _common(values: pl.Series) -> tuple[str, ...]:
    """The empty text and the values that come often enough, sorted."""
    counts = _words(values.drop_nulls()).value_counts(sort=True, name="n")
    value, n = counts.columns
    often = counts.filter((pl.col(n) >= MIN_EVENTS) & (pl.col(value) != ""))
    return ("", *sorted(often.sort(n, value, descending=[True, False])[value].head(MAX_VALUES)))


def _attribute_facets(events: pl.DataFrame) -> Iterator[Facet]:
    """Facets of the keys that hold few values; one with many, such as a note, is no facet."""
    if "attributes" not in events.columns:
        return
    pairs = events.select(pl.col("attributes").explode()).to_series().drop_nulls()
    if not len(pairs):
        return
    table = pairs.struct.unnest().with_columns(_words(pairs.struct.field("value")).alias("value"))
    keys = table.group_by("key").agg(pl.len().alias("n"), pl.col("value").n_unique().alias("of"))
    few = keys.filter(pl.col("of") <= MAX_VALUES).sort("n", "key", descending=[True, False])
    for key in few["key"].head(MAX_ATTRIBUTES):
        values = _common(table.filter(pl.col("key") == key)["value"])
        if len(values) > 2:
            yield Facet(f"{ATTRIBUTE}{key}", values)
