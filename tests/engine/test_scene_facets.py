"""Which fields of the events become facets, and their codes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from engine.arrays import histories
from engine.dataset import SCHEMAS, Dataset, DatasetSettings, conform, write_dataset
from engine.facet_files import load_codes, load_facets, save_codes, save_facets
from engine.ingest import Mapping, ingest
from engine.learn import Fixed, Past, sessions_between, world_before
from engine.scene import Scene
from engine.scene_facets import (
    MIN_EVENTS,
    Facet,
    band_of,
    event_codes,
    find_facets,
    scene_codes,
    without_learned,
)
from engine.scene_words import ambience_of
from engine.vocabulary import Vocabulary, load_interactions
from retrieval.rerank.facets import SEASONS, FacetKind, season_of
from retrieval.rerank.offers import no_offers
from retrieval.rerank.records import DAY_S, ItemTable

MONDAY = datetime(2024, 1, 1, 12, tzinfo=UTC)
N = 3 * MIN_EVENTS


def events(
    n: int = N, every: timedelta = timedelta(hours=1), **columns: list[object]
) -> pl.DataFrame:
    """Events, an hour apart, of one user and five items."""
    rows = {
        "user_id": ["u"] * n,
        "item_id": [f"i{at % 5}" for at in range(n)],
        "kind": ["purchase"] * n,
        "timestamp": [MONDAY + at * every for at in range(n)],
    }
    return conform("events", pl.DataFrame(rows | columns, strict=False))


def in_turn(*values: object, n: int = N) -> list[object]:
    return [values[at % len(values)] for at in range(n)]


def write(folder: Path, taken: pl.DataFrame) -> Dataset:
    items = pl.DataFrame({"item_id": [f"i{at}" for at in range(5)], "title": list("abcde")})
    return write_dataset(folder, DatasetSettings(name="Scenes"), items=items, events=taken)


def test_events_without_scenes_have_no_facet(tmp_path: Path) -> None:
    dataset = write(tmp_path / "data", events())
    vocabulary = Vocabulary.of(dataset)
    assert vocabulary.facets == ()
    found = load_interactions(dataset, vocabulary)
    assert found.facets is None
    assert found.facet_kinds == ()
    save_codes(tmp_path, found.facets)
    save_facets(tmp_path, ())
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert load_codes(tmp_path) is None
    assert load_facets(tmp_path) == ()


def test_a_field_with_two_common_values_is_a_facet() -> None:
    told = events(
        weather=in_turn("Rain ", "sun", "rain"),
        device=in_turn("mobile"),  # one value tells nothing apart
        occasion=["wedding"] * (MIN_EVENTS - 1) + ["work"] * (N - MIN_EVENTS + 1),
    )
    assert find_facets(told) == (Facet("weather", ("", "rain", "sun")),)
    assert find_facets(told.head(MIN_EVENTS)) == ()


def test_codes_of_events_and_of_scenes_agree() -> None:
    told = events(weather=in_turn("Rain ", "sun", None), companions=in_turn("family", "Alone"))
    facets = find_facets(told)
    assert [facet.name for facet in facets] == ["weather", "companions"]
    codes = event_codes(told, facets, "UTC")
    for row, (weather, companions) in enumerate(told["weather", "companions"].iter_rows()):
        if row < 6:
            scene = Scene(weather=weather, companions=companions)
            assert tuple(codes[row]) == scene_codes(scene, facets, 0)
    assert codes[2, 0] == 0
    assert scene_codes(Scene(weather="hail"), facets, 0) == (0, 0)


def test_temperature_goes_by_bands() -> None:
    bands = {-3.0: "freezing", 0.0: "cold", 9.9: "cold", 10.0: "mild", 18.0: "warm", 26.0: "hot"}
    assert {celsius: band_of(celsius) for celsius in bands} == bands
    told = events(temperature=in_turn(-3.0, None, 30.0))
    (facet,) = find_facets(told)
    codes = event_codes(told, (facet,), "UTC")[:3, 0]
    assert [facet.values[code] for code in codes] == ["freezing", "", "hot"]
    assert scene_codes(Scene(temperature=26), (facet,), 0) == (facet.values.index("hot"),)


def test_attributes_with_few_values_are_facets_and_notes_are_not() -> None:
    setting = in_turn("beach", "office")
    attributes = [
        [{"key": "setting", "value": value}, {"key": "note", "value": f"note {at}"}]
        for at, value in enumerate(setting)
    ]
    told = events(attributes=attributes)
    (facet,) = find_facets(told)
    assert facet == Facet("attribute setting", ("", "beach", "office"))
    assert facet.kind == FacetKind("attribute_setting", 3)
    assert event_codes(told, (facet,), "UTC")[:2, 0].tolist() == [1, 2]
    assert scene_codes(Scene(attributes={"setting": "Office"}), (facet,), 0) == (2,)


def test_the_season_is_a_facet_when_a_year_has_come_round() -> None:
    assert find_facets(events(every=timedelta(days=6))) == ()
    told = events(every=timedelta(days=7))
    (facet,) = find_facets(told)
    assert facet.kind == FacetKind("season", SEASONS + 1, is_round=True)
    # On New Year's Eve at 15:00 in London it is already New Year in Auckland.
    late = events(n=1, every=timedelta(0)).with_columns(
        timestamp=pl.lit(datetime(2023, 12, 31, 15, tzinfo=UTC)).cast(
            SCHEMAS["events"]["timestamp"]
        )
    )
    assert event_codes(late, (facet,), "Europe/London").tolist() == [[SEASONS]]
    assert event_codes(late, (facet,), "Pacific/Auckland").tolist() == [[1]]
    july = int(datetime(2024, 7, 10, tzinfo=UTC).timestamp())
    assert scene_codes(Scene(), (facet,), july) == (int(season_of(np.array([july]))[0]),)


def test_what_is_learned_speaks_no_longer_through_words() -> None:
    rain = Facet("weather", ("", "rain"))
    scene = Scene(weather="rain", companions="family", occasion="birthday")
    assert without_learned(scene, (rain,)) == scene.model_copy(update={"weather": None})
    assert [words.field for words in ambience_of(without_learned(scene, (rain,)))] == ["companions"]
    assert without_learned(Scene(weather="snow"), (rain,)) == Scene(weather="snow")
    assert without_learned(scene, ()) is scene


def test_a_vocabulary_keeps_its_facets(tmp_path: Path) -> None:
    told = events(weather=in_turn("rain", "sun"), occasion=in_turn("work", "party", "work"))
    vocabulary = Vocabulary.of(write(tmp_path / "data", told))
    vocabulary.save(tmp_path / "vocabulary.parquet")
    found = Vocabulary.open(tmp_path / "vocabulary.parquet")
    assert found.facets == vocabulary.facets
    assert found.items.ids == vocabulary.items.ids
    assert found.places.ids == vocabulary.places.ids


def test_codes_follow_their_events_through_sorting(tmp_path: Path) -> None:
    told = events(weather=in_turn("rain", "sun", None))
    shuffled = told.sample(fraction=1, shuffle=True, seed=1)
    dataset = write(tmp_path / "data", shuffled)
    vocabulary = Vocabulary.of(dataset)
    found = load_interactions(dataset, vocabulary)
    assert found.facets is not None
    assert found.facets[:, 0].tolist() == in_turn(1, 2, 0)
    half = found.at_unix_s < found.at_unix_s[N // 2]
    np.testing.assert_array_equal(found.where(half).facets, found.facets[: N // 2])


def past_and_fixed(dataset: Dataset) -> tuple[Past, Fixed]:
    taken = load_interactions(dataset, Vocabulary.of(dataset))
    past = Past(taken, histories(taken, ZoneInfo("UTC")))
    table = ItemTable(np.zeros((1, 5), np.int64), (1,), np.zeros(5, np.float32), np.ones(5, bool))
    vectors = np.eye(5, 4, dtype=np.float32)
    return past, Fixed(table, no_offers(5, 1), vectors, 1, 30.0, 60.0)


def test_tables_come_from_before_their_moment_alone(tmp_path: Path) -> None:
    told = events(every=timedelta(days=1), weather=in_turn("rain", "sun", "rain"))
    past, fixed = past_and_fixed(write(tmp_path / "data", told))
    cut = int(past.events.at_unix_s[N // 2])
    (weather,) = world_before(past, fixed, cut).facets
    assert float(weather.item_total.sum()) == N // 2
    # What is told of later events changes nothing.
    codes = past.events.facets
    assert codes is not None
    other = codes.copy()
    other[N // 2 :] = 1
    changed = Past(replace(past.events, facets=other), past.history)
    (same,) = world_before(changed, fixed, cut).facets
    for value in (1, 2):
        np.testing.assert_array_equal(weather.item_lift(value, 5), same.item_lift(value, 5))
    (later,) = world_before(changed, fixed, cut + DAY_S).facets
    assert float(later.item_total.sum()) == N // 2 + 1


def test_a_session_is_asked_in_the_scene_that_it_began_in(tmp_path: Path) -> None:
    told = events(every=timedelta(days=1), weather=in_turn("rain", "sun", None))
    past, _ = past_and_fixed(write(tmp_path / "data", told))
    sessions = sessions_between(past.events, 0, 2**40)
    assert [past.moment(session).facets for session in sessions[:3]] == [(1,), (2,), (0,)]


def test_tables_and_codes_are_read_back(tmp_path: Path) -> None:
    told = events(weather=in_turn("rain", "sun"), temperature=in_turn(-3.0, 12.0, 30.0))
    past, fixed = past_and_fixed(write(tmp_path / "data", told))
    facets = world_before(past, fixed, 2**40).facets
    save_facets(tmp_path, facets)
    save_codes(tmp_path, past.events.facets)
    found = load_facets(tmp_path)
    assert [table.name for table in found] == ["weather", "temperature"]
    for one, other in zip(facets, found, strict=True):
        for value in range(1, one.n_values):
            np.testing.assert_array_equal(one.item_lift(value, 5), other.item_lift(value, 5))
            np.testing.assert_array_equal(one.group_lift(value), other.group_lift(value))
    np.testing.assert_array_equal(load_codes(tmp_path), past.events.facets)


def test_ingest_reads_the_scene_of_events(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(
        "user_id,item_id,kind,timestamp,weather,companions,temperature,attributes\n"
        'u,i,view,2024-01-01,rain,family,-3.5,"{""setting"": ""beach""}"\n'
        "u,i,view,2024-01-02,sun,,warm,\n"
        "u,i,view,2024-01-03,sun,,150,\n"
        "u,i,view,2024-01-04,,,,\n"
    )
    ingest(Mapping.from_flags(events=tmp_path / "events.csv"), tmp_path / "data")
    taken = Dataset.open(tmp_path / "data").events
    assert taken["temperature"].to_list() == [-3.5, None]
    assert taken["companions"].to_list() == ["family", None]
    assert taken["attributes"].to_list() == [[{"key": "setting", "value": "beach"}], []]
    rejects = pl.read_parquet(tmp_path / "data" / "rejects.parquet")
    assert rejects["reason"].to_list() == [
        "temperature is not a number",
        "temperature out of bounds",
    ]


@pytest.mark.parametrize("column", ["country", "companions", "temperature", "attributes"])
def test_a_dataset_of_before_the_scene_columns_is_read(tmp_path: Path, column: str) -> None:
    dataset = write(tmp_path / "data", events())
    file = Path(dataset.folder) / "events.parquet"
    later = ["country", "companions", "temperature", "attributes"]
    dataset.events.drop(later).write_parquet(file)
    found = Dataset.open(dataset.folder).events
    assert found[column].to_list() == dataset.events[column].to_list()
