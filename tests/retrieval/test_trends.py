"""What sells, counted by hand."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from corner_shop import NOW, Event, history, items, now, trends
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from retrieval.rerank.records import DAY_S, History, Moment
from retrieval.rerank.sales import GROUP_SALE_FEATURES, write_group_sales
from retrieval.rerank.trends import DAY_PARTS, Trends, day_slot

SOLD = history(
    Event(0, 60, place=1),
    Event(0, 28, place=1),
    Event(1, 27, place=2),
    Event(0, 8, place=2),
    Event(2, 7),
    Event(1, 6, place=1),
    Event(1, 0.5, place=1),
)
BUYERS = np.array([0, 0, 1, 1, 0, 1, 2], np.int64)
FOUND = trends(SOLD, BUYERS)


@given(st.integers(0, 4_000_000_000))
def test_the_clock_agrees_with_datetime(local_s: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=local_s)
    asked = Moment(local_s, local_s)
    assert asked.weekday == moment.weekday()
    assert asked.hour == pytest.approx(moment.hour + moment.minute / 60 + moment.second / 3600)
    weekend = moment.weekday() >= 5
    assert day_slot(np.array([local_s]))[0] == day_slot(local_s) == moment.hour // 3 + 8 * weekend


def test_counts_by_age() -> None:
    # An event of exactly 7 or 28 days is no longer among the last 7 or 28.
    assert FOUND.last_7_days.tolist() == [0, 2, 0, 0, 0, 0]
    assert FOUND.last_28_days.tolist() == [1, 3, 1, 0, 0, 0]
    assert FOUND.all_time.tolist() == [3, 3, 1, 0, 0, 0]
    assert [g.tolist() for g in FOUND.group_counts] == [[4, 1, 0], [2, 3]]


def test_best_sellers_come_first_and_ties_keep_their_order() -> None:
    assert FOUND.best_sellers.tolist() == [1, 0, 2, 3, 4, 5]


def test_who_comes_back() -> None:
    # Item 0: users 0 (twice) and 1; item 1: users 1 (twice) and 2; item 2: user 0; then nobody.
    np.testing.assert_allclose(
        FOUND.repeat_rate, [2 / 7, 2 / 7, 1 / 6, 1 / 5, 1 / 5, 1 / 5], rtol=1e-6
    )
    np.testing.assert_allclose(FOUND.frequency, [4 / 3, 4 / 3, 2 / 2, 1, 1, 1], rtol=1e-6)


def test_places_are_counted_with_decay() -> None:
    def aged(days: float) -> float:
        return 0.5 ** (days / 60)

    expected = np.zeros((4, 6))
    expected[0, 2] = aged(7)
    expected[1, :2] = aged(60) + aged(28), aged(6) + aged(0.5)
    expected[2, :2] = aged(8), aged(27)
    np.testing.assert_allclose(FOUND.place_counts.toarray(), expected, rtol=1e-5)
    np.testing.assert_allclose(FOUND.place_totals, expected.sum(1), rtol=1e-5)
    np.testing.assert_allclose(FOUND.overall_share, expected.sum(0) / expected.sum(), rtol=1e-5)


def test_what_sells_at_one_place() -> None:
    here = FOUND.at_place(1)
    np.testing.assert_array_equal(here.sold, FOUND.place_counts.toarray()[1].astype(np.float32))
    # The two of item 0 are 28 days old and older; group 0 holds items 0 and 1.
    assert here.recent.tolist() == [0, 2, 0, 0, 0, 0]
    assert here.group_recent.tolist() == [2, 0, 0, *[0, 2]]
    assert FOUND.at_place(2).recent.tolist() == [1, 1, 0, 0, 0, 0]
    assert not FOUND.at_place(3).sold.any()


def test_slot_lift() -> None:
    wednesday_noon, saturday_noon = 12 // 3, 12 // 3 + DAY_PARTS
    # Thirty of item 0 on Saturday four days ago, ten of item 0 and forty of item 1 today.
    events = [Event(0, 4)] * 30 + [Event(0, 0)] * 10 + [Event(1, 0)] * 40
    lift = trends(history(*events), as_of_unix_s=NOW + 1).slot_lift
    np.testing.assert_allclose(
        lift[saturday_noon, :3],
        np.log([(30 + 20) / (30 / 80 * 40 + 20), (0 + 20) / (30 / 80 * 40 + 20), 1]),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        lift[wednesday_noon, :3],
        np.log([(10 + 20) / (50 / 80 * 40 + 20), (40 + 20) / (50 / 80 * 40 + 20), 1]),
        rtol=1e-5,
    )
    assert not np.delete(lift, [wednesday_noon, saturday_noon], axis=0).any()


def test_events_at_or_after_the_moment_change_nothing() -> None:
    late = History(
        item=np.concatenate([SOLD.item, [0, 1, 2]]),
        at_unix_s=np.concatenate([SOLD.at_unix_s, [NOW, NOW + 1, NOW + DAY_S]]),
        local_s=np.concatenate([SOLD.local_s, [NOW, NOW + 1, NOW + DAY_S]]),
        session=np.concatenate([SOLD.session, [9, 9, 9]]),
        place=np.concatenate([SOLD.place, [1, 2, 3]]),
        value=np.concatenate([SOLD.value, [5, 5, 5]]).astype(np.float32),
        kind=np.concatenate([SOLD.kind, [0, 0, 0]]).astype(np.int8),
    )
    _assert_equal(trends(late, np.concatenate([BUYERS, [0, 1, 2]])), FOUND)


def test_a_moment_later_the_event_is_known() -> None:
    sold = history(Event(3, 0))
    assert trends(sold).all_time[3] == 0
    assert trends(sold, as_of_unix_s=NOW + 1).all_time[3] == 1


def test_a_shop_that_sold_nothing_has_finite_trends() -> None:
    empty = trends(history(), table=items(3))
    for field in fields(Trends):
        value = getattr(empty, field.name)
        for array in value if isinstance(value, tuple) else (value,):
            dense = array.toarray() if sparse.issparse(array) else np.asarray(array)
            assert np.isfinite(dense).all(), field.name


def _assert_equal(one: Trends, other: Trends) -> None:
    for field in fields(Trends):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if sparse.issparse(a):
            a, b = a.toarray(), b.toarray()
        pairs = zip(a, b, strict=True) if isinstance(a, tuple) else [(a, b)]
        for left, right in pairs:
            np.testing.assert_array_equal(left, right, err_msg=field.name)


def test_sales_within_groups_are_shares_of_what_the_group_sells() -> None:
    # Of 5 events in 28 days, 4 fall in the first pair of items and 2 among the even ones; at
    # place 1 item 1 has both of its two.
    found = _group_sales(1)
    np.testing.assert_allclose(found[0, 0], np.log([3.5 / (4 + 5), 1.5 / (1 + 5)]), rtol=1e-5)
    np.testing.assert_allclose(found[0, 1], np.log([2.5 / (2 + 5), 0.5 / (0 + 5)]), rtol=1e-5)
    lift = [(2 / 2 + 1e-4) / (4 / 5 + 1e-4), 1e-4 / (1 / 5 + 1e-4)]
    np.testing.assert_allclose(found[0, 2], np.log(lift), rtol=1e-4)
    # The second way: item 1 is odd, of which 3 sold and 2 of these here; item 2 is even.
    np.testing.assert_allclose(found[1, 0], np.log([3.5 / (3 + 5), 1.5 / (2 + 5)]), rtol=1e-5)
    np.testing.assert_allclose(found[1, 1], np.log([2.5 / (2 + 5), 0.5 / (0 + 5)]), rtol=1e-5)
    lift = [(2 / 2 + 1e-4) / (3 / 5 + 1e-4), 1e-4 / (2 / 5 + 1e-4)]
    np.testing.assert_allclose(found[1, 2], np.log(lift), rtol=1e-4)
    nowhere = _group_sales(0)
    np.testing.assert_array_equal(nowhere[:, 0], found[:, 0])
    assert np.isnan(nowhere[:, 1:]).all()


def _group_sales(place: int) -> np.ndarray:
    """Of items 1 and 2, by way of grouping and feature."""
    columns = np.zeros((2, 1 + 2 * len(GROUP_SALE_FEATURES)), np.float32)
    assert write_group_sales(columns, 1, np.array([1, 2]), now(place), FOUND) == columns.shape[1]
    assert not columns[:, 0].any()
    return columns[:, 1:].T.reshape(2, len(GROUP_SALE_FEATURES), 2)
