"""The facts of a list are those of its items, read one by one as they were before."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import planted
import pytest
import torch

from engine.asking import scene_wishes
from engine.reasons import VERBS, Situation, facts_of, facts_of_all
from engine.scene import Scene
from engine.scoring import Asked, score
from engine.shopper import history_of
from engine.types import KINDS, EventKind
from retrieval.rerank.intervals import forecast, pairs_of
from retrieval.rerank.records import DAY_S

ALL = np.arange(planted.N_ITEMS)
LATER = planted.CUT + timedelta(days=2)
SCENES = {
    "nowhere": Scene(time=LATER),
    "in a shop": Scene(time=planted.CUT - timedelta(days=9), place="north"),
    "with words": Scene(time=LATER, place="south", query="fresh apple"),
}


SHOPPERS = {
    "known": planted.user_id(1),
    "of the first item": planted.user_id(0),
    "unknown": "nobody",
}


@pytest.fixture(params=SHOPPERS)
def user_id(request):
    return SHOPPERS[request.param]


@pytest.fixture(params=SCENES)
def asked(request, shop, user_id):
    return request_of(shop, user_id, SCENES[request.param])


def request_of(shop, user_id, scene):
    run = shop.run
    wishes = scene_wishes(run, lambda text: run.encoder.encode_texts([text])[0], scene)
    return scene, Asked(user_id, shop.moment_of(scene), (), tuple(wishes))


def situation_of(shop, user_id, asked):
    scene, request = asked
    run = shop.run
    history = history_of(run, user_id, (), request.moment)
    return Situation.of(run, user_id, scene, history, request.moment)


def due_by_item(situation):
    """When everything of the past is due, by the forecast of all of it."""
    past, table = situation.history, situation.run.world.needs
    pairs = pairs_of(np.zeros(len(past), np.int64), past.item, past.at_unix_s)
    days = forecast(table, pairs, situation.moment.at_unix_s).due_in_days
    return {int(item): float(day) for item, day in zip(pairs.item, days, strict=True) if day == day}


def slowly(situation, row):
    """What NumPy says of one item: visits, days since, days between, times of the group, share."""
    run, history = situation.run, situation.history
    at = history.at_unix_s[history.item == row]
    since = (situation.moment.at_unix_s - int(at[-1])) / DAY_S if len(at) else None
    interval = (int(at[-1]) - int(at[0])) / DAY_S / (len(at) - 1) if len(at) >= 3 else None
    group = run.world.items.groups[0]
    near, weight = run.tables.neighbours.rows[row], run.tables.neighbours.weight[row]
    weight = weight * np.isin(near, history.item)
    best = int(weight.argmax())
    other = run.catalogue[int(near[best])] if weight[best] > 0 else None
    group_times = int((group[history.item] == group[row]).sum())
    return len(at), since, interval, group_times, other, float(weight[best])


def test_a_list_of_facts_is_what_each_item_says_alone(shop, user_id, asked):
    situation = situation_of(shop, user_id, asked)
    wishes = asked[1].wishes
    channels = [(f"channel {row}",) for row in ALL]
    together = facts_of_all(situation, ALL, channels=channels, wishes=wishes)
    due_days = due_by_item(situation)
    for row, facts in enumerate(together):
        assert facts == facts_of(situation, row, channels=channels[row], wishes=wishes)
        assert (facts.due_in_days is None) == (row not in due_days)
        if row in due_days:
            assert facts.due_in_days == pytest.approx(due_days[row], rel=1e-9)
        known = (
            facts.times_taken,
            facts.days_since,
            facts.interval_days,
            facts.category_times,
            facts.together,
            facts.together_share,
        )
        assert known == slowly(situation, row)


def test_the_planted_facts(shop):
    """A user's habit has visits, days and a rhythm; the place has its own sales."""
    user, scene = planted.user_id(1), SCENES["in a shop"]
    situation = situation_of(shop, user, request_of(shop, user, scene))
    found = facts_of_all(situation, ALL, channels=[()] * len(ALL), wishes=())
    by_id = {facts.item.item_id: facts for facts in found}
    for item_id in planted.habit_of(1):
        assert by_id[item_id].times_taken >= 3
        assert by_id[item_id].interval_days == pytest.approx(7, abs=1)
        assert by_id[item_id].path is None
    assert any(facts.place_lift is not None for facts in found)
    for facts in found:
        assert facts.place == "north"
        assert (facts.place_lift is None) == (facts.sold_here < 5)


def test_the_part_of_the_week_and_what_the_user_mostly_does(shop):
    local = LATER.astimezone(shop.run.zone)
    saturday = local.replace(hour=1) + timedelta(days=(5 - local.weekday()) % 7)
    scene, kinds = Scene(time=saturday), (EventKind.PURCHASE, EventKind.PURCHASE, EventKind.VIEW)
    past = shop.run.history.slice(0, len(kinds))
    past = replace(past, kind=np.array([KINDS.index(kind) for kind in kinds], np.int8))
    situation = Situation.of(shop.run, "nobody", scene, past, shop.moment_of(scene))
    (facts,) = facts_of_all(situation, ALL[:1], channels=[()], wishes=())
    assert facts.slot == "weekend night"
    assert facts.verb == VERBS[EventKind.PURCHASE]  # not of the last event, a look


def test_only_words_are_held_to_a_wish_and_only_photos_to_a_photo(shop):
    user, scene = planted.user_id(1), SCENES["with words"]
    _, asked = request_of(shop, user, scene)
    situation = situation_of(shop, user, (scene, asked))
    channels = [()] * len(ALL)
    said = facts_of_all(situation, ALL, channels=channels, wishes=asked.wishes)
    vector = next(wish.vector for wish in asked.wishes if wish.channel == "words")
    cosines = [float(content @ vector) for content in shop.run.tables.content[ALL]]
    assert [facts.wish_similarity for facts in said] == cosines
    assert {facts.photo_similarity for facts in said} == {None}
    shown = tuple(replace(wish, channel="photo") for wish in asked.wishes)
    shown = facts_of_all(situation, ALL, channels=channels, wishes=shown)
    assert [facts.photo_similarity for facts in shown] == cosines
    assert {facts.wish_similarity for facts in shown} == {None}


def test_the_evidence_of_a_list_is_that_of_its_facts(shop, user_id, asked):
    """The trace and the numbers of a list are those of the candidates that it shows."""
    scene, request = asked
    listed = shop.recommend(user_id, scene, k=8)
    scored = score(shop.run, request, 8)
    rows = scored.recalled.candidates.rows
    for slot in listed:
        row = shop.run.vocabulary.items.row(slot.item.item_id)
        at = int(np.flatnonzero(rows == row)[0])
        assert slot.score == pytest.approx(float(scored.total[at]), rel=1e-6)
        assert slot.trace.model_score == pytest.approx(float(scored.model[at]), rel=1e-6)
        origins = scored.recalled.candidates.origins(row)
        chance = shop.run.model.probability(torch.from_numpy(scored.model[at : at + 1]))
        assert slot.probability == pytest.approx(float(chance), rel=1e-5)
        hits = tuple((hit.channel, hit.rank) for hit in slot.trace.channels)
        assert hits == tuple((name, rank) for name, rank, _ in origins)
        assert slot.reason
        assert slot.evidence
    silent = shop.recommend(user_id, scene, k=8, explain=False)
    assert [replace(slot, reason="", evidence=()) for slot in listed] == silent
