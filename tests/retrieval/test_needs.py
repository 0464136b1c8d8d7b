"""The columns of the next need: those of the forecast, and none where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from corner_shop import NOW, Event, calendar, history, items, now, trends

from retrieval.crowd import no_crowd
from retrieval.rerank.features import Sources, World, cross_features, feature_names
from retrieval.rerank.interval_fit import fit_intervals
from retrieval.rerank.intervals import IntervalTable, pairs_of
from retrieval.rerank.needs import NEED_FEATURES, write_needs
from retrieval.rerank.records import DAY_S, History
from retrieval.rerank.taken import taken_of

WEEKLY, MONTHLY, ONCE, NEVER = range(4)
N_ITEMS = 6


@pytest.fixture(scope="module")
def usual() -> IntervalTable:
    """Forty users take one item every week, and another every fourth."""
    rng = np.random.default_rng(0)
    user, item, day = [], [], []
    for u in range(40):
        for what, gap in ((WEEKLY, 7), (MONTHLY, 28)):
            days = np.arange(rng.integers(1, gap), 200, gap) + rng.normal(0, 0.5)
            user += [u] * len(days)
            item += [what] * len(days)
            day += days.tolist()
    at = NOW - (np.array(day) * DAY_S).astype(np.int64)
    at = np.minimum(at, NOW - 1)
    pairs = pairs_of(np.array(user), np.array(item), at)
    return fit_intervals(pairs, np.array([0, 0, 1, 1, 2, 2]), NOW)


EVENTS = sorted(
    [
        *(Event(WEEKLY, float(days)) for days in (27, 20, 13, 6)),
        *(Event(MONTHLY, float(days)) for days in (62, 34, 6)),
    ],
    key=lambda event: -event.days_ago,
)
PAST = history(*EVENTS)


def needs(past: History, candidates: list[int], table: IntervalTable) -> dict[str, np.ndarray]:
    """The columns by name."""
    features = np.zeros((len(candidates), 2 + len(NEED_FEATURES)), np.float32)
    taken = taken_of(past.item, np.array(candidates), N_ITEMS + 2)
    assert write_needs(features, 1, past, taken, now(), table) == features.shape[1] - 1
    assert not features[:, [0, -1]].any()
    return dict(zip(NEED_FEATURES, features.T[1:-1], strict=True))


def test_what_comes_weekly_is_due_and_what_comes_monthly_is_not(usual: IntervalTable) -> None:
    found = needs(PAST, [*range(N_ITEMS)], usual)
    # Both were taken six days ago: a weekly habit is due tomorrow, a monthly one in three weeks.
    assert found["need_due"][WEEKLY] == pytest.approx(np.log1p(1), abs=0.25)
    assert found["need_due"][MONTHLY] == pytest.approx(np.log1p(22), abs=0.25)
    assert np.exp(found["need_chance"][WEEKLY]) > 0.7 > 0.2 > np.exp(found["need_chance"][MONTHLY])
    assert found["need_interval"][WEEKLY] == pytest.approx(np.log(8), abs=0.1)
    assert np.isnan(found["need_chance"][[ONCE, NEVER]]).all()


def test_what_is_overdue_is_due_in_less_than_no_days(usual: IntervalTable) -> None:
    late = history(*(Event(WEEKLY, float(days)) for days in (32, 25, 18, 11)))
    found = needs(late, [WEEKLY], usual)
    assert found["need_due"][0] == pytest.approx(-np.log1p(4), abs=0.25)
    assert found["need_wait"][0] >= 0


def test_an_item_that_is_newer_than_the_table_has_no_need(usual: IntervalTable) -> None:
    later = history(*(Event(N_ITEMS + 1, float(days)) for days in (9, 2)))
    found = needs(later, [WEEKLY, N_ITEMS + 1], usual)
    assert all(np.isnan(column).all() for column in found.values())
    before = needs(PAST, [WEEKLY, MONTHLY], usual)
    mixed = history(Event(N_ITEMS + 1, 90.0), *EVENTS, Event(N_ITEMS + 1, 2.0))
    for name, column in needs(mixed, [WEEKLY, MONTHLY, N_ITEMS + 1], usual).items():
        np.testing.assert_array_equal(column, [*before[name], np.nan])


def test_a_take_at_the_very_moment_is_not_known_yet(usual: IntervalTable) -> None:
    before = needs(PAST, [WEEKLY, MONTHLY], usual)
    for name, column in needs(
        history(*EVENTS, Event(WEEKLY, 0.0)), [WEEKLY, MONTHLY], usual
    ).items():
        np.testing.assert_array_equal(column, before[name])


def test_the_columns_are_there_where_a_world_knows_its_intervals(usual: IntervalTable) -> None:
    table = items()
    nothing = np.full(N_ITEMS, np.nan, np.float32)
    sources = Sources(nothing, nothing, nothing, nothing)

    def columns(needs: IntervalTable | None) -> dict[str, np.ndarray]:
        world = World(table, trends(table=table), calendar(), no_crowd(N_ITEMS, 4), needs=needs)
        found = cross_features(PAST, now(), np.arange(N_ITEMS), sources, world)
        names = feature_names(len(table.groups), needs=needs is not None)
        return dict(zip(names, found.T, strict=True))

    with_needs, without = columns(usual), columns(None)
    assert set(with_needs) - set(without) == set(NEED_FEATURES)
    expected = needs(PAST, [*range(N_ITEMS)], usual)
    for name in NEED_FEATURES:
        np.testing.assert_allclose(with_needs[name], expected[name], rtol=1e-5)
    for name, column in without.items():
        np.testing.assert_array_equal(with_needs[name], column)
