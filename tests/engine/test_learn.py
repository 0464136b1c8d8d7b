from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.arrays import histories
from engine.interactions import Interactions
from engine.learn import (
    WEEK_S,
    Fixed,
    Past,
    Session,
    Teacher,
    WeeklyWorlds,
    choose_sessions,
    sessions_between,
    tasks_of,
    taste_of,
    world_before,
)
from engine.types import EventKind
from graph import embed_users, interest
from retrieval.index import build_index
from retrieval.neighbours import item_neighbours
from retrieval.recall import Tables
from retrieval.rerank.config import CandidateConfig, RerankConfig
from retrieval.rerank.offers import no_offers
from retrieval.rerank.records import DAY_S, ItemTable, Moment

KINDS = list(EventKind)
PURCHASE, RATING, CLICK = (
    KINDS.index(kind) for kind in (EventKind.PURCHASE, EventKind.RATING, EventKind.CLICK)
)
UTC = ZoneInfo("UTC")
AS_OF = 200 * DAY_S


def past_of(rows, n_users=3, n_items=8) -> Past:
    """Events from rows of (user, item, time, session[, kind[, value]])."""
    filled = [(*row, PURCHASE, 1.0)[:6] if len(row) == 4 else (*row, 1.0)[:6] for row in rows]
    filled.sort(key=lambda row: (row[0], row[2]))
    user, item, at, session, kind, value = zip(*filled, strict=True) if filled else [()] * 6
    events = Interactions(
        user=np.array(user, np.int64),
        item=np.array(item, np.int64),
        kind=np.array(kind, np.int8),
        at_unix_s=np.array(at, np.int64),
        value=np.array(value, np.float32),
        session=np.array(session, np.int64),
        place=np.zeros(len(filled), np.int64),
        n_users=n_users,
        n_items=n_items,
        n_places=1,
    )
    return Past(events, histories(events, UTC))


def random_past(seed: int, n_users=6, n_items=12, weeks=10) -> Past:
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        for visit, at in enumerate(np.sort(rng.integers(0, weeks * WEEK_S, 8))):
            for item in rng.choice(n_items, 3, replace=False):
                rows.append((user, int(item), int(at), user * 100 + visit))
    return past_of(rows, n_users, n_items)


def fixed_of(past: Past, seed: int = 0) -> Fixed:
    n = past.events.n_items
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    items = ItemTable(
        groups=(np.arange(n) % 3)[None],
        n_groups=(3,),
        log_price=np.zeros(n, np.float32),
        recommendable=np.ones(n, np.bool_),
    )
    return Fixed(items, no_offers(n, 1), vectors, 1, 30.0, 60.0)


def teacher_of(past: Past, negatives: int = 4, **fixed_fields) -> Teacher:
    fixed = replace(fixed_of(past), **fixed_fields)
    events = past.events
    return Teacher(
        past=past,
        items=fixed.items,
        tables=Tables(
            item_neighbours(
                events.user,
                events.item,
                np.ones(len(events), np.float32),
                shape=(events.n_users, events.n_items),
            ),
            fixed.vectors,
            fixed.vectors,
        ),
        index=build_index(np.arange(events.n_items), fixed.vectors),
        world_at=lambda at: world_before(past, fixed, at),
        candidates=CandidateConfig(),
        rerank=RerankConfig(history=8, negatives=negatives),
        user_half_life_days=30.0,
    )


# Sessions


def test_sessions_are_cut_by_their_start():
    past = past_of(
        [(0, 1, 10, 0), (0, 2, 20, 0), (0, 3, 30, 1), (1, 1, 19, 2), (1, 2, 21, 2), (2, 5, 20, 3)]
    )
    found = sessions_between(past.events, 20, 30)
    # Sessions 0 and 2 began before 20 though they reach over it; session 1 begins at 30.
    assert found == [Session(user=2, first=5, start=5, stop=6)]
    assert len(sessions_between(past.events, 10, 31)) == 4
    assert sessions_between(past_of([]).events, 0, 100) == []


@given(st.integers(0, 2**32 - 1))
def test_sessions_tile_the_events_and_each_is_of_one_user(seed):
    past = random_past(seed)
    events = past.events
    found = sessions_between(events, 0, 2**40)
    assert [s.start for s in found] == [0, *[s.stop for s in found[:-1]]]
    assert found[-1].stop == len(events)
    for s in found:
        assert len(np.unique(events.session[s.start : s.stop])) == 1
        assert set(events.user[s.first : s.stop]) == {s.user}
        assert s.first == 0 or events.user[s.first - 1] != s.user


def test_the_history_of_a_session_ends_where_it_begins():
    past = past_of([(0, 1, 10, 0), (0, 2, 20, 1), (0, 3, 20, 1), (0, 4, 25, 1), (1, 5, 5, 2)])
    session = next(s for s in sessions_between(past.events, 20, 30))
    # Items 2 and 3 come at the same second and in the same session: neither may see the other.
    assert past.before(session).item.tolist() == [1]
    moment = past.moment(session)
    assert (moment.at_unix_s, moment.local_s, moment.place) == (20, 20, 0)


def test_a_run_has_the_heads_whose_events_it_has():
    assert tasks_of(past_of([(0, 1, 1, 0)]).events) == ("purchase",)
    mixed = past_of([(0, 1, 1, 0, CLICK), (0, 1, 2, 0, RATING), (0, 1, 3, 0, PURCHASE)])
    assert tasks_of(mixed.events) == ("purchase", "rating", "click")


# Choosing


def test_choosing_is_decided_by_the_seed():
    past = random_past(1)
    sessions = sessions_between(past.events, 0, AS_OF)
    config = RerankConfig(max_requests=10)
    one, same, other = (
        choose_sessions(sessions, past.events, config, AS_OF, seed) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other
    assert len(one) == len({s.start for s, _ in one}) == 10


def test_a_session_is_weighed_by_its_age_or_drawn_by_it_never_both():
    past = past_of([(0, 1, AS_OF - 60 * DAY_S, 0), (1, 1, AS_OF - 120 * DAY_S, 1)])
    sessions = sessions_between(past.events, 0, AS_OF)
    config = RerankConfig(half_life_days=60)
    every = choose_sessions(sessions, past.events, config, AS_OF, 0)
    assert [weight for _, weight in every] == pytest.approx([0.5, 0.25])
    few = config.model_copy(update={"max_requests": 1})
    drawn = [choose_sessions(sessions, past.events, few, AS_OF, seed)[0] for seed in range(300)]
    assert {weight for _, weight in drawn} == {1.0}
    newer = sum(session.user == 0 for session, _ in drawn)
    # Twice as likely: 200 of 300, within five standard deviations.
    assert abs(newer - 200) < 41


def test_nothing_to_choose_from_is_no_error():
    assert choose_sessions([], past_of([]).events, RerankConfig(), AS_OF, 0) == []


# Worlds


def visible(world) -> tuple:
    """Everything in a world that events decide."""
    trends, crowd = world.trends, world.crowd
    return (
        trends.all_time.tolist(),
        trends.last_28_days.tolist(),
        trends.place_counts.toarray().tolist(),
        trends.slot_lift.tolist(),
        crowd.row.tolist(),
        crowd.taste.tolist(),
        crowd.profile.toarray().tolist(),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10 * WEEK_S - 1), st.integers(0, 5))
def test_a_weekly_world_is_blind_to_the_request_and_all_that_follows(at, seed):
    past = random_past(seed)
    world = WeeklyWorlds(past, fixed_of(past), 10 * WEEK_S)(at)
    assert at - WEEK_S < world.trends.as_of_unix_s <= at
    assert (10 * WEEK_S - world.trends.as_of_unix_s) % WEEK_S == 0
    events = past.events
    assert world.trends.all_time.sum() == (events.at_unix_s < world.trends.as_of_unix_s).sum()
    # Other events from the request on, and the world is the same.
    item = np.where(events.at_unix_s >= at, 0, events.item)
    changed = replace(past, events=replace(events, item=item))
    changed = replace(changed, history=histories(changed.events, UTC))
    assert visible(WeeklyWorlds(changed, fixed_of(past), 10 * WEEK_S)(at)) == visible(world)


def test_requests_of_one_week_share_a_world():
    past = random_past(0)
    world_at = WeeklyWorlds(past, fixed_of(past), AS_OF)
    assert world_at(AS_OF - 1) is world_at(AS_OF - WEEK_S)
    assert world_at(AS_OF - WEEK_S - 1) is not world_at(AS_OF - WEEK_S)


def test_the_first_world_is_empty_and_answers_all_the_same():
    past = random_past(0)
    world = world_before(past, fixed_of(past), 0)
    assert world.trends.all_time.sum() == 0
    assert world.crowd.scores(np.ones(6, np.float32), 0).tolist() == [0] * 12


def test_nobody_is_in_their_own_crowd():
    # User 0 alone takes item 7; seen by user 0, nobody does.
    past = past_of([(0, 7, 10, 0), (1, 1, 10, 1), (2, 2, 10, 2)])
    fixed = fixed_of(past)
    crowd = world_before(past, fixed, AS_OF).crowd
    taste = embed_users(fixed.vectors, [np.array([7])], [np.ones(1, np.float32)])[0]
    assert crowd.scores(taste, own_row=0)[7] == 0
    assert crowd.scores(taste, own_row=None)[7] > 0
    assert crowd.scores(taste, own_row=1)[7] > 0


# Examples


def test_a_taste_is_decayed_interest_by_item():
    past = past_of([(0, 3, 0, 0), (0, 1, 10 * DAY_S, 1), (0, 3, 10 * DAY_S, 1)])
    items, weight = taste_of(past.history, Moment(20 * DAY_S, 0), half_life_days=10)
    assert items.tolist() == [1, 3]
    np.testing.assert_allclose(weight, interest(np.array([0.5, 0.75], np.float32)))


def test_labels_are_what_the_session_took():
    past = random_past(3)
    sessions = sessions_between(past.events, 5 * WEEK_S, 10 * WEEK_S)
    examples = list(teacher_of(past).examples([(s, 1.0) for s in sessions], seed=0))
    assert len(examples) == len(sessions)
    assert sum(example is not None for example in examples) > len(sessions) / 2
    for session, example in zip(sessions, examples, strict=True):
        if example is not None:
            taken = set(past.events.item[session.start : session.stop].tolist())
            labelled = set(example.candidates[example.label[:, 0]].tolist())
            assert labelled
            assert labelled <= taken
            assert taken & set(example.candidates.tolist()) == labelled
            known = set(past.before(session).item.tolist())
            new = [item not in known for item in example.candidates.tolist()]
            assert example.is_new.tolist() == new


def test_each_head_has_labels_of_its_own_kind_and_a_poor_rating_is_no_positive():
    rows = [(u, i, 1 + u, u) for u in range(3) for i in range(8)]
    rows += [
        (0, 0, WEEK_S, 9, PURCHASE),
        (0, 1, WEEK_S, 9, CLICK),
        (0, 2, WEEK_S, 9, RATING, 5.0),
        (0, 3, WEEK_S, 9, RATING, 1.0),
        (0, 4, WEEK_S, 9, RATING, 5.0),
    ]
    past = past_of(rows)
    (session,) = sessions_between(past.events, WEEK_S, 2 * WEEK_S)
    (example,) = teacher_of(past, negatives=99).examples([(session, 1.0)], seed=0)
    liked = {name: set() for name in ("purchase", "rating", "click")}
    for head, column in zip(liked, example.label.T, strict=True):
        liked[head] = set(example.candidates[column].tolist())
    assert liked == {"purchase": {0}, "rating": {2, 4}, "click": {1}}


def test_a_kept_negative_stands_for_those_that_were_not():
    rows = [(u, i, 1 + u, u) for u in range(3) for i in range(8)]
    past = past_of([*rows, (0, 0, WEEK_S, 9), (0, 1, WEEK_S, 9)])
    (session,) = sessions_between(past.events, WEEK_S, 2 * WEEK_S)
    (full,) = teacher_of(past, negatives=99).examples([(session, 1.0)], seed=0)
    assert full.candidates.tolist() == list(range(8))
    assert full.log_weight.tolist() == [0.0] * 8
    (few,) = teacher_of(past, negatives=2).examples([(session, 0.5)], seed=0)
    assert few.weight == 0.5
    positive = few.label[:, 0]
    assert few.candidates[positive].tolist() == [0, 1]
    assert few.log_weight[positive].tolist() == [0, 0]
    # Two of six negatives were kept: each stands for three.
    np.testing.assert_allclose(few.log_weight[~positive], np.log(3), rtol=1e-6)
    assert len(few.candidates) == 4
    rows_of = {item: row for row, item in enumerate(full.candidates.tolist())}
    kept = [rows_of[item] for item in few.candidates.tolist()]
    np.testing.assert_array_equal(few.features, full.features[kept])


def test_a_session_of_which_nothing_was_retrieved_teaches_nothing():
    past = past_of([(0, 0, 1, 0), (1, 1, 2, 1), (0, 7, WEEK_S, 2)])
    (session,) = sessions_between(past.events, WEEK_S, 2 * WEEK_S)
    items = replace(fixed_of(past).items, recommendable=np.arange(8) != 7)
    assert list(teacher_of(past, items=items).examples([(session, 1.0)], seed=0)) == [None]


def test_examples_do_not_change_with_what_happens_later():
    past = random_past(4)
    cut = 7 * WEEK_S
    until = past.events.at_unix_s < cut
    shorter = Past(past.events.where(until), past.history.where(until))
    tables = teacher_of(shorter).tables
    outcomes = []
    for events in (past, shorter):
        sessions = [
            s
            for s in sessions_between(events.events, 5 * WEEK_S, cut)
            if events.events.at_unix_s[s.stop - 1] < cut
        ]
        teacher = replace(teacher_of(events), tables=tables)
        examples = teacher.examples([(s, 1.0) for s in sessions], seed=0)
        outcomes.append([e for e in examples if e is not None])
    assert len(outcomes[0]) == len(outcomes[1]) > 0
    for one, other in zip(*outcomes, strict=True):
        assert one.candidates.tolist() == other.candidates.tolist()
        np.testing.assert_array_equal(one.features, other.features)
        assert one.label.tolist() == other.label.tolist()
