"""Users observed, portrayed, forgotten; lists that others chose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import planted
import polars as pl
import pytest
from planted import CUT, ZONE, block_of_item, habit_of, item_id, user_id

from engine.errors import DataError, UnknownIdError
from engine.filters import Filters
from engine.forgotten import LOOK_AGAIN_S, NOBODY, Forgotten
from engine.impressions import ImpressionLog
from engine.recommend import Engine
from engine.runtime import Run
from engine.scene import Scene
from engine.store import Erased, EventStore, Impression, Slot
from engine.types import Event, EventKind

NOW = Scene(time=CUT)
ANN = user_id(0)


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shared.sqlite'}"


@pytest.fixture
def two_workers(loaded: Run, store_url: str) -> Iterator[tuple[Engine, Engine]]:
    """Two engines on one store, as two processes have them."""
    with (
        Engine(loaded, EventStore.open(store_url)) as one,
        Engine(loaded, EventStore.open(store_url)) as other,
    ):
        yield one, other


def ids(found) -> list[str]:
    return [r.item.item_id for r in found]


# ---------------------------------------------------------------- portraits


def test_the_planted_habit_rhythm_place_and_taste_are_portrayed(shop: Engine):
    found = shop.portrait(ANN)
    weeks = planted.WEEKS_BEFORE
    assert found.events == sum(len(v) for v in visits_of(0))
    assert {h.item_id for h in found.habits[:2]} == habit_of(0)
    for habit in found.habits[:2]:
        assert habit.times == weeks
        # Thirteen weeks from the first visit to the last, an hour of which the clocks took.
        assert habit.every_days == pytest.approx(7, abs=0.02)
        assert habit.due_at - habit.last_at == timedelta(days=habit.every_days)
    rhythm = found.rhythm
    assert rhythm is not None
    assert (rhythm.visits, rhythm.every_days) == (weeks, pytest.approx(7))
    assert rhythm.weekdays == (1.0, 0, 0, 0, 0, 0, 0)
    assert rhythm.hours[9] == 1.0
    assert [(p.place, p.share) for p in found.places] == [(planted.place_of(0), 1.0)]
    assert {interest.category[0] for interest in found.interests} == {"Kitchen"}
    assert sum(i.share for i in found.interests) == pytest.approx(1)
    assert sum(i.events for i in found.interests) == found.events


def test_the_price_band_is_the_quartiles_of_what_was_taken(shop: Engine):
    taken = [1.0 + int(item.removeprefix("item-")) for visit in visits_of(0) for item in visit]
    band = shop.portrait(ANN).price_band
    assert band is not None
    quartiles = np.exp(np.quantile(np.log(taken), (0.25, 0.5, 0.75)))
    assert (band.low, band.median, band.high) == pytest.approx(tuple(quartiles), abs=0.011)


def visits_of(user: int) -> list[list[str]]:
    events = planted.events().filter(
        (pl.col("user_id") == user_id(user)) & (pl.col("timestamp") < CUT.astimezone(UTC))
    )
    by_visit = events.group_by("session_id", maintain_order=True).agg("item_id")
    return by_visit["item_id"].to_list()


def test_someone_who_just_came_is_portrayed_by_what_they_did(shop: Engine):
    with pytest.raises(UnknownIdError, match="user 'zoe'"):
        shop.portrait("zoe")
    moment = datetime.now(UTC) - timedelta(minutes=1)
    shop.observe([Event("zoe", item_id(40), EventKind.VIEW, moment)])
    found = shop.portrait("zoe")
    assert (found.events, found.rhythm, found.habits) == (1, None, ())
    assert found.interests[0].category[0] == "Garden"
    assert found.interests[0].share == 1.0


# ---------------------------------------------------------------- erasure


def test_an_erased_user_is_nobody_in_every_worker(two_workers, store_url):
    one, other = two_workers
    event = Event(ANN, item_id(45), EventKind.PURCHASE, CUT - timedelta(hours=1))
    one.observe([event])
    one.answer(ANN, NOW, k=3)
    one._log.close()  # the list that was shown is written
    stranger, known = ids(one.recommend("stranger", NOW)), ids(one.recommend(ANN, NOW))
    assert known != stranger

    assert one.erase_user(ANN, by="office") == Erased(events=1, impressions=1)

    for engine in two_workers:
        engine._forgotten._look_at = 0.0  # as if the second had passed
        assert ids(engine.recommend(ANN, NOW)) == stranger
        assert ids(engine.rank(ANN, known, NOW).recommendations) == ids(
            engine.rank("stranger", known, NOW).recommendations
        )
        assert ANN not in {shopper.user_id for shopper in engine.shoppers(limit=100)}
        with pytest.raises(UnknownIdError):
            engine.portrait(ANN)
    assert not any("you have bought" in r.reason for r in other.recommend(ANN, NOW))
    with EventStore.open(store_url) as later:
        (line,) = later.erasures.since(0)
    assert (line.by, line.erased) == ("office", Erased(1, 1))
    assert ANN not in line.digest


def test_erasure_touches_nobody_else(two_workers):
    one, _ = two_workers
    before = ids(one.recommend(user_id(1), NOW))
    one.erase_user(ANN)
    assert ids(one.recommend(user_id(1), NOW)) == before
    assert one.portrait(user_id(1)).events > 0


def test_what_an_erased_user_does_later_is_theirs(two_workers):
    one, _ = two_workers
    one.erase_user(ANN)
    one.observe([Event(ANN, item_id(50), EventKind.VIEW, datetime.now(UTC))])
    assert one.portrait(ANN).events == 1
    assert one.portrait(ANN).interests[0].category[0] == "Garden"


def test_the_log_names_a_user_only_to_who_knows_them(store_url: str):
    with EventStore.open(store_url) as store:
        assert store.erasures.digest("zebedee") is None, "nobody was erased yet"
        store.append([Event("zebedee", "tea", EventKind.VIEW, CUT)])
        assert [store.erase_user("zebedee").events for _ in range(2)] == [1, 0]
        first, second = store.erasures.since(0)
        assert first.digest == second.digest == store.erasures.digest("zebedee")
        assert store.erasures.digest("bob") != first.digest
        assert store.erasures.since(first.seq) == [second]
    for file in Path(store_url.removeprefix("sqlite:///")).parent.glob("shared*"):
        assert b"zebedee" not in file.read_bytes()


def test_a_list_that_waited_while_its_user_was_erased_is_not_stored(store_url: str):
    def shown(request_id: str, user: str, at: datetime) -> Impression:
        return Impression(request_id, user, at, "{}", "run", (Slot("tea", 1, 0.5),))

    with EventStore.open(store_url) as store:
        before, after = (datetime.now(UTC) + timedelta(minutes=m) for m in (-1, 1))
        assert store.log_impressions(shown("r0", "bob", before)) == 1
        store.erase_user("ann")
        late, others, later = (
            shown("r1", "ann", before),
            shown("r2", "bob", before),
            shown("r3", "ann", after),
        )
        assert store.log_impressions(late, others, later) == 2
        assert store.impressions("r1") is None
        assert store.impressions("r3") is not None


def test_a_list_that_cannot_be_stored_is_logged_without_its_user(
    store_url: str, caplog: pytest.LogCaptureFixture
):
    with EventStore.open(store_url) as store, ImpressionLog(store) as log:
        log.put(Impression("r", "zebedee\0", datetime.now(UTC), "{}", "run", ()))
    assert caplog.messages == ["1 impressions were not stored: DataError"]


def test_two_stores_name_one_user_differently(tmp_path: Path):
    digests = set()
    for name in ("a", "b"):
        with EventStore.open(f"sqlite:///{tmp_path / name}") as store:
            store.erase_user("ann")
            digests.add(store.erasures.digest("ann"))
    assert len(digests) == 2


def test_another_process_is_asked_at_most_once_a_second(loaded: Run, store_url: str):
    with EventStore.open(store_url) as here, EventStore.open(store_url) as there:
        forgotten = Forgotten(here)
        assert forgotten.known_as(loaded, ANN) == ANN
        there.erase_user(ANN)
        assert forgotten.known_as(loaded, ANN) == ANN
        forgotten._look_at -= LOOK_AGAIN_S
        assert forgotten.known_as(loaded, ANN) == NOBODY


# ---------------------------------------------------------------- given lists


def test_given_items_are_scored_as_in_a_list_of_the_engine(shop: Engine):
    listed = shop.recommend(ANN, NOW, k=20)
    shuffled = sorted(ids(listed), reverse=True)
    found = shop.rank(ANN, shuffled, NOW)
    assert found.unknown == ()
    scores = {r.item.item_id: r.score for r in listed}
    for slot in found.recommendations:
        assert slot.score == pytest.approx(scores[slot.item.item_id], abs=1e-4)
    order = [r.score for r in found.recommendations]
    assert order == sorted(order, reverse=True)
    assert [r.rank for r in found.recommendations] == list(range(1, 21))
    reasons = {r.item.item_id: r.reason for r in listed}
    assert all(r.reason == reasons[r.item.item_id] for r in found.recommendations)


def test_unknown_ids_are_named_and_the_others_ranked(shop: Engine):
    found = shop.rank(ANN, ["nil", item_id(1), "void", item_id(31)], NOW)
    assert found.unknown == ("nil", "void")
    assert ids(found.recommendations)[0] == item_id(1), "the user's own side of the shop"
    assert len(shop.rank(ANN, [item_id(1), item_id(2)], NOW, k=1).recommendations) == 1
    assert shop.rank(ANN, ["nil"], NOW).recommendations == ()


@pytest.mark.parametrize("given", [[], [item_id(1)] * 2, [str(n) for n in range(1_001)]])
def test_a_list_that_is_none_is_refused(shop: Engine, given):
    with pytest.raises(DataError):
        shop.rank(ANN, given, NOW)


def test_an_item_that_is_not_offered_can_be_ranked_and_explained(shop: Engine):
    shop.update_item(item_id(2), available=False)
    assert item_id(2) not in ids(shop.recommend(ANN, NOW, k=60))
    assert ids(shop.rank(ANN, [item_id(2)], NOW).recommendations) == [item_id(2)]


def test_an_explanation_is_that_of_the_list(shop: Engine):
    for slot in shop.recommend(ANN, NOW, k=3):
        found = shop.explain(ANN, slot.item.item_id, NOW)
        assert (found.reason, found.evidence) == (slot.reason, slot.evidence)
        weights = [e.weight for e in found.evidence]
        assert weights == sorted(weights, reverse=True)
    with pytest.raises(UnknownIdError):
        shop.explain(ANN, "nil", NOW)


# ---------------------------------------------------------------- events of a request


@pytest.mark.parametrize("block", [0, 1])
def test_events_of_a_request_make_an_unknown_user_known(shop: Engine, block):
    taken = [item_id(block * planted.BLOCK_SIZE + n) for n in (3, 7, 11)]
    events = [
        Event("new", item, EventKind.PURCHASE, CUT - timedelta(minutes=10 - n))
        for n, item in enumerate(taken)
    ]
    found = shop.recommend("new", NOW, events=events)
    blocks = [block_of_item(item) for item in ids(found)]
    assert blocks.count(block) >= 7
    assert shop.store.history("new") == [], "they were for this answer alone"
    shop.observe(events)
    assert ids(shop.recommend("new", NOW)) == ids(found), "stored ones say the same"


def test_what_was_acknowledged_is_in_the_very_next_answer(shop: Engine):
    """Within one second of the clock too, which is as fine as a history is."""
    for n in range(3):
        user, item = f"new-{n}", item_id(n)
        shop.observe([Event(user, item, EventKind.PURCHASE, datetime.now(UTC))])
        assert item not in ids(shop.recommend(user, k=60, new_only=True))
        assert shop.portrait(user).events == 1


def test_a_request_may_come_without_reasons(shop: Engine):
    plain, told = (shop.recommend(ANN, NOW, explain=explain) for explain in (False, True))
    assert ids(plain) == ids(told)
    assert {(r.reason, r.evidence) for r in plain} == {("", ())}


def test_events_of_unknown_items_are_refused(shop: Engine):
    with pytest.raises(UnknownIdError, match="'nil'"):
        shop.recommend("new", NOW, events=[Event("new", "nil", EventKind.VIEW, CUT)])


# ---------------------------------------------------------------- searches


def test_a_search_keeps_to_its_conditions(shop: Engine):
    found = shop.search("apple", k=60, filters=Filters(category=("Garden",)))
    assert found
    assert all(r.item.categories[0] == "Garden" for r in found)
    assert shop.search("apple", filters=Filters(min_price=1e6)) == []


def test_taste_decides_among_what_matches(shop: Engine):
    """The habit of each of two cooks is nearer the top of what both searched for."""
    words = "Kitchen"
    plain = ids(shop.search(words, k=30))
    for user in (0, 2):
        mine = ids(shop.search(words, k=30, user_id=user_id(user), scene=NOW))
        ahead = [plain.index(i) - mine.index(i) for i in habit_of(user) if i in plain and i in mine]
        assert ahead
        assert sum(ahead) > 0


def test_a_stranger_with_no_taste_finds_the_same_things(shop: Engine):
    found = shop.search("tomato", k=1, user_id="stranger", scene=NOW)
    assert found[0].item.title == shop.search("tomato", k=1)[0].item.title


def test_the_shop_is_in_its_own_zone(shop: Engine):
    rhythm = shop.portrait(user_id(1)).rhythm
    assert rhythm is not None
    assert rhythm.hours[planted.visit_of(1, 0).astimezone(ZONE).hour] == 1.0
