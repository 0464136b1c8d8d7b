"""Protocols besides the first basket after a cut."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_events import PURCHASE, VIEW, drawn, interactions

from engine.errors import DataError
from engine.evaluate.protocol import Ranked, Requests
from engine.evaluate.protocols import (
    item_cold_start,
    leave_last_out,
    next_baskets,
    user_cold_start,
)
from engine.evaluate.rankers import evaluate, lists_of

CUT = 1000

SHOP = interactions(
    [
        (0, 0, 100, 1), (0, 1, 200, 2),
        (1, 0, 300, 3), (1, 1, 300, 3),
        (2, 2, 400, 4),
        # From the cut on.
        (0, 1, 1100, 5), (0, 2, 1100, 5), (0, 0, 1200, 6), (0, 4, 1300, 7), (0, 2, 1300, 7),
        (1, 3, 1250, 8, 1, VIEW), (1, 4, 1400, 9),
        (3, 0, 1500, 10), (3, 1, 1600, 11),
    ]
)  # fmt: skip


def asked_of(asked):
    """(user, time, targets) of every request."""
    return [
        (user, at, items.tolist())
        for user, at, items in zip(
            asked.requests.user.tolist(),
            asked.requests.at_unix_s.tolist(),
            asked.targets,
            strict=True,
        )
    ]


def told_of(asked):
    """Items that each request is told of."""
    request, event = asked.requests.told()
    since = asked.requests.since.item
    return [since[event[request == row]].tolist() for row in range(len(asked))]


def test_every_basket_from_the_cut_on_is_asked_and_the_ones_before_are_told():
    asked = next_baskets(SHOP, CUT, min_users=1)
    # Items 3 and 4 had nobody before the cut; user 1's only basket holds nothing else.
    assert asked_of(asked) == [
        (0, 1100, [1, 2]), (0, 1200, [0]), (0, 1300, [2]), (3, 1500, [0]), (3, 1600, [1]),
    ]  # fmt: skip
    assert told_of(asked) == [[], [1, 2], [1, 2, 0], [], [0]]
    assert len(asked.history) == 5


def test_the_last_basket_from_a_cut_on_with_what_its_user_did_since():
    asked = leave_last_out(SHOP, CUT, min_users=0)
    # User 2's last basket lies before the cut.
    assert asked_of(asked) == [(0, 1300, [2, 4]), (1, 1400, [4]), (3, 1600, [1])]
    assert told_of(asked) == [[1, 2, 0], [3], [0]]
    assert asked.history.at_unix_s.max() < CUT
    assert asked.candidates.all()


def test_the_published_form_learns_from_all_but_the_last():
    asked = leave_last_out(SHOP, min_users=0)
    # User 2 did nothing but the last: there is nothing to learn of them, and nothing asked.
    assert asked_of(asked) == [(0, 1300, [2, 4]), (1, 1400, [4]), (3, 1600, [1])]
    assert asked.requests.since is None
    kept = {(u, t) for u, t in zip(asked.history.user, asked.history.at_unix_s, strict=True)}
    assert kept == {(0, 100), (0, 200), (0, 1100), (0, 1200), (1, 300), (1, 1250), (2, 400),
                    (3, 1500)}  # fmt: skip


def test_the_last_event_instead_of_the_last_basket():
    asked = leave_last_out(SHOP, unit="event", min_users=0)
    assert asked_of(asked) == [(0, 1300, [2]), (1, 1400, [4]), (3, 1600, [1])]
    # The other item of user 0's last basket may be learned.
    assert (asked.history.user == 0).sum() == 6


def test_newcomers_are_those_of_whom_nothing_is_known():
    viewed = interactions([(2, 0, 10, 1), (0, 0, 20, 2, 1, VIEW), (0, 0, 2000, 3), (1, 0, 2001, 4)])
    assert asked_of(user_cold_start(viewed, CUT, min_users=1)) == [(1, 2001, [0])]
    assert asked_of(user_cold_start(SHOP, CUT, min_users=1)) == [(3, 1500, [0])]
    with pytest.raises(DataError, match="no basket"):
        user_cold_start(SHOP.where(SHOP.user != 3), CUT, min_users=1)


def test_new_items_are_those_that_nobody_touched_among_all():
    asked = item_cold_start(SHOP, CUT)
    # Item 4 first comes to user 0 in the third basket, beside the known item 2.
    assert asked_of(asked) == [(0, 1300, [4]), (1, 1400, [4])]
    assert asked.candidates.all()
    offered = np.array([True, True, True, True, False, True])
    with pytest.raises(DataError, match="no basket"):
        item_cold_start(SHOP, CUT, offered=offered)


def test_an_item_that_was_looked_at_is_not_new():
    looked = interactions([(0, 4, 10, 1, 1, VIEW), (0, 4, 1100, 2), (1, 5, 1100, 3)])
    assert asked_of(item_cold_start(looked, CUT)) == [(1, 1100, [5])]


def test_what_was_taken_since_the_cut_is_not_new_any_more():
    asked = next_baskets(SHOP, CUT, min_users=1).new_items()
    # Item 2 was new to user 0 in basket 5, and was theirs when basket 7 came.
    assert asked_of(asked) == [(0, 1100, [2]), (3, 1500, [0]), (3, 1600, [1])]


class Always:
    """Answers in one order, whoever asks; knows what was had before the cut."""

    name = "always"

    def __init__(self, asked, order):
        self.asked, self.order = asked, order

    def rank(self, requests: Requests, k: int, *, new_only: bool) -> Ranked:
        rows, valid = np.zeros((len(requests), k), np.int64), np.zeros((len(requests), k), bool)
        for at, user in enumerate(requests.user):
            users = np.full(len(self.order), user)
            had = self.asked.had_before(users, np.array(self.order))
            kept = [i for i, h in zip(self.order, had, strict=True) if not (new_only and h)][:k]
            rows[at, : len(kept)], valid[at, : len(kept)] = kept, True
        return Ranked(rows, valid)


def test_lists_of_new_items_leave_out_what_the_request_tells_of():
    asked = next_baskets(SHOP, CUT, min_users=1).new_items()
    ranked = lists_of(Always(asked, [0, 1, 2]), asked, k=2)
    lists = [row[ok].tolist() for row, ok in zip(ranked.rows, ranked.valid, strict=True)]
    # User 3 had nothing before the cut; then item 0, and the list is as long as before.
    assert lists == [[2], [0, 1], [1, 2]]
    assert evaluate(Always(asked, [0, 1, 2]), asked, k=2).hit.tolist() == [1, 1, 1]


def test_batches_change_no_list():
    asked = next_baskets(drawn(3, 40), 900, min_users=1).new_items()
    order = np.flatnonzero(asked.candidates).tolist()
    whole, parts = (lists_of(Always(asked, order), asked, 3, batch) for batch in (1000, 2))
    np.testing.assert_array_equal(whole.rows, parts.rows)
    np.testing.assert_array_equal(whole.valid, parts.valid)


HONEST = {
    "leave last out": partial(leave_last_out, min_users=1),
    "last event": partial(leave_last_out, unit="event", min_users=1),
    "next baskets": partial(next_baskets, min_users=1),
    "user cold start": partial(user_cold_start, min_users=1),
    "item cold start": item_cold_start,
}


@pytest.mark.parametrize("protocol", HONEST.values(), ids=HONEST.keys())
def test_another_future_changes_nothing_that_is_learned(protocol):
    past = SHOP.at_unix_s < CUT
    other = replace(SHOP, item=np.where(past, SHOP.item, (SHOP.item + 1) % 6))
    mine, its = protocol(SHOP, CUT), protocol(other, CUT)
    for asked in (mine, its):
        np.testing.assert_array_equal(asked.history.item, SHOP.item[past])
        np.testing.assert_array_equal(asked.history.at_unix_s, SHOP.at_unix_s[past])
    np.testing.assert_array_equal(mine.candidates, its.candidates)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(HONEST)), st.integers(200, 1500))
def test_what_is_told_is_what_its_user_did_between_the_cut_and_the_request(seed, name, cut):
    events = drawn(seed)
    try:
        asked = HONEST[name](events, cut)
    except DataError:
        return
    assert (asked.history.at_unix_s < cut).all()
    request, event = asked.requests.told()
    since = asked.requests.since
    found = sorted(
        (int(r), int(since.at_unix_s[e]), int(since.item[e]))
        for r, e in zip(request, event, strict=True)
    )
    expected = sorted(
        (row, int(t), int(i))
        for row, (user, at) in enumerate(
            zip(asked.requests.user, asked.requests.at_unix_s, strict=True)
        )
        for u, i, t in zip(events.user, events.item, events.at_unix_s, strict=True)
        if u == user and cut <= t < at
    )
    assert found == expected
    # A part of the requests is told the same.
    part = asked.requests[1:]
    assert len(part.told()[0]) == sum(1 for r, *_ in expected if r >= 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(200, 1500))
def test_every_basket_is_the_same_as_by_a_plain_loop(seed, cut):
    events = drawn(seed)
    rows = list(zip(events.user, events.item, events.at_unix_s, events.session, events.kind,
                    strict=True))  # fmt: skip
    had = {int(i) for _, i, t, _, k in rows if t < cut and k == PURCHASE}
    expected = sorted(
        (int(user), int(at), sorted({int(i) for _, i, _, s, k in rows if s == session} & had))
        for user, at, session in {(u, t, s) for u, _, t, s, k in rows if k == PURCHASE}
        if at >= cut
    )
    expected = [one for one in expected if one[2]]
    if not expected:
        with pytest.raises(DataError):
            next_baskets(events, cut, min_users=1)
        return
    assert sorted(asked_of(next_baskets(events, cut, min_users=1))) == expected
