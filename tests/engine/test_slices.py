"""Figures of parts of the requests, and of parts of their targets."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from math import log2
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from small_events import interactions

from engine.evaluate.protocol import Ranked, first_baskets
from engine.evaluate.slices import Surroundings, slices_of
from engine.scene_facets import Facet
from retrieval.rerank.offers import OfferCalendar, Shape

ZONE = ZoneInfo("Europe/Berlin")
CUT = datetime(2024, 3, 30, tzinfo=ZONE)
CUT_UNIX_S = int(CUT.timestamp())


def at(**after) -> int:
    return int((CUT + timedelta(**after)).timestamp())


ROWS = [
    # Users 0 and 1 have an old history, user 2 a fresh one, user 3 none.
    *((user, item, at(days=-90), 10 * user + item) for user in (0, 1) for item in (0, 1)),
    (2, 0, at(days=-3), 30),
    # Saturday 30 March at ten, and Monday 1 April at nine, after the clocks changed.
    (0, 0, at(hours=10), 40), (0, 4, at(hours=10), 40),
    (1, 1, at(days=2, hours=9), 41),
    (2, 4, at(days=2, hours=9), 42),
    (3, 0, at(days=40), 43),
]  # fmt: skip
RANKED = Ranked(np.array([[4, 1], [0, 1], [0, 1], [0, 1]]), np.ones((4, 2), bool))


def asked():
    return first_baskets(interactions(ROWS), CUT_UNIX_S, min_users=0)


def found(around=Surroundings(ZONE, "DE"), asked=None, **settings):  # noqa: B008 - frozen
    parts = slices_of(RANKED, asked or first_baskets(interactions(ROWS), CUT_UNIX_S, min_users=0),
                      around, k=2, **settings)  # fmt: skip
    return {(part.by, part.value): part for part in parts}


SECOND = 1 / log2(3)


def test_requests_by_the_clock_of_the_shop():
    parts = found()
    assert {key for key in parts if key[0] == "hour"} == {("hour", "10"), ("hour", "09"),
                                                          ("hour", "00")}  # fmt: skip
    nine = parts["hour", "09"]
    assert (nine.n_requests, nine.n_targets) == (2, 2)
    # User 1 finds item 1 in second place, user 2 does not find item 4.
    assert nine.ndcg.estimate == pytest.approx((SECOND + 0) / 2)
    assert nine.recall.estimate == 1 / 2
    assert {key[1] for key in parts if key[0] == "weekday"} == {"Saturday", "Monday", "Thursday"}
    assert {key[1]: part.n_requests for key, part in parts.items() if key[0] == "season"} == {
        "spring": 4
    }
    assert not any(key[0] == "season" for key in found(Surroundings(ZONE)))


def test_requests_by_what_is_known_of_their_user():
    parts = found()
    users = {key[1]: part.n_requests for key, part in parts.items() if key[0] == "user"}
    assert users == {"without history": 1, "new": 1, "old": 2}
    assert parts["user", "old"].hit.estimate == 1
    assert parts["user", "new"].hit.estimate == 0
    days = {key[1]: part.n_requests for key, part in parts.items() if key[0].startswith("days")}
    assert days == {"0–1": 1, "1–3": 2, "28+": 1}


def test_targets_by_how_popular_they_are():
    parts = found()
    # Two of six candidates are popular: items 0 and 1. User 0 finds item 4 and not item 0.
    head, tail = parts["item", "head"], parts["item", "tail"]
    assert (head.n_requests, head.n_targets) == (3, 3)
    assert head.recall.estimate == pytest.approx((0 + 1 + 1) / 3)
    assert head.ndcg.estimate == pytest.approx((0 + SECOND + 1) / 3)
    assert (tail.n_requests, tail.recall.estimate) == (2, 1 / 2)


def test_targets_by_whether_an_offer_runs_for_them_then_and_there():
    start, week = CUT_UNIX_S // 3600, 7 * 24
    offers = OfferCalendar.of(
        *(np.array(column) for column in ([4, 1], [1, 2], [0, 1], [start, start],
                                          [start + 24, start + week])),
        shape=Shape(6, 4),
    )  # fmt: skip
    parts = found(Surroundings(ZONE, "DE", offers))
    # Item 4 is on offer for a day, when user 0 asks; item 1 at a place where nobody asks.
    assert parts["offer", "running"].n_targets == 1
    assert parts["offer", "running"].ndcg.estimate == 1
    assert parts["offer", "none"].n_targets == 4
    assert ("offer", "none") not in found()


def test_requests_by_facets_of_the_scene():
    known = asked()
    codes = np.array([[1], [0], [2], [1]], np.int16)
    with_weather = replace(known, requests=replace(known.requests, facets=codes))
    around = Surroundings(ZONE, facets=(Facet("weather", ("", "rain", "sun")),))
    parts = found(around, with_weather)
    assert parts["weather", "rain"].n_requests == 2
    assert parts["weather", "sun"].hit.estimate == 0


def test_parts_of_the_requests_make_the_whole():
    parts = found()
    whole = np.array([1 / 2, 1, 0, 1]).mean()
    for by in ("hour", "weekday", "season", "user", "days since the cut"):
        some = [part for key, part in parts.items() if key[0] == by]
        assert sum(part.n_requests for part in some) == 4
        recall = sum(part.n_requests * part.recall.estimate for part in some) / 4
        assert recall == pytest.approx(whole)
