"""What stands behind the report: time, probabilities, parts withheld, lists."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import planted
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.errors import DataError
from engine.evaluate.asked_for import Protocol
from engine.evaluate.bootstrap import Interval
from engine.evaluate.engine_ranker import EngineRanker, as_trained, told_events, without_scene
from engine.evaluate.example_lists import example_lists, picture_uri
from engine.evaluate.rankers import evaluate, measure
from engine.evaluate.reliability import reliability_of
from engine.evaluate.run import evaluate_run, requests_of
from engine.evaluate.timeline import DAY_S, spans_of
from engine.evaluate.withheld import RecallRanker, at_noon, of_nobody, worth_of_parts
from engine.recommend import Engine
from engine.stages import Silent
from engine.types import Event, EventKind
from retrieval.candidates import Channel, merge
from retrieval.rerank.records import Moment

# --- time


def test_spans_by_hand():
    at = np.array([0, 10, DAY_S, 3 * DAY_S - 1]) + 1000
    ours, theirs = np.array([1.0, 0.0, 0.5, 0.25]), np.zeros(4)

    one, two = spans_of(at, 1000, ours, theirs, most=2, fewest=1)

    assert (one.first_day, one.last_day, one.n_requests) == (0, 1, 3)
    assert (two.first_day, two.last_day, two.n_requests) == (2, 3, 1)
    assert one.ours.estimate == pytest.approx(1.5 / 3)
    assert two.ours == Interval(0.25, 0.25, 0.25)


@given(
    st.lists(st.integers(0, 60 * DAY_S), min_size=1, max_size=80),
    st.integers(1, 9),
    st.integers(1, 30),
)
def test_spans_hold_every_request_once_and_never_too_few(seconds, most, fewest):
    at = np.sort(np.array(seconds))
    values = np.linspace(0, 1, len(at))

    spans = spans_of(at, 0, values, values, most=most, fewest=fewest)

    assert sum(span.n_requests for span in spans) == len(at)
    assert all(span.n_requests >= fewest for span in spans) or len(spans) == 1
    assert len(spans) <= most
    ends = [span.last_day for span in spans[:-1]]
    assert [span.first_day for span in spans] == [0, *(end + 1 for end in ends)]
    mean = sum(span.n_requests * span.ours.estimate for span in spans) / len(at)
    assert mean == pytest.approx(values.mean())


# --- probabilities


def test_reliability_by_hand():
    chance = np.array([0.9, 0.1, 0.2, 0.8])
    taken = np.array([True, False, True, True])

    found = reliability_of(chance, taken, n_bins=2)

    low, high = found.bins
    assert (low.chance, low.came_true.estimate, low.n) == (pytest.approx(0.15), 0.5, 2)
    assert (high.chance, high.came_true.estimate, high.n) == (pytest.approx(0.85), 1.0, 2)
    assert found.error == pytest.approx((2 * 0.35 + 2 * 0.15) / 4)
    assert (found.told, found.taken) == (pytest.approx(0.5), 0.75)


def test_the_interval_is_that_of_wilson():
    (of_half,) = reliability_of(np.full(10, 0.5), np.arange(10) < 5, n_bins=1).bins
    (of_none,) = reliability_of(np.full(10, 0.5), np.zeros(10, bool), n_bins=1).bins
    # Wilson's interval of 5 and of 0 in 10, as in tables of it.
    assert of_half.came_true.low == pytest.approx(0.2366, abs=1e-4)
    assert of_half.came_true.high == pytest.approx(0.7634, abs=1e-4)
    assert of_none.came_true.low == 0
    assert of_none.came_true.high == pytest.approx(0.2775, abs=1e-4)


def test_chances_that_keep_their_word_have_a_small_error():
    rng = np.random.default_rng(0)
    chance = rng.random(40_000)
    honest, boastful = rng.random(40_000) < chance, rng.random(40_000) < chance / 2

    assert reliability_of(chance, honest).error < 0.01
    assert reliability_of(chance, boastful).error == pytest.approx(0.25, abs=0.01)


def test_no_answer_has_no_reliability():
    assert reliability_of(np.empty(0), np.empty(0, bool)) is None


# --- parts withheld


MOMENT = Moment(1_000_000, 1_003_600, place=2, to_holiday_days=3.0, facets=(1, 2))


def test_what_is_withheld_is_gone_and_the_rest_stays():
    user, moment = without_scene("ann", MOMENT)
    assert (user, moment.place, moment.facets) == ("ann", 0, ())
    assert (moment.at_unix_s, moment.to_holiday_days) == (1_000_000, 3.0)

    user, moment = at_noon("ann", MOMENT)
    assert moment.hour == 12
    assert (user, moment.weekday, moment.place) == ("ann", MOMENT.weekday, 2)

    user, moment = of_nobody("ann", MOMENT)
    assert user != "ann"
    assert moment == MOMENT


@pytest.fixture(scope="module")
def asked(loaded, planted_shop):
    return requests_of(loaded, planted_shop)


def test_the_past_of_a_shopper_is_worth_what_was_planted(shop, asked):
    with_it, without = (
        evaluate(EngineRanker(shop, asked, with_scene=where), asked) for where in (True, False)
    )

    parts = {p.part: p for p in worth_of_parts(shop, asked, with_it, without, Silent())}

    # The habits are the users' own: without a past they cannot be found.
    assert parts["the shopper's past"].worth.low > 0.1
    assert parts["the reranker"].worth.low > 0.1
    for part in parts.values():
        whole = part.without.estimate + part.worth.estimate
        assert whole == pytest.approx(with_it.ndcg.mean())


def test_candidates_without_a_reranker_come_by_rank_then_by_channels(asked):
    def channel(name: str, *rows: int) -> Channel:
        return Channel(name, np.array(rows, np.int64), np.ones(len(rows), np.float32))

    found = merge([channel("a", 5, 3), channel("b", 7, 3), channel("c", 7)])
    ranker = RecallRanker(_Found(found), asked)  # type: ignore[arg-type]

    ranked = ranker.rank(asked.requests[:1], 10, new_only=False)

    assert ranked.rows[0][ranked.valid[0]].tolist() == [7, 5, 3]
    with pytest.raises(ValueError, match="new_only"):
        ranker.rank(asked.requests[:1], 10, new_only=True)


class _Found:
    """An engine that finds the same for everyone."""

    def __init__(self, candidates) -> None:
        self._candidates = candidates

    def candidates(self, requests):
        return iter([self._candidates] * len(requests))


# --- the run as it was trained


def test_what_the_runs_store_has_seen_since_decides_nothing(planted_run, asked, tmp_path):
    run = Path(shutil.copytree(planted_run, tmp_path / "run"))

    def rows(engine: Engine) -> np.ndarray:
        ranker = EngineRanker(engine, asked, with_scene=True)
        return ranker.rank(asked.requests[:5], 10, new_only=False).rows

    with as_trained(run) as engine:
        before = rows(engine)
    at = planted.CUT + timedelta(minutes=1)
    bought = [
        Event(planted.user_id(user), planted.item_id(item), EventKind.PURCHASE, at)
        for user in range(planted.N_USERS)
        for item in range(50, 60)
    ]
    with Engine.open(run) as engine:
        engine.observe(bought)
        assert not np.array_equal(rows(engine), before)

    with as_trained(run) as engine:
        np.testing.assert_array_equal(rows(engine), before)


def test_evaluating_writes_nothing_into_the_run(planted_run, planted_shop, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in planted_run.rglob("*") if path.is_file()}

    found = evaluate_run(Path(planted_shop.folder), planted_run, out=tmp_path / "f.json")

    after = {path: path.stat().st_mtime_ns for path in planted_run.rglob("*") if path.is_file()}
    assert after == before
    assert (tmp_path / "f.md").read_text("utf-8").startswith(f"**{found.table.title}**")
    assert not found.checks.leaks


def test_a_run_that_learned_from_everything_cannot_be_tested(loaded, planted_shop):
    after = replace(loaded.manifest, as_of_unix_s=planted.CUT_UNIX_S + 365 * DAY_S)
    with pytest.raises(DataError, match="--hold-out-weeks"):
        requests_of(replace(loaded, manifest=after), planted_shop)


def test_a_run_of_another_dataset_cannot_be_tested(loaded, planted_shop):
    with pytest.raises(DataError, match="another dataset"):
        requests_of(loaded, replace(planted_shop, hash="0" * 64))


# --- other protocols


COLD = Protocol.NEW_USERS, Protocol.NEW_ITEMS


@pytest.mark.parametrize("protocol", [p for p in Protocol if p not in COLD])
def test_every_protocol_is_evaluated(planted_shop, planted_run, tmp_path, protocol):
    folder = Path(planted_shop.folder)
    found = evaluate_run(folder, planted_run, out=tmp_path / "f.json", protocol=protocol)

    methods = [row.method for row in found.table.rows]
    assert methods[0] == "Vitrine"
    assert "EASE" in methods
    assert found.table.title.endswith(protocol.heading)
    assert not found.checks.leaks


@pytest.mark.parametrize("protocol", COLD)
def test_nothing_new_came_to_the_planted_shop(loaded, planted_shop, protocol):
    with pytest.raises(DataError, match="no basket with a candidate"):
        requests_of(loaded, planted_shop, protocol=protocol)


def test_what_a_request_tells_counts_as_what_a_store_holds(planted_run, loaded, planted_shop):
    asked = requests_of(loaded, planted_shop, protocol=Protocol.NEXT_BASKETS)
    told = told_events(loaded, asked.requests)
    late = max(told, key=lambda row: len(told[row]))
    one = replace(asked, requests=asked.requests[np.array([late])], targets=(asked.targets[late],))

    with as_trained(planted_run) as engine:
        silent = EngineRanker(engine, one, with_scene=True).answer(one.requests, 10)
        telling = EngineRanker(engine, one, with_scene=True, told=True).answer(one.requests, 10)
        engine.observe(told[late])
        stored = EngineRanker(engine, one, with_scene=True).answer(one.requests, 10)

    np.testing.assert_array_equal(telling.ranked.rows, stored.ranked.rows)
    np.testing.assert_array_equal(telling.logit, stored.logit)
    assert (telling.logit != silent.logit).any()
    assert all(event.timestamp.timestamp() < one.requests.at_unix_s[0] for event in told[late])


# --- lists


def test_example_lists_are_those_that_were_measured(shop, asked):
    answers = EngineRanker(shop, asked, with_scene=True).answer(asked.requests, 10)
    scores = measure("", answers.ranked, asked)

    best, *others, worst = example_lists(shop, asked, answers, scores)

    assert best.ndcg >= max(shown.ndcg for shown in (*others, worst))
    assert worst.ndcg <= min(shown.ndcg for shown in others)
    lists = [
        [shop.run.vocabulary.items.id(int(row)) for row in rows] for rows in answers.ranked.rows
    ]
    baskets = [
        sorted(shop.run.catalogue[int(row)].title for row in items) for items in asked.targets
    ]
    for shown in (best, *others, worst):
        at = lists.index([item.item_id for item in shown.items])
        assert scores.ndcg[at] == shown.ndcg
        assert sorted(shown.basket) == baskets[at]
        taken = [item.title for item in shown.items if item.taken]
        assert set(taken) <= set(shown.basket)
        assert len(taken) / len(shown.basket) == pytest.approx(scores.recall[at])
        assert all(item.reason.endswith(".") and 0 < item.probability < 1 for item in shown.items)


def test_the_page_does_not_tell_who_a_shopper_is(shop, asked):
    answers = EngineRanker(shop, asked, with_scene=True).answer(asked.requests, 10)
    shown = example_lists(shop, asked, answers, measure("", answers.ranked, asked))
    assert not [user for user in shop.run.vocabulary.users.ids if user in repr(shown)]


def test_pictures_are_small_and_carried_along(tmp_path):
    photo = BytesIO()
    Image.new("RGB", (800, 600), "peru").save(photo, "PNG")
    (tmp_path / "a.png").write_bytes(photo.getvalue())
    (tmp_path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "large.svg").write_text(f"<svg>{' ' * 20_000}</svg>")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")

    photo_uri = picture_uri(tmp_path / "a.png")

    assert photo_uri is not None
    assert photo_uri.startswith("data:image/jpeg;base64,")
    assert len(photo_uri) < 4_000
    assert (picture_uri(tmp_path / "a.svg") or "").startswith("data:image/svg+xml;base64,")
    assert picture_uri(tmp_path / "large.svg") is None
    assert picture_uri(tmp_path / "broken.jpg") is None
    assert picture_uri(None) is None


def test_the_pictures_of_a_shop_are_found(small_run):
    with as_trained(small_run) as engine:
        (milk,) = engine.search("milk", k=1)
        uri = picture_uri(engine.picture_path(milk.item.item_id))
    assert (uri or "").startswith("data:image/svg+xml;base64,")
