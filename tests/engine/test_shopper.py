from dataclasses import replace
from datetime import UTC, timedelta

import numpy as np
import planted
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.artifacts import Lineage
from engine.shopper import dismissed_rows, history_of
from engine.types import Event, EventKind
from engine.vocabulary import Ids
from retrieval.rerank.records import Moment

USER = planted.user_id(0)
LATER = Moment(planted.CUT_UNIX_S + 30 * 86_400, 0)


def event(item: int, minutes: float = 0, kind: EventKind = EventKind.PURCHASE, **rest) -> Event:
    """Something done so many minutes after the cut."""
    at = planted.CUT.astimezone(UTC) + timedelta(minutes=minutes)
    return Event(USER, planted.item_id(item), kind, at, **rest)


def test_a_known_user_has_the_events_of_the_run_oldest_first(loaded):
    history = history_of(loaded, USER, [], LATER)
    taken = planted.events().filter(user_id=USER).sort("timestamp", maintain_order=True)
    before = taken.head(planted.WEEKS_BEFORE * 5)["item_id"]
    assert [loaded.vocabulary.items.id(row) for row in history.item] == before.to_list()[
        : len(history)
    ]
    assert history.at_unix_s.max() < planted.CUT_UNIX_S
    assert np.all(np.diff(history.at_unix_s) >= 0)


def test_an_unknown_user_has_what_the_store_holds_and_else_nothing(loaded):
    assert len(history_of(loaded, "stranger", [], LATER)) == 0
    history = history_of(loaded, "stranger", [event(5, place="south", value=3.0)], LATER)
    assert history.item.tolist() == [5]
    assert history.value.tolist() == [3.0]
    assert history.place.tolist() == [loaded.vocabulary.places.row("south")]
    # Berlin keeps summer time in April.
    assert (history.local_s - history.at_unix_s).tolist() == [2 * 3600]


def test_only_what_came_before_the_moment_is_known(loaded):
    live = [event(5, 0), event(6, 10), event(7, 20)]
    at = planted.CUT_UNIX_S + 600
    assert history_of(loaded, "stranger", live, Moment(at, 0)).item.tolist() == [5]
    assert history_of(loaded, "stranger", live, Moment(at + 1, 0)).item.tolist() == [5, 6]
    early = planted.CUT_UNIX_S - 7 * 7 * 86_400
    history = history_of(loaded, USER, live, Moment(early, 0))
    assert 0 < len(history) < len(history_of(loaded, USER, [], LATER))
    assert history.at_unix_s.max() < early


def test_a_live_event_older_than_the_runs_last_takes_its_place_in_time(loaded):
    old = event(59, minutes=-40 * 24 * 60)
    history = history_of(loaded, USER, [old, event(58)], LATER)
    assert np.all(np.diff(history.at_unix_s) >= 0)
    assert history.item[-1] == 58
    assert 0 < np.flatnonzero(history.item == 59)[0] < len(history) - 2


@pytest.mark.parametrize("from_store", [False, True])
def test_a_run_that_learned_from_the_store_holds_its_events_but_not_of_later_items(
    loaded, from_store
):
    items = loaded.vocabulary.items
    grown = replace(loaded.vocabulary, items=Ids.of(items.kind, (*items.ids, "new")))
    lineage = Lineage("parent", None, from_store=from_store)
    run = replace(loaded, vocabulary=grown, manifest=replace(loaded.manifest, lineage=lineage))
    new = replace(event(0, -5), item_id="new")
    found = history_of(run, "stranger", [event(5, -10), new, event(6, 10)], LATER)
    assert found.item.tolist() == ([] if from_store else [5]) + [len(items), 6]


def test_what_says_nothing_of_a_taste_or_is_unknown_is_no_history(loaded):
    gone = Event(USER, "no longer sold", EventKind.PURCHASE, planted.CUT)
    live = [gone, event(5, 1, EventKind.DISMISS), event(6, 2, EventKind.VIEW)]
    assert history_of(loaded, "stranger", live, LATER).item.tolist() == [6]


def test_a_place_that_the_run_does_not_know_counts_as_none(loaded):
    history = history_of(loaded, "stranger", [event(5, place="a new store"), event(6, 1)], LATER)
    assert history.place.tolist() == [0, 0]


def test_half_an_hour_without_an_event_ends_a_visit(loaded):
    live = [event(i, m) for i, m in enumerate([0, 29, 59, 90, 91])]
    session = history_of(loaded, "stranger", live, LATER).session.tolist()
    first, second = session[0], session[3]
    assert session == [first] * 3 + [second] * 2
    assert first != second


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from([None, None, "a", "b", "c"])), max_size=12
    )
)
def test_live_visits_are_told_apart_from_each_other_and_from_the_runs(loaded, visits):
    visits = sorted(visits, key=lambda visit: visit[0])
    live = [event(1, minutes, session_id=name) for minutes, name in visits]
    session = history_of(loaded, "stranger", live, LATER).session.tolist()
    assert all(number < 0 for number in session), "the run's own are 0 and more"
    loose = [minutes for minutes, name in visits if name is None]
    visit_of = {}
    for before, minutes in zip([None, *loose], loose, strict=False):
        starts = before is None or minutes - before > 30
        visit_of[minutes] = visit_of.get(before, 0) + 1 if starts else visit_of[before]
    expected = [name or visit_of[minutes] for minutes, name in visits]
    pairs = set(zip(session, expected, strict=True))
    assert len(pairs) == len(set(session)) == len(set(expected))


@pytest.mark.parametrize(
    ("kinds", "gone"),
    [
        ([EventKind.DISMISS], True),
        ([EventKind.PURCHASE, EventKind.DISMISS], True),
        ([EventKind.DISMISS, EventKind.PURCHASE], False),
        ([EventKind.DISMISS, EventKind.PURCHASE, EventKind.DISMISS], True),
        ([EventKind.VIEW], False),
    ],
)
def test_the_last_word_on_an_item_decides(loaded, kinds, gone):
    live = [event(4, minutes, kind) for minutes, kind in enumerate(kinds)]
    live += [event(9, 50), Event(USER, "unknown", EventKind.DISMISS, planted.CUT)]
    assert dismissed_rows(loaded, live).tolist() == ([4] if gone else [])
