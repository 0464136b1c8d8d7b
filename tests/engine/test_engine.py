import itertools
import json
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import planted
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encoders import ImageError
from engine.artifacts import MANIFEST_FILE, STATE_FOLDER, Manifest
from engine.dataset import Dataset
from engine.errors import ManifestError, ProbeError, SceneError, UnknownIdError
from engine.filters import Filters
from engine.pictures import read_picture
from engine.recommend import Engine
from engine.recommendation import Recommendation
from engine.scene import Scene
from engine.store import EventStore
from engine.types import Event, EventKind, Item

SCENE = Scene(time="2017-12-22T18:30")
NEXT_VISIT = Scene(time=planted.CUT + timedelta(days=3))
WITHIN_A_TEST = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def grocer(small_run: Path, tmp_path_factory) -> Engine:
    """The small demo run; its tests share a store, so each uses a user of its own."""
    folder = tmp_path_factory.mktemp("grocer")
    with Engine.open(small_run, store_url=f"sqlite:///{folder / 'events.sqlite'}") as engine:
        yield engine


@pytest.fixture(scope="module")
def household(grocer: Engine) -> str:
    return grocer.shoppers(1)[0].user_id


def ids(listed) -> list[str]:
    return [r.item.item_id for r in listed]


def channels(r: Recommendation) -> set[str]:
    return {hit.channel for hit in r.trace.channels}


def bought(user: str, item: str, minutes: float = 0, **rest) -> Event:
    """A purchase so many minutes after the planted cut."""
    at = planted.CUT + timedelta(minutes=minutes)
    return Event(user, item, rest.pop("kind", EventKind.PURCHASE), at, **rest)


# A list


@pytest.mark.parametrize("k", [1, 10, 40])
@pytest.mark.parametrize("known", [True, False])
def test_a_list_is_ranked_distinct_and_explained(grocer, household, k, known):
    listed = grocer.recommend(household if known else "a stranger", SCENE, k=k)
    assert [r.rank for r in listed] == list(range(1, k + 1))
    assert len(set(ids(listed))) == k
    scores = [r.score for r in listed]
    assert scores == sorted(scores, reverse=True)
    for r in listed:
        assert 0 < r.probability < 1
        assert r.reason.strip()
        assert r.evidence
        assert r.trace.channels
        assert all(hit.rank >= 1 for hit in r.trace.channels)
        assert r.score == pytest.approx(r.trace.model_score + r.trace.wish_score, abs=1e-4)
        assert r.item.available
        assert r.item == grocer.item(r.item.item_id)


def test_the_same_request_has_the_same_answer(grocer, household):
    assert grocer.recommend(household, SCENE) == grocer.recommend(household, SCENE)


def test_a_longer_list_begins_with_the_shorter_one(grocer, household):
    assert ids(grocer.recommend(household, SCENE, k=20))[:5] == ids(
        grocer.recommend(household, SCENE, k=5)
    )


def test_a_known_user_is_not_answered_like_a_stranger(grocer, household):
    mine, theirs = (set(ids(grocer.recommend(u, SCENE))) for u in (household, "a stranger"))
    assert len(mine & theirs) < 8


def test_another_place_and_another_time_change_the_list(grocer, household):
    here = grocer.places()[0]
    plain = grocer.recommend(household, SCENE)
    placed = grocer.recommend(household, Scene(time=SCENE.time, place=here))
    summer = grocer.recommend(household, Scene(time="2018-07-02T09:00"))
    assert [r.score for r in placed] != [r.score for r in plain]
    assert [r.score for r in summer] != [r.score for r in plain]
    stranger = grocer.recommend("a stranger", Scene(time=SCENE.time, place=here))
    assert any("scene" in channels(r) for r in stranger)


def test_an_unknown_place_counts_as_none(grocer, household):
    unknown = Scene(time=SCENE.time, place="a store on the moon")
    assert grocer.recommend(household, unknown) == grocer.recommend(household, SCENE)


def test_a_time_without_a_zone_is_the_shops(shop):
    assert shop.moment_of(Scene(time="2024-07-01T12:00")).at_unix_s == int(
        datetime(2024, 7, 1, 10, tzinfo=UTC).timestamp()
    )
    moment = shop.moment_of(Scene(time="2024-07-01T12:00:00+00:00", place="south"))
    assert (moment.hour, moment.weekday) == (14.0, 0)
    assert moment.place == shop.run.vocabulary.places.row("south")


@pytest.mark.parametrize(
    ("scene", "field"),
    [(Scene(time="9999-12-31T23:59"), "time"), (Scene(country="Atlantis"), "country")],
)
def test_a_scene_that_cannot_be_is_refused_by_name(shop, scene, field):
    with pytest.raises(SceneError) as caught:
        shop.recommend("somebody", scene)
    assert caught.value.field == field


@WITHIN_A_TEST
@given(
    st.builds(
        Scene,
        time=st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2200, 12, 31)),
        place=st.none() | st.sampled_from(["north", "south", "elsewhere", "\0"]),
        country=st.none() | st.sampled_from(["US", "DE", "JP"]),
        query=st.none() | st.text(min_size=1, max_size=30),
        occasion=st.none() | st.just("birthday"),
    ),
    st.sampled_from([planted.user_id(3), "stranger"]),
)
def test_whatever_the_scene_there_is_a_full_list(shop, scene, user):
    listed = shop.recommend(user, scene, k=7)
    assert len(set(ids(listed))) == 7
    assert np.isfinite([r.score for r in listed]).all()


# Hard rules


def test_what_is_excluded_is_not_there_and_the_rest_moves_up(grocer, household):
    full = ids(grocer.recommend(household, SCENE, k=20))
    barred = [full[0], full[3], "no such item"]
    assert ids(grocer.recommend(household, SCENE, k=18, exclude=barred)) == [
        item for item in full if item not in barred
    ]


@pytest.mark.parametrize("query", [None, "garden tools"])
@pytest.mark.parametrize("explain", [True, False])
def test_where_nothing_meets_the_filters_the_list_is_empty(shop, query, explain):
    scene = Scene(time=planted.CUT, query=query)
    for filters in (Filters(max_price=0), Filters(brands=("no such brand",))):
        for user in (planted.user_id(3), "stranger"):
            assert shop.recommend(user, scene, filters=filters, explain=explain) == []


def test_new_only_leaves_out_exactly_what_the_user_took(shop):
    user = planted.user_id(4)
    # The planted shop is small enough for a list of every candidate.
    everything = ids(shop.recommend(user, NEXT_VISIT, k=planted.N_ITEMS))
    row = shop.run.vocabulary.users.row(user)
    mine = slice(*shop.run.offsets[row : row + 2].tolist())
    taken = {shop.run.vocabulary.items.id(i) for i in shop.run.history.item[mine]}
    new = ids(shop.recommend(user, NEXT_VISIT, k=planted.N_ITEMS, new_only=True))
    assert taken & set(everything)
    assert new == [item for item in everything if item not in taken]
    shop.observe([bought(user, new[0])])
    again = ids(shop.recommend(user, NEXT_VISIT, k=planted.N_ITEMS, new_only=True))
    assert new[0] not in again


def test_a_dismissed_item_leaves_at_once_and_comes_back_when_it_is_bought(shop):
    user = planted.user_id(2)
    first = ids(shop.recommend(user, NEXT_VISIT))[0]
    shop.observe([bought(user, first, kind=EventKind.DISMISS)])
    assert first not in ids(shop.recommend(user, NEXT_VISIT, k=planted.N_ITEMS))
    assert first in ids(shop.recommend(planted.user_id(12), NEXT_VISIT, k=planted.N_ITEMS))
    shop.observe([bought(user, first, minutes=1)])
    assert first in ids(shop.recommend(user, NEXT_VISIT, k=planted.N_ITEMS))


def test_no_more_of_a_category_than_the_policy_allows(loaded, tmp_path):
    policy = loaded.config.policy.model_copy(update={"max_per_group": 2})
    limited = replace(loaded, config=loaded.config.model_copy(update={"policy": policy}))
    with Engine(limited, EventStore.open(f"sqlite:///{tmp_path / 's.sqlite'}")) as engine:
        listed = engine.recommend(planted.user_id(1), NEXT_VISIT)
    counts: dict[tuple[str, ...], int] = {}
    for r in listed:
        counts[r.item.categories] = counts.get(r.item.categories, 0) + 1
    assert max(counts.values()) == 2
    assert any("max_per_group passed over" in rule for r in listed for rule in r.trace.rules)


# Events


def test_an_event_is_seen_by_the_very_next_request(shop):
    def seen(user: str) -> set[str]:
        listed = shop.recommend(user, NEXT_VISIT, k=planted.N_ITEMS)
        return {r.item.item_id for r in listed if "history" in channels(r)}

    fresh = itertools.count()  # a drawn id would come again with other events

    @WITHIN_A_TEST
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 59)), min_size=1, max_size=4))
    def law(taken):
        batch = f"batch-{next(fresh)}"
        events = [bought(f"{batch}-{u}", planted.item_id(i), n) for n, (u, i) in enumerate(taken)]
        assert shop.observe(events) == len(events)
        for user in {event.user_id for event in events}:
            assert seen(user) == {event.item_id for event in events if event.user_id == user}

    law()


def test_threads_see_their_own_events_and_no_others(shop):
    failures: list[str] = []

    def visit(thread: int) -> None:
        name = f"thread-{thread}"
        for n in range(4):
            item = planted.item_id(15 * thread + 3 * n)
            shop.observe([bought(name, item, n)])
            listed = shop.recommend(name, NEXT_VISIT, k=planted.N_ITEMS)
            took = [r.item.item_id for r in listed if "history" in channels(r)]
            known = {event.item_id for event in shop.store.history(name)}
            if item not in took or set(took) != known:
                failures.append(f"{name}: {item} not among {took}, or {known} differ")

    threads = [threading.Thread(target=visit, args=(t,)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert all(len(shop.store.history(f"thread-{t}")) == 4 for t in range(4))


def test_an_unknown_item_is_refused_and_nothing_of_the_batch_is_stored(shop):
    with pytest.raises(UnknownIdError, match="unknown item 'nothing'"):
        shop.observe([bought("visitor", planted.item_id(1)), bought("visitor", "nothing")])
    assert shop.store.history("visitor") == []


def test_a_repeated_delivery_counts_once(shop):
    event = bought("visitor", planted.item_id(1), event_id="delivery-1")
    assert shop.observe([event]) == 1
    assert shop.observe([event, bought("visitor", planted.item_id(2), event_id="delivery-2")]) == 1
    assert len(shop.store.history("visitor")) == 2


def test_an_event_after_the_scenes_moment_is_not_known_to_it(shop):
    before = shop.recommend("visitor", NEXT_VISIT)
    shop.observe([bought("visitor", planted.item_id(5), minutes=60 * 24 * 30)])
    assert shop.recommend("visitor", NEXT_VISIT) == before


def test_late_and_early_deliveries_of_the_same_events_give_the_same_list(shop):
    events = [bought("", planted.item_id(i), minutes=-60 * 24 * i) for i in (3, 9, 27)]
    for user, order in (("ann", events), ("bob", events[::-1])):
        for event in order:
            shop.observe([bought(user, event.item_id, (event.timestamp - planted.CUT).days * 1440)])
    ann, bob = (shop.recommend(user, NEXT_VISIT) for user in ("ann", "bob"))
    assert [(r.item, r.score) for r in ann] == [(r.item, r.score) for r in bob]


# Wishes


@pytest.mark.parametrize(
    ("words", "word"), [("red wine", "wine"), ("ice cream", "ice cream"), ("dog food", "dog")]
)
def test_words_lift_what_matches_them(grocer, household, words, word):
    def matching(scene: Scene) -> int:
        listed = grocer.recommend(household, scene)
        return sum(word in " ".join((r.item.title, *r.item.categories)).lower() for r in listed)

    asked = matching(Scene(time=SCENE.time, query=words))
    assert asked >= 4
    assert asked > matching(SCENE)


def test_an_occasion_is_a_wish_too(grocer, household):
    plain, asked = (
        grocer.recommend(household, s) for s in (SCENE, Scene(time=SCENE.time, occasion="birthday"))
    )
    assert all(r.trace.wish_score == 0 for r in plain)
    assert any("words" in channels(r) for r in asked)


@pytest.fixture(scope="module")
def photo(grocer: Engine, small_dataset: Path) -> tuple[bytes, str]:
    """A picture of the catalogue, and the path that its items share."""
    for shopper in grocer.shoppers(20):
        for r in grocer.recommend(shopper.user_id, SCENE):
            if r.item.image and (data := read_picture(small_dataset, r.item.image)):
                return data, r.item.image
    pytest.fail("no recommended item has a picture")


def test_a_photo_lifts_what_looks_like_it(grocer, household, photo):
    data, _ = photo
    listed = grocer.recommend(household, Scene(time=SCENE.time, image=data))
    assert any("photo" in channels(r) for r in listed)
    assert all(r.trace.wish_score != 0 for r in listed)
    assert ids(listed) != ids(grocer.recommend(household, SCENE))
    found = grocer.search(image=data, k=20)
    assert [r.score for r in found] == sorted((r.score for r in found), reverse=True)


def test_bytes_that_are_no_photo_are_refused(grocer, household):
    with pytest.raises(ImageError):
        grocer.recommend(household, Scene(image=b"not a picture"))
    with pytest.raises(ImageError):
        grocer.search(image=b"")


# Similar and search


def test_similar_items_are_others_of_the_kind(shop):
    for item in (0, 17, 31, 59):
        listed = shop.similar(planted.item_id(item), k=5)
        assert planted.item_id(item) not in ids(listed)
        assert [r.rank for r in listed] == [1, 2, 3, 4, 5]
        assert all(r.probability is None for r in listed)
        block = [planted.block_of_item(i) == item // planted.BLOCK_SIZE for i in ids(listed)]
        assert sum(block) >= 4


def test_similar_to_nothing_is_refused(shop):
    with pytest.raises(UnknownIdError, match="unknown item 'nothing'"):
        shop.similar("nothing")


@pytest.mark.parametrize(
    ("words", "title"), [("wooden handle hammer tool", "Hammer"), ("fresh milk", "Milk")]
)
def test_search_finds_by_words(shop, words, title):
    assert title in [r.item.title for r in shop.search(words, k=3)]


def test_search_for_nothing_is_refused(shop):
    with pytest.raises(ValueError, match="search needs text, an image, or both"):
        shop.search()


# Around a list


def test_an_answer_is_logged_with_its_slots_and_scene(loaded, tmp_path):
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    with Engine(loaded, EventStore.open(url)) as engine:
        scene = Scene(time=planted.CUT, place="north", query="bread")
        answer = engine.answer(planted.user_id(0), scene, k=5)
        other = engine.answer(planted.user_id(0), scene, k=5)
    assert answer.request_id != other.request_id
    with EventStore.open(url) as store:
        found = store.impressions(answer.request_id)
    assert found.user_id == planted.user_id(0)
    assert found.model == loaded.manifest.run_id
    assert json.loads(found.scene)["query"] == "bread"
    assert [(s.item_id, s.rank, s.score) for s in found.slots] == [
        (r.item.item_id, r.rank, r.score) for r in answer.recommendations
    ]
    assert all(slot.channels for slot in found.slots)


def test_shoppers_and_places_are_those_of_the_run(shop):
    assert {s.user_id for s in shop.shoppers(99)} == {planted.user_id(u) for u in range(30)}
    assert len(shop.shoppers(3)) == 3
    assert set(shop.places()) == set(planted.PLACES)
    cook = next(s for s in shop.shoppers(99) if s.user_id == planted.user_id(0))
    assert cook.summary.startswith("mostly kitchen")


def test_ranking_rows_is_the_list_that_is_served(shop):
    user, scene = planted.user_id(6), Scene(time=planted.CUT, place="south")
    rows, scores = shop.rank_rows(user, shop.moment_of(scene), 10)
    listed = shop.recommend(user, scene)
    assert [shop.run.vocabulary.items.id(row) for row in rows] == ids(listed)
    assert scores.tolist() == pytest.approx([r.score for r in listed])


# Pictures


def test_a_picture_lies_in_the_runs_folder_of_pictures(grocer, small_run, photo):
    _, image = photo
    item = next(
        r.item.item_id
        for s in grocer.shoppers(20)
        for r in grocer.recommend(s.user_id, SCENE)
        if r.item.image == image
    )
    assert grocer.picture_path(item) == (small_run / image).resolve()


@pytest.mark.parametrize(
    "image",
    [
        "../secret.png",
        "pictures/../../secret.png",
        "state/events.sqlite",
        "manifest.json",
        "pictures/../manifest.json",
        "pictures/link.png",
        "/etc/hostname",
        "https://example.org/a.png",
        "//example.org/a.png",
        "data:image/png;base64," + 400 * "A",
        "pictures/none.png",
        "pictures",
        "",
        None,
    ],
)
def test_no_picture_path_leads_out_of_the_pictures(loaded, tmp_path, image):
    folder = tmp_path / "run"
    for name in ("pictures", STATE_FOLDER):
        (folder / name).mkdir(parents=True)
    (tmp_path / "secret.png").write_text("secret")
    (folder / "state" / "events.sqlite").write_text("secret")
    (folder / "manifest.json").write_text("secret")
    (folder / "pictures" / "link.png").symlink_to(tmp_path / "secret.png")
    altered = replace(
        loaded,
        folder=folder,
        settings=loaded.settings.model_copy(update={"pictures": "pictures"}),
        catalogue=[Item(planted.item_id(0), "Apple", image=image)],
    )
    with Engine(altered, EventStore.open(f"sqlite:///{tmp_path / 's.sqlite'}")) as engine:
        assert engine.picture_path(planted.item_id(0)) is None


# Opening


@pytest.fixture
def copy(planted_run: Path, tmp_path: Path) -> Path:
    """A copy of the run that may be damaged: the run's own files are links to its stages'."""
    return Path(shutil.copytree(planted_run, tmp_path / "run"))


def test_an_encoder_that_gives_other_vectors_is_refused(copy):
    path = copy / "content" / "probe.json"
    probe = json.loads(path.read_text())
    probe["text"] = probe["text"][1:] + probe["text"][:1]
    path.write_text(json.dumps(probe))
    with pytest.raises(ManifestError, match=r"probe\.json: altered"):
        Engine.open(copy)
    manifest = json.loads((copy / MANIFEST_FILE).read_text())
    (copy / MANIFEST_FILE).unlink()
    kept = ("dataset_hash", "dataset_name", "as_of_unix_s", "settings", "metrics", "seconds")
    Manifest.seal(copy, **{name: manifest[name] for name in kept})
    with pytest.raises(ProbeError, match="of the probe sentence"):
        Engine.open(copy)


def test_a_damaged_run_does_not_open(copy):
    path = copy / "rank" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ManifestError, match=r"model\.safetensors: altered"):
        Engine.open(copy)


def test_events_are_kept_in_the_run_by_default_and_do_not_break_its_seal(copy):
    for expected in (1, 0):
        with Engine.open(copy) as engine:
            assert engine.observe([bought("u", planted.item_id(0), event_id="once")]) == expected
    assert (copy / STATE_FOLDER / "events.sqlite").is_file()


# What it learned


def test_a_trained_engine_knows_tastes_and_habits(shop, planted_shop: Dataset):
    own, habits, first, news = [], [], [], []
    for user in range(planted.N_USERS):
        visit = planted.visit_of(user, planted.WEEKS_BEFORE)
        scene = Scene(time=visit, place=planted.place_of(user))
        listed = ids(shop.recommend(planted.user_id(user), scene))
        own += [planted.block_of_item(i) == planted.block_of(user) for i in listed]
        habits.append(len(planted.habit_of(user) & set(listed)) / planted.HABIT)
        first.append(len(planted.habit_of(user) & set(listed[:2])) / planted.HABIT)
        new = ids(shop.recommend(planted.user_id(user), scene, k=3, new_only=True))
        news += [planted.block_of_item(i) == planted.block_of(user) for i in new]
    # By chance: half of the list, a sixth of the habits, a thirtieth of the first two slots.
    assert np.mean(own) >= 0.9
    assert np.mean(habits) >= 0.95
    assert np.mean(first) >= 0.8
    # Of what a user never took, about a fifth is of their own block by now.
    assert np.mean(news) >= 0.5


def test_one_purchase_tells_a_strangers_taste(shop):
    def share(user: str) -> float:
        listed = ids(shop.recommend(user, NEXT_VISIT))
        return float(np.mean([planted.block_of_item(i) == 1 for i in listed]))

    for name, items in (("gardener", range(31, 34)), ("cook", range(1, 4))):
        shop.observe([bought(name, planted.item_id(i), i) for i in items])
    # By chance half of either list. Of twelve strangers and three seeds of the training, shares of
    # the right block were 0.93 in the mean, and 0.80 with the worst seed, which is this one.
    assert share("gardener") >= 0.8
    assert share("gardener") - share("cook") >= 0.4
