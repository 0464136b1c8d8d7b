"""What each channel may propose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from corner_shop import NOW_H, Event, Offer, calendar, history, items, now, trends

from retrieval.candidates import Channel, merge
from retrieval.crowd import gather_crowd
from retrieval.neighbours import item_neighbours
from retrieval.partners import Partners
from retrieval.recall import (
    Query,
    Recalled,
    Tables,
    content_profile,
    last_visits,
    recall,
    shortlist,
    token_vectors,
)
from retrieval.rerank.config import CandidateConfig
from retrieval.rerank.features import World, cross_features
from retrieval.rerank.records import History, Moment
from retrieval.rerank.trends import day_slot

N = 6
CHANNELS = (
    *("history", "graph", "together", "crowd", "scene", "popular", "category", "offers"),
    *("basket", "week"),
)
EVERYTHING = np.ones(N, np.bool_)
RNG = np.random.default_rng(0)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


GRAPH, CONTENT = unit(RNG.normal(size=(N, 4))), unit(RNG.normal(size=(N, 5)))
USER = unit(RNG.normal(size=4))
# Every pair of items shares a user, so that each is a neighbour of each.
NEIGHBOURS = item_neighbours(
    np.repeat(np.arange(3), N),
    np.tile(np.arange(N), 3),
    RNG.uniform(0.5, 2, 3 * N).astype(np.float32),
    shape=(3, N),
    n=N,
)
# Each item has the others for partners, the next one first.
PARTNERS = Partners(
    rows=((np.arange(N)[:, None] + np.arange(1, N)) % N).astype(np.int32),
    log_lift=np.tile(np.linspace(1, 0.2, N - 1, dtype=np.float32), (N, 1)),
    together=np.full((N, N - 1), 9, np.float32),
    count=np.full(N, 20, np.float32),
    n_baskets=np.array(100, np.int64),
)
TABLES = Tables(NEIGHBOURS, GRAPH, CONTENT, PARTNERS)
SOLD = history(
    *[Event(3, 9, place=1)] * 5,
    *[Event(4, 8, place=1)] * 3,
    *[Event(5, 7, place=2)] * 4,
    *[Event(0, 6, place=1)] * 2,
)
OFFERS = calendar(
    Offer(0, 1, 0, NOW_H - 1, NOW_H + 1),
    Offer(2, 1, 0, NOW_H - 1, NOW_H + 1),
    Offer(3, 0, 1, NOW_H - 1, NOW_H + 1),
    Offer(4, 1, 0, NOW_H + 1, NOW_H + 2),  # later
    Offer(5, 1, 0, NOW_H - 2, NOW_H),  # over
    Offer(1, 2, 0, NOW_H - 1, NOW_H + 1),  # elsewhere
)
CROWD = gather_crowd(
    np.repeat(np.arange(3), N),
    np.tile(np.arange(N), 3),
    RNG.uniform(0.1, 1, 3 * N).astype(np.float32),
    np.full(3, 2, np.float32),
    unit(RNG.normal(size=(3, 4))),
    n_items=N,
)
WORLD = World(items(), trends(SOLD), OFFERS, CROWD)
MINE = history(Event(0, 240), Event(1, 120), Event(1, 120), Event(0, 1))


def ask(
    past: History = MINE,
    moment: Moment | None = None,
    *,
    config: CandidateConfig | None = None,
    allowed: np.ndarray = EVERYTHING,
    user: int | None = None,
    asked: tuple[Channel, ...] = (),
    most: int | None = None,
    tables: Tables = TABLES,
) -> Recalled:
    scores = GRAPH @ USER
    order = np.argsort(-scores)
    query = Query(past, moment or now(1), USER, Channel("graph", order, scores[order]), user, asked)
    return recall(query, WORLD, tables, config or CandidateConfig(), allowed, most)


def by_name(found: Recalled) -> dict[str, Channel]:
    return {c.name: c for c in found.candidates.channels}


def test_the_channels_are_those_of_the_design() -> None:
    words = Channel("words", np.array([1, 4]), np.array([2, 1], np.float32))
    assert tuple(by_name(ask(asked=(words,)))) == (*CHANNELS, "words")


def test_what_was_taken_before_comes_from_the_history_channel_only() -> None:
    channels = by_name(ask())
    assert sorted(channels["history"].rows) == [0, 1]
    for name in CHANNELS[1:]:
        assert len(channels[name].rows), name
        assert not np.isin(channels[name].rows, [0, 1]).any(), name


def test_history_counts_with_decay() -> None:
    history_channel = by_name(ask())["history"]
    # Half-lives of 120 days: item 0 twice, two of them and none of them ago; item 1 twice, one ago.
    assert history_channel.rows.tolist() == [0, 1]
    np.testing.assert_allclose(
        history_channel.scores, [0.5**2 + 0.5 ** (1 / 120), 0.5 + 0.5], rtol=1e-6
    )


@pytest.mark.parametrize("past", [MINE, history()])
def test_nothing_that_is_not_allowed(past: History) -> None:
    allowed = np.array([False, True, True, False, True, False])
    words = Channel("words", np.array([0, 4, 1]), np.array([3, 2, 1], np.float32))
    found = ask(past, allowed=allowed, asked=(words,))
    for channel in found.candidates.channels:
        assert allowed[channel.rows].all(), channel.name
    assert by_name(found)["words"].rows.tolist() == [4, 1]
    assert by_name(found)["words"].scores.tolist() == [2, 1]
    assert len(found.candidates.rows)


def test_nothing_at_all_is_allowed() -> None:
    found = ask(allowed=~EVERYTHING)
    assert len(found.candidates.rows) == len(found.sources.graph) == 0


def test_offers_that_run_here_and_now() -> None:
    assert sorted(by_name(ask())["offers"].rows) == [2, 3]  # not 0, which was taken before
    assert sorted(by_name(ask(history()))["offers"].rows) == [0, 2, 3]
    assert by_name(ask(history(), now(0)))["offers"].rows.tolist() == [3]
    assert sorted(by_name(ask(history(), now(2)))["offers"].rows) == [1, 3]


def test_what_sells_here_best_first() -> None:
    channels = by_name(ask(history()))
    assert channels["scene"].rows.tolist() == [3, 4, 0]
    assert channels["popular"].rows[:4].tolist() == [3, 5, 4, 0]
    assert channels["popular"].scores[:4].tolist() == [5, 4, 3, 2]
    assert by_name(ask(history(), now(2)))["scene"].rows.tolist() == [5]


def test_without_a_place_there_is_no_here() -> None:
    assert len(by_name(ask(moment=now(0)))["scene"].rows) == 0


def test_the_category_channel_prefers_the_groups_that_the_user_takes_from() -> None:
    # Group 1 holds items 2 and 3, group 2 items 4 and 5.
    likes_second, likes_first = (by_name(ask(history(Event(i, 1))))["category"] for i in (5, 3))
    assert likes_second.rows[0] == 4
    assert likes_first.rows.tolist().index(2) < likes_first.rows.tolist().index(4)


def test_the_category_channel_by_hand() -> None:
    found = by_name(ask(history(Event(5, 1))))["category"]
    taken = 0.5 ** (1 / CandidateConfig().habit_half_life_days)
    # Of the groups of two items each, one sold 2 in 28 days, one 5, one 7; every item sold a half.
    habit = [0.05 / 3 / (2 + 20), 0.05 / 3 / (5 + 20), (taken + 0.05 / 3) / (7 + 20)]
    sold = [2.5, 0.5, 0.5, 5.5, 3.5, 0.5]
    expected = [n * habit[row // 2] for row, n in enumerate(sold)]
    assert sorted(found.rows.tolist()) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found.scores, np.array(expected)[found.rows], rtol=1e-5)
    assert (np.diff(found.scores) <= 0).all()


def test_the_graph_channel_is_the_index_without_what_was_taken() -> None:
    channel = by_name(ask())["graph"]
    expected = [r for r in np.argsort(-(GRAPH @ USER)) if r not in (0, 1)]
    assert channel.rows.tolist() == expected


def test_quotas() -> None:
    names = CHANNELS
    for n in (0, 1, 2):
        found = by_name(ask(config=CandidateConfig(**dict.fromkeys(names, n))))
        for name in names:
            proposed = len(found[name].rows) if name in found else 0
            assert proposed == min(n, len(by_name(ask())[name].rows)), name


def test_sources_are_of_the_candidates_in_their_order() -> None:
    found = ask()
    rows = found.candidates.rows
    np.testing.assert_allclose(found.sources.graph, GRAPH[rows] @ USER, rtol=1e-6)
    taken = np.array([0, 1])
    strength = np.array([0.5 ** (240 / 120) + 0.5 ** (1 / 120), 2 * 0.5], np.float32)
    together = NEIGHBOURS.scores(taken, np.sqrt(strength))
    np.testing.assert_allclose(found.sources.together, np.log1p(10 * together[rows]), rtol=1e-5)
    np.testing.assert_allclose(
        found.sources.crowd, np.log1p(100 * CROWD.scores(USER, None)[rows]), rtol=1e-5
    )
    profile = (
        0.5 ** (240 / 30) * CONTENT[0] + 2 * 0.5**4 * CONTENT[1] + 0.5 ** (1 / 30) * CONTENT[0]
    )
    np.testing.assert_allclose(
        found.sources.content, CONTENT[rows] @ (profile / np.linalg.norm(profile)), rtol=1e-4
    )


def test_the_user_is_not_part_of_the_crowd() -> None:
    channel = by_name(ask(history(Event(0, 1)), user=1))["crowd"]
    np.testing.assert_allclose(channel.scores, CROWD.scores(USER, 1)[channel.rows], rtol=1e-6)
    assert not np.allclose(channel.scores, CROWD.scores(USER, None)[channel.rows])


def test_someone_without_a_history_has_no_crowd() -> None:
    found = ask(history(), user=1)
    assert len(by_name(found)["crowd"].rows) == 0
    assert not found.sources.crowd.any()


def test_someone_unknown_gets_candidates_and_finite_features() -> None:
    found = ask(history(), now(0))
    rows = found.candidates.rows
    assert len(rows) == N
    assert "history" in by_name(found)
    assert len(by_name(found)["history"].rows) == len(by_name(found)["together"].rows) == 0
    assert not found.sources.together.any()
    assert not found.sources.content.any()
    assert np.isfinite(found.sources.graph).all()
    features = cross_features(history(), now(0), rows, found.sources, WORLD)
    assert not np.isinf(features).any()


def test_items_without_content_have_no_profile() -> None:
    age = np.array([1.0])
    found = content_profile(history(Event(2, 1)), age, np.zeros((N, 3), np.float32))
    assert found.tolist() == [0, 0, 0]


def test_only_the_last_hundred_events_make_the_profile() -> None:
    past = history(*[Event(0, 2)] * 50, *[Event(1, 1)] * 100)
    age = np.repeat([2.0, 1.0], [50, 100])
    np.testing.assert_allclose(content_profile(past, age, CONTENT), CONTENT[1], rtol=1e-5)


def test_token_vectors_keep_the_graph_and_the_main_axes_of_content() -> None:
    rng = np.random.default_rng(1)
    graph = unit(rng.normal(size=(40, 3)))
    # Three axes carry nearly all of the content.
    content = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 8)) + 0.001 * rng.normal(size=(40, 8))
    tokens = token_vectors(graph, content.astype(np.float32), width=3)
    assert tokens.dtype == np.float32
    np.testing.assert_array_equal(tokens[:, :3], graph)
    centred = content - content.mean(0)
    apart = np.linalg.norm(centred[:, None] - centred[None], axis=-1)
    scale = np.sqrt((centred**2).sum(1).mean())
    kept = np.linalg.norm(tokens[:, None, 3:] - tokens[None, :, 3:], axis=-1)
    np.testing.assert_allclose(kept, apart / scale, atol=0.01)
    assert np.square(tokens[:, 3:]).sum(1).mean() == pytest.approx(1, rel=1e-4)


def test_token_vectors_of_a_shop_without_content_are_finite() -> None:
    tokens = token_vectors(GRAPH, np.zeros((N, 3), np.float32))
    assert tokens.shape == (N, 4 + 3)
    assert not tokens[:, 4:].any()


def test_the_last_visits_are_the_last_sessions() -> None:
    past = history(
        Event(5, 9, session=1),
        Event(0, 8, session=2),
        Event(1, 7, session=3),
        Event(2, 7, session=3),
        Event(0, 1, session=-1),
    )
    assert last_visits(past, 1).item.tolist() == [0]
    assert last_visits(past, 2).item.tolist() == [1, 2, 0]
    assert last_visits(past, 3).item.tolist() == [0, 1, 2, 0]
    assert last_visits(past, 9).item.tolist() == [5, 0, 1, 2, 0]
    assert last_visits(history()).item.tolist() == []


def test_the_basket_channel_follows_the_last_visits_only() -> None:
    past = history(Event(3, 30), *(Event(0, days) for days in (4, 3, 2)))
    found = by_name(ask(past))["basket"]
    lifts = PARTNERS.lifts(np.array([0]))
    assert found.rows.tolist() == [1, 2, 4, 5]  # partners of 0, nearest first; 3 was taken before
    np.testing.assert_allclose(found.scores, lifts[found.rows], rtol=1e-6)


def test_items_that_are_newer_than_the_partners_have_none() -> None:
    few = Partners(
        np.array([[1, 2], [2, 0], [0, 1]], np.int32),
        *(np.ones((3, 2), np.float32), np.full((3, 2), 9, np.float32)),
        *(np.full(3, 20, np.float32), np.array(100)),
    )
    tables = replace(TABLES, partners=few)
    known, mixed = (
        by_name(ask(history(*(Event(item, 1) for item in items)), tables=tables))["basket"]
        for items in ((0,), (0, 4))
    )
    assert known.rows.tolist() == mixed.rows.tolist() == [1, 2]
    assert known.scores.tolist() == mixed.scores.tolist()


def test_the_week_and_the_hour_rank_what_sells_by_what_sells_now() -> None:
    config = CandidateConfig(hour=10)
    channels = by_name(ask(history(), config=config))
    lift = WORLD.trends.slot_lift[day_slot(np.array([now().local_s]))[0]]
    for name, selling in (
        ("week", WORLD.trends.last_7_days),
        ("hour", WORLD.trends.last_28_days * np.exp(lift)),
    ):
        found = channels[name]
        np.testing.assert_allclose(found.scores, selling[found.rows], rtol=1e-6)
        assert (np.diff(found.scores) <= 0).all()


def test_the_recent_channel_is_what_the_index_gave_and_is_new() -> None:
    config = CandidateConfig(recent=2)
    near = Channel("recent", np.array([1, 4, 5, 2]), np.array([4, 3, 2, 1], np.float32))
    query = Query(MINE, now(1), USER, Channel("graph", *no_rows()), recent=near)
    found = recall(query, WORLD, TABLES, config, EVERYTHING)
    assert by_name(found)["recent"].rows.tolist() == [4, 5]


def test_a_bound_on_all_channels_keeps_that_many() -> None:
    whole = ask()
    found = ask(config=CandidateConfig(most=3))
    assert len(whole.candidates.rows) > len(found.candidates.rows) == 3
    assert set(found.candidates.rows) <= set(whole.candidates.rows)
    assert len(found.sources.graph) == 3


def no_rows() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0, np.int64), np.zeros(0, np.float32)


def test_the_shortlist_keeps_what_was_taken_or_asked_for_and_the_best_of_the_rest() -> None:
    rows = np.arange(40)
    found = merge(
        [
            Channel("history", rows[:10], np.ones(10, np.float32)),
            Channel("crowd", rows[10:40], np.ones(30, np.float32)),
            Channel("week", rows[39:9:-1], np.ones(30, np.float32)),
            Channel("words", rows[20:22], np.ones(2, np.float32)),
        ]
    )
    kept = shortlist(found, 20)
    # Taken: 0 to 9. Asked for: 20, 21. Eight more: the first four of either channel.
    assert kept.rows.tolist() == [*range(14), 20, 21, *range(36, 40)]
    assert kept.origins(39) == (("crowd", 30, 1.0), ("week", 1, 1.0))
    assert shortlist(found, 40) is found


def test_a_shortlist_leaves_room_for_what_was_never_taken() -> None:
    rows = np.arange(100)
    ones = np.ones(100, np.float32)
    found = merge(
        [Channel("history", rows[:60], ones[:60]), Channel("crowd", rows[60:], ones[60:])]
    )
    assert shortlist(found, 40).rows.tolist() == [*range(70)]


def test_shortlisted_candidates_have_the_scores_that_they_had_among_all() -> None:
    whole, cut = ask(), ask(most=3)
    assert len(cut.candidates.rows) < len(whole.candidates.rows)
    at = np.searchsorted(whole.candidates.rows, cut.candidates.rows)
    for name in ("graph", "together", "content", "crowd"):
        every, some = getattr(whole.sources, name), getattr(cut.sources, name)
        np.testing.assert_allclose(every[at], some, rtol=1e-6)
