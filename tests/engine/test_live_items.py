"""Items that come, change and go while a run serves."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import planted
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from encoders import ImageError
from engine.errors import DataError, UnknownIdError
from engine.live_index import LiveIndex
from engine.recommend import Engine
from engine.room import with_room
from engine.runtime import Run
from engine.scene import Scene
from engine.store import EventStore
from engine.types import Event, EventKind
from retrieval.index import ExactIndex

AT = Scene(time=planted.CUT)
GARDEN = ("Garden", "Garden dry")


def png(colour: str = "green") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(file, "PNG")
    return file.getvalue()


def ids(found) -> list[str]:
    return [r.item.item_id for r in found]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'live.sqlite'}"


@pytest.fixture
def engine(loaded: Run, url: str) -> Iterator[Engine]:
    with Engine(loaded, EventStore.open(url)) as engine:
        yield engine


def test_a_new_item_is_found_by_its_words_at_once(engine: Engine) -> None:
    assert "fork" not in ids(engine.search("garden fork", k=60))
    engine.add_item("fork", "Garden Fork", categories=GARDEN, brand="Brand 1", price=12.5)
    assert ids(engine.search("garden fork", k=3))[0] == "fork"
    assert engine.item("fork").price == 12.5
    assert engine.item("fork").created_at is not None


def test_a_new_item_is_similar_to_its_siblings(engine: Engine) -> None:
    engine.add_item("spade-2", "Spade", categories=("Garden", "Garden fresh"))
    assert "spade-2" in ids(engine.similar(planted.item_id(planted.BLOCK_SIZE), k=5))
    assert planted.item_id(planted.BLOCK_SIZE) in ids(engine.similar("spade-2", k=5))


def test_a_new_item_is_recommended_to_those_of_its_taste(engine: Engine) -> None:
    engine.add_item("fork", "Garden Fork", categories=GARDEN, brand="Brand 1", price=12.5)

    def rank(user: int) -> int:
        listed = ids(engine.recommend(planted.user_id(user), AT, k=61, new_only=True))
        return listed.index("fork") if "fork" in listed else 61

    gardeners = [rank(user) for user in range(1, 12, 2)]
    cooks = [rank(user) for user in range(0, 12, 2)]
    assert min(gardeners) < 61
    assert np.mean(gardeners) < np.mean(cooks)


def test_a_scene_that_asks_for_a_new_item_gets_it_with_a_reason(engine: Engine) -> None:
    engine.add_item("fork", "Garden Fork", categories=GARDEN)
    first = engine.recommend("user-01", Scene(time=planted.CUT, query="garden fork"), k=5)[0]
    assert first.item.item_id == "fork"
    assert first.reason
    assert first.trace.channels


def test_its_vector_lies_in_its_block(engine: Engine) -> None:
    engine.add_item("fork", "Garden Fork", categories=GARDEN)
    run = engine.run
    likeness = run.tables.graph[: planted.N_ITEMS, 1:] @ run.tables.graph[planted.N_ITEMS, 1:]
    garden = np.arange(planted.N_ITEMS) >= planted.BLOCK_SIZE
    assert likeness[garden].mean() > likeness[~garden].mean() + 0.1
    np.testing.assert_allclose(np.linalg.norm(run.tables.graph, axis=1), 1, atol=1e-4)


def test_its_groups_are_those_of_its_category_and_brand(engine: Engine) -> None:
    twin = engine.item(planted.item_id(31))
    engine.add_item("twin", "Something", categories=twin.categories, brand=twin.brand)
    groups = engine.run.world.items.groups
    np.testing.assert_array_equal(groups[:, planted.N_ITEMS], groups[:, 31])


def test_its_token_is_what_training_would_have_made(engine: Engine, loaded: Run) -> None:
    """The map from content to tokens is found again from what it made: every old row agrees."""
    engine.add_item("fork", "Garden Fork")
    placing = engine._live._placing
    for row in (0, 17, 59):
        token = placing.token(loaded.tables.graph[row], loaded.tables.content[row])
        np.testing.assert_allclose(token, loaded.model.items[row].numpy(), atol=1e-3)


def test_every_store_reader_knows_of_a_change(engine: Engine, loaded: Run, url: str) -> None:
    with Engine(loaded, EventStore.open(url)) as other:
        engine.add_item("fork", "Garden Fork", categories=GARDEN)
        assert ids(other.search("garden fork", k=1)) == ["fork"]
        other.remove_item("fork")
        assert "fork" not in ids(engine.search("garden fork", k=61))


def test_changes_survive_a_restart(loaded: Run, url: str) -> None:
    with Engine(loaded, EventStore.open(url)) as first:
        first.add_item("fork", "Garden Fork", categories=GARDEN, picture=png())
        first.update_item(planted.item_id(3), price=99.0)
        first.remove_item(planted.item_id(4))
        before = first.run
    with Engine(loaded, EventStore.open(url)) as again:
        assert again.item("fork") == first.item("fork")
        assert again.item(planted.item_id(3)).price == 99.0
        assert planted.item_id(4) not in ids(again.search("everything", k=61))
        np.testing.assert_array_equal(
            again.run.tables.content[: planted.N_ITEMS + 1],
            before.tables.content[: planted.N_ITEMS + 1],
        )
        np.testing.assert_array_equal(again.run.model.items, before.model.items)


def test_the_run_that_was_opened_never_changes(engine: Engine, loaded: Run) -> None:
    before = loaded.tables.content.copy(), loaded.world.items.recommendable.copy()
    engine.add_item("fork", "Garden Fork")
    engine.update_item(planted.item_id(0), title="Something else")
    engine.remove_item(planted.item_id(1))
    np.testing.assert_array_equal(loaded.tables.content, before[0])
    np.testing.assert_array_equal(loaded.world.items.recommendable, before[1])
    assert loaded.catalogue[0].title == "Apple"
    assert "fork" not in loaded.vocabulary.items


@pytest.mark.parametrize("id_", [planted.item_id(31), "fork"])
def test_a_withdrawn_item_never_appears(engine: Engine, id_: str) -> None:
    engine.add_item("fork", "Garden Rake Fork", categories=GARDEN)
    engine.remove_item(id_)
    asked = [
        engine.search("rake", k=61),
        engine.similar(planted.item_id(30), k=61),
        engine.recommend("user-01", AT, k=61),
        engine.recommend("stranger", Scene(time=planted.CUT, query="rake"), k=61),
    ]
    assert all(id_ not in ids(found) for found in asked)
    assert all(len(found) > 5 for found in asked)
    with pytest.raises(DataError, match="withdrawn"):
        engine.remove_item(id_)
    with pytest.raises(DataError, match="withdrawn"):
        engine.update_item(id_, price=1.0)


def test_a_withdrawn_item_may_come_back(engine: Engine) -> None:
    old = engine.item(planted.item_id(31))
    engine.remove_item(old.item_id)
    engine.add_item(old.item_id, old.title, categories=old.categories, brand=old.brand)
    assert old.item_id in ids(engine.search(old.title, k=3))


def test_an_update_takes_the_place_of_what_was(engine: Engine) -> None:
    row = 31
    id_ = planted.item_id(row)
    graph = engine.run.tables.graph[row].copy()
    engine.update_item(id_, title="Birthday cake", price=3.0)
    assert ids(engine.search("birthday cake", k=1)) == [id_]
    assert engine.item(id_).categories  # what is not named stays
    assert engine.run.world.items.log_price[row] == pytest.approx(np.log(3.0))
    np.testing.assert_array_equal(engine.run.tables.graph[row], graph)  # people put it there
    assert len(ids(engine.search("cake", k=61))) == len(set(ids(engine.search("cake", k=61))))


def test_unavailable_items_are_not_shown_and_known_again_when_back(engine: Engine) -> None:
    id_ = planted.item_id(31)
    engine.update_item(id_, available=False)
    assert id_ not in ids(engine.search("rake", k=61))
    engine.update_item(id_, available=True)
    assert id_ in ids(engine.search("rake", k=61))


def test_events_on_a_new_item_are_kept_and_count(engine: Engine) -> None:
    engine.add_item("fork", "Garden Fork", categories=GARDEN)
    bought = [Event("someone", "fork", EventKind.PURCHASE, planted.CUT, f"e{n}") for n in range(3)]
    assert engine.observe(bought) == 3
    later = Scene(time=planted.CUT.replace(hour=12))
    found = engine.recommend("someone", later, k=10)
    assert "fork" in ids(found)
    assert np.mean([r.item.categories[0] == "Garden" for r in found]) >= 0.7


def test_a_picture_decides_what_it_looks_like_and_can_be_served(engine: Engine) -> None:
    engine.add_item("red", "Thing", picture=png("red"))
    engine.add_item("blue", "Thing", picture=png("blue"))
    found = ids(engine.search(image=png("red"), k=61))
    assert found.index("red") < found.index("blue")
    path = engine.picture_path("red")
    assert path is not None
    assert path.read_bytes() == png("red")
    engine.update_item("red", price=2.0)  # keeps the picture
    assert engine.picture_path("red") == path
    path.unlink()
    served = engine.picture_path("red")
    assert served is not None
    assert served.read_bytes() == png("red")


def test_what_cannot_be_an_item_is_refused_and_nothing_is_stored(engine: Engine) -> None:
    bad = [
        lambda: engine.add_item(planted.item_id(1), "There already"),
        lambda: engine.add_item("", "No id"),
        lambda: engine.add_item("x" * 501, "Long id"),
        lambda: engine.add_item("x", "   "),
        lambda: engine.add_item("x", "Free", price=-1.0),
        lambda: engine.add_item("x", "Free", price=float("nan")),
        lambda: engine.add_item("x", "Nul\0"),
        lambda: engine.add_item("x", "Strange", colour="red"),  # type: ignore[call-arg]
        lambda: engine.add_item("x", "List", categories="Garden"),  # type: ignore[arg-type]
    ]
    for attempt in bad:
        with pytest.raises(DataError):
            attempt()
    with pytest.raises(ImageError):
        engine.add_item("x", "Broken", picture=b"no picture at all")
    with pytest.raises(UnknownIdError):
        engine.update_item("x", price=1.0)
    with pytest.raises(UnknownIdError):
        engine.remove_item("x")
    assert engine.store.live_items.version() == 0


def test_preparing_changes_no_answer(engine: Engine, loaded: Run) -> None:
    before = ids(engine.recommend("user-01", AT, k=20))
    engine.prepare_changes()
    assert ids(engine.recommend("user-01", AT, k=20)) == before
    assert engine.run.n_trained == loaded.n_trained
    engine.add_item("fork", "Garden Fork", categories=GARDEN)
    assert ids(engine.search("garden fork", k=1)) == ["fork"]


def test_more_items_than_there_was_room_for(engine: Engine, monkeypatch) -> None:
    monkeypatch.setattr("engine.live_items.LEAST_ROOM", 2)
    for n in range(12):
        engine.add_item(f"new-{n}", f"Novelty number {n}", categories=GARDEN)
    found = ids(engine.search("novelty number", k=12))
    assert sorted(found) == sorted(f"new-{n}" for n in range(12))
    assert len(engine.recommend("user-01", AT, k=100, new_only=True)) > 20


def test_threads_that_ask_are_not_disturbed_by_one_that_adds(engine: Engine) -> None:
    wrong: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                assert len(engine.recommend("user-01", AT, k=5)) == 5
                assert len(engine.search("fork", k=5)) == 5
            except BaseException as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(15):
        engine.add_item(f"new-{n}", f"Fork number {n}", categories=GARDEN)
        assert f"new-{n}" in ids(engine.search(f"fork number {n}", k=61))
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_room_changes_no_answer(loaded: Run, url: str) -> None:
    wide = with_room(loaded, 7)
    with Engine(loaded, EventStore.open(url)) as plain, Engine(wide, EventStore.open(url)) as roomy:
        for user in range(6):
            here = Scene(time=planted.CUT, place=planted.place_of(user))
            a = plain.recommend(planted.user_id(user), here, k=20)
            b = roomy.recommend(planted.user_id(user), here, k=20)
            assert ids(a) == ids(b)
            np.testing.assert_allclose([r.score for r in a], [r.score for r in b], atol=1e-4)


def unit(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.standard_normal((n, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    changed=st.lists(st.integers(0, 39), max_size=12, unique=True),
    k=st.integers(1, 50),
    filtered=st.booleans(),
)
def test_a_live_index_answers_as_one_that_was_built_with_the_changes(
    seed: int, changed: list[int], k: int, filtered: bool
) -> None:
    rng = np.random.default_rng(seed)
    n_base = 30
    base, whole = ExactIndex(8), ExactIndex(8)
    vectors = unit(rng, n_base)
    base.add(np.arange(n_base), vectors)
    whole.add(np.arange(n_base), vectors)
    live = LiveIndex.over(base)
    for part in (changed[::2], changed[1::2], changed[:2]):
        rows, new = np.array(part, dtype=np.int64), unit(rng, len(part))
        if len(rows):
            live = live.with_rows(rows, new, n_base=n_base)
            whole.add(rows, new)
    queries = unit(rng, 3)
    allowed = np.flatnonzero(rng.random(40) < 0.5) if filtered else None
    found = live.search(queries, k, allowed=allowed)
    expected = whole.search(queries, k, allowed=allowed)
    np.testing.assert_array_equal(found.valid, expected.valid)
    np.testing.assert_array_equal(found.rows[found.valid], expected.rows[expected.valid])
    np.testing.assert_allclose(
        found.scores[found.valid], expected.scores[expected.valid], atol=1e-6
    )
