"""Every column against arithmetic done by hand, on a history of three visits."""

from __future__ import annotations

import numpy as np
import pytest
from corner_shop import (
    NOW,
    NOW_H,
    Event,
    Offer,
    calendar,
    history,
    items,
    now,
    trends,
)
from hypothesis import given
from hypothesis import strategies as st

from retrieval.crowd import no_crowd
from retrieval.rerank.features import (
    Sources,
    World,
    cross_features,
    feature_names,
    sales_columns,
    scene_columns,
)
from retrieval.rerank.habit_kernels import AGE_EDGES_DAYS, NEVER_DAYS
from retrieval.rerank.offers import OfferCalendar
from retrieval.rerank.records import Floats, History, Moment
from retrieval.rerank.sales import TREND_FEATURES
from retrieval.rerank.trends import Trends

VISITS = (20.0, 10.0, 4.0)
BOUGHT = history(
    Event(0, 20, place=1, value=3),
    Event(1, 20, place=1, value=5),
    Event(0, 10, place=2, value=1),
    Event(2, 10, place=2, value=4),
    Event(0, 4, place=1, value=2),
)
ALL = np.arange(6)


def half(*ages: float, life: float) -> float:
    return sum(0.5 ** (age / life) for age in ages)


def columns(
    past: History = BOUGHT,
    moment: Moment | None = None,
    *,
    sold: Trends | None = None,
    offers: OfferCalendar | None = None,
    candidates: np.ndarray = ALL,
    n_groupings: int = 2,
) -> dict[str, Floats]:
    """Features by name."""
    table = items(n_groupings)
    n = len(candidates)
    sources = Sources(
        graph=candidates.astype(np.float32),
        together=np.full(n, 7, np.float32),
        content=np.full(n, np.nan, np.float32),
        crowd=np.full(n, 8, np.float32),
    )
    world = World(table, sold or trends(table=table), offers or calendar(), no_crowd(len(table), 4))
    found = cross_features(past, moment or now(1), candidates, sources, world)
    names = feature_names(n_groupings)
    assert found.dtype == np.float32
    return dict(zip(names, found.T, strict=True))


UNSOLD = np.nan
"""Sales of what nobody bought: not known, which is not the same as none."""


def close(found: Floats, *expected: float) -> None:
    np.testing.assert_allclose(found[: len(expected)], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_groupings", range(1, 6))
def test_every_column_has_a_name_of_its_own(n_groupings: int) -> None:
    names = feature_names(n_groupings)
    assert len(set(names)) == len(names)
    assert len(columns(n_groupings=n_groupings)) == len(names)


def test_trends_of_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="take the trends anew"):
        World(items(2), trends(table=items(1)), calendar(), no_crowd(6, 4))


def test_no_candidates_have_no_features() -> None:
    assert all(len(column) == 0 for column in columns(candidates=ALL[:0]).values())


def test_how_often_and_how_lately_an_item_was_taken() -> None:
    f = columns()
    close(f["item_count"], np.log(4), np.log(2), np.log(2), 0)
    close(f["item_is_new"], 0, 0, 0, 1, 1, 1)
    close(f["item_days_since"], *np.log1p([4, 20, 10, NEVER_DAYS]))
    for life in (7, 30, 120):
        visits = half(*VISITS, life=life) + 0.5
        mine = [half(*ages, life=life) for ages in (VISITS, (20.0,), (10.0,), ())]
        close(f[f"item_rate_{life}d"], *(w / visits for w in mine))
        close(f[f"item_weight_{life}d"], *(np.log1p(4 * w) for w in mine))


def test_the_usual_interval_of_an_item_and_whether_it_is_due() -> None:
    f = columns()
    usual = (20 - 4) / 2
    close(f["item_interval"], np.log1p(usual))
    close(f["item_due"], np.log((4 + 1) / (usual + 1)))
    assert np.isnan(f["item_interval"][1:]).all()
    assert np.isnan(f["item_due"][1:]).all()


def test_an_item_is_due_when_its_interval_has_passed() -> None:
    f = columns(history(Event(0, 10), Event(1, 8), Event(0, 5), Event(1, 1)))
    close(f["item_due"], 0, np.log(2 / 8))


def test_share_of_the_visits_since_the_first_time() -> None:
    # Item 0: three of three visits; item 1: one of three; item 2: one of the last two.
    close(columns()["item_share_since_first"], 1, 1 / 3, 1 / 2, 0, 0, 0)


def test_the_visit_of_the_first_time_counts_however_late_in_it_the_item_came() -> None:
    late = history(
        Event(1, 20, session=1),
        Event(0, 19.99, session=1),
        Event(1, 10, session=2),
        Event(0, 9.99, session=2),
    )
    close(columns(late)["item_share_since_first"], 1, 1)


def test_how_often_in_the_last_visits() -> None:
    f = columns()
    assert f["item_in_last_1"].tolist() == [1, 0, 0, 0, 0, 0]
    assert f["item_in_last_3"].tolist() == [3, 1, 1, 0, 0, 0]
    assert f["item_in_last_6"].tolist() == [3, 1, 1, 0, 0, 0]
    many = history(*(Event(i % 2, 8 - i) for i in range(8)))
    assert columns(many)["item_in_last_3"].tolist() == [1, 2, 0, 0, 0, 0]


def test_value_of_an_item_is_its_mean() -> None:
    close(columns()["item_value"], np.log1p((3 + 1 + 2) / 3), np.log1p(5), np.log1p(4), 0)


def test_how_often_here() -> None:
    here = half(20, 4, life=120)
    close(columns()["item_rate_here"], here / (here + 0.5), half(20, life=120) / (here + 0.5), 0, 0)


def test_nothing_is_here_when_the_place_is_unknown() -> None:
    nowhere = history(Event(0, 5), Event(0, 3))
    f = columns(nowhere, now(0))
    assert np.nan_to_num(f["item_rate_here"]).tolist() == [0] * 6


def test_how_often_at_this_hour() -> None:
    # At noon; at six in the morning, twice the kernel's width away; at eleven at night.
    past = history(Event(0, 2), Event(1, 1.25), Event(2, 0.5 + 1 / 24))
    kernel = np.array([1, np.exp(-0.5 * 2**2), np.exp(-0.5 * (11 / 3) ** 2)])
    kernel *= 0.5 ** (np.array([2, 1.25, 0.5 + 1 / 24]) / 120)
    close(columns(past)["item_rate_this_hour"], *(kernel / (kernel.sum() + 0.5)))


def test_midnight_is_near_on_both_sides() -> None:
    midnight = Moment(NOW + 12 * 3600, NOW + 12 * 3600)
    # Two hours before midnight and two after it, one day earlier.
    past = history(Event(0, -10 / 24 + 1), Event(1, -14 / 24 + 1))
    f = columns(past, midnight)
    assert f["item_rate_this_hour"][1] == pytest.approx(f["item_rate_this_hour"][0], rel=1e-2)


def test_how_often_on_this_weekday() -> None:
    # Two Wednesdays and, between them, a Sunday.
    f = columns(history(Event(0, 14), Event(1, 10), Event(0, 7), Event(1, 7)))
    total = half(14, 7, life=120) + 0.5
    close(f["item_rate_this_weekday"], half(14, 7, life=120) / total, half(7, life=120) / total, 0)


def test_small_visits_say_more_about_each_item() -> None:
    first, second, third = (half(age, life=120) for age in VISITS)  # two items, two, one
    total = first / 2 + second / 2 + third + 0.5
    close(
        columns()["item_rate_alone"],
        (first / 2 + second / 2 + third) / total,
        first / 2 / total,
        second / 2 / total,
        0,
    )


def test_how_often_at_each_age() -> None:
    f = columns()
    counted = {edge: f[f"item_before_{edge:g}d"][:3].tolist() for edge in AGE_EDGES_DAYS}
    expected = {edge: [0, 0, 0] for edge in AGE_EDGES_DAYS}
    # Four days old is no longer before the fourth day.
    expected |= {9: [1, 0, 0], 16: [1, 0, 1], 23: [1, 1, 0]}
    assert counted == expected


def test_what_is_older_than_every_edge_is_in_no_bucket() -> None:
    f = columns(history(Event(0, AGE_EDGES_DAYS[-1])))
    assert not any(f[f"item_before_{edge:g}d"].any() for edge in AGE_EDGES_DAYS)


def test_habits_of_a_group() -> None:
    f = columns()
    # Group 0 of the first way holds items 0 and 1, group 1 items 2 and 3.
    first, second = (20, 20, 10, 4), (10,)
    close(f["group0_count"], np.log(5), np.log(5), np.log(2), np.log(2), 0, 0)
    for life in (7, 30, 120):
        visits = half(*VISITS, life=life) + 0.5
        a, b = half(*first, life=life) / visits, half(*second, life=life) / visits
        close(f[f"group0_rate_{life}d"], a, a, b, b, 0, 0)
    close(f["group0_days_since"], *np.log1p([4, 4, 10, 10, NEVER_DAYS, NEVER_DAYS]))
    due = np.log((4 + 1) / ((20 - 4) / 3 + 1))
    close(f["group0_due"], due, due)
    assert np.isnan(f["group0_due"][2:]).all()


def test_an_items_share_of_its_group() -> None:
    f = columns()
    group = half(20, 20, 10, 4, life=120) + 0.1
    close(f["group0_item_share"], half(*VISITS, life=120) / group, half(20, life=120) / group)
    close(f["group0_item_share"][3:], 0, 0, 0)
    # The second way has items 0, 2 in one group: each is a part of what both make.
    even = half(20, 10, 10, 4, life=120) + 0.1
    close(f["group1_item_share"], half(*VISITS, life=120) / even)
    close(f["group1_item_share"][2:], half(10, life=120) / even)


def test_a_group_here() -> None:
    here = half(20, 4, life=120)
    close(
        columns()["group0_rate_here"],
        *[half(20, 20, 4, life=120) / (here + 0.5)] * 2,
        *[0] * 4,
    )


def test_an_items_share_of_what_its_group_sells() -> None:
    sold = trends(history(*[Event(0, 3)] * 3, Event(1, 2), Event(4, 40)))
    close(
        columns(sold=sold)["group0_popularity_share"],
        *np.log([3.5 / 9, 1.5 / 9]),
        *(UNSOLD, UNSOLD, np.log(0.5 / 5), UNSOLD),
    )


def test_the_user_is_the_same_for_every_candidate() -> None:
    f = columns()
    close(f["visits_30d"], *[np.log1p(half(*VISITS, life=30))] * 6)
    close(f["visits_120d"], *[np.log1p(half(*VISITS, life=120))] * 6)
    close(f["visit_size"], *[np.log1p(5 / 3)] * 6)
    close(f["days_since_visit"], *[np.log1p(4)] * 6)
    close(f["variety"], *[3 / 5] * 6)
    close(f["gap"], *[np.log((4 + 0.5) / ((20 - 4) / 2 + 0.5))] * 6)


def test_visits_here_and_at_this_hour() -> None:
    first, second, third = (half(age, life=120) for age in VISITS)  # places 1, 2, 1
    f = columns()
    close(f["visits_share_here"], *[(first + third) / (first + second + third + 0.5)] * 6)
    close(f["visit_size_here"], *[np.log1p((2 * first + third) / (first + third))] * 6)
    everything = 2 * first + 2 * second + third
    close(f["visit_size_this_hour"], *[np.log1p(everything / (first + second + third))] * 6)
    assert np.isnan(columns(moment=now(3))["visit_size_here"]).all()


def test_visits_are_sessions_not_days() -> None:
    twice = history(Event(0, 3, session=1), Event(1, 3, session=2), Event(2, 3, session=2))
    close(columns(twice)["visit_size"], np.log1p(3 / 2))
    assert columns(twice)["item_in_last_1"].tolist() == [0, 1, 1, 0, 0, 0]


def test_trends_at_a_place() -> None:
    sold = trends(history(Event(1, 20, 2), Event(0, 10, 1), Event(0, 3, 1), Event(2, 1, 1)))
    f = columns(sold=sold)
    close(f["sold_7d"], np.log(2), 0, np.log(2), UNSOLD)
    close(f["sold_28d"], np.log(3), np.log(2), np.log(2), UNSOLD)
    close(f["sold_ever"], np.log(3), np.log(2), np.log(2), UNSOLD)
    close(f["trend"], *np.log([2 / 1.5, 1 / 1.25, 2 / 1.25]), UNSOLD)
    here = np.array([half(10, 3, life=60), 0, half(1, life=60), 0])
    total, everywhere = here.sum(), here.sum() + half(20, life=60)
    share = np.array([here[0], half(20, life=60), here[2], 0]) / everywhere
    close(f["place_sold"], *np.log1p(here[:3]), UNSOLD)
    close(f["place_sold_28d"], *np.log1p([2, 0, 1]), UNSOLD)
    close(f["place_share"], *np.log((here[:3] + 0.5) / (total + 100) * 1e4), UNSOLD)
    close(f["place_lift"], *np.log((here / (total + 1) + 1e-5) / (share + 1e-5))[:3], UNSOLD)
    close(f["place_size"], *[np.log1p(total)] * 6)
    close(f["repeat_rate"], *sold.repeat_rate[:3], UNSOLD)
    close(f["frequency"], *sold.frequency[:3], UNSOLD)


def test_what_groups_sell_at_a_place() -> None:
    sold = trends(
        history(Event(1, 40, 1), Event(1, 20, 2), Event(0, 10, 1), Event(0, 3, 1), Event(2, 1, 1))
    )
    f = columns(sold=sold)
    # In 28 days here: two of item 0, one of item 2; everywhere: one more, of item 1.
    close(f["group0_share_here"], *np.log([2.5 / 7, 0.5 / 7, 1.5 / 6]), UNSOLD)
    lift = np.log(np.array([2 / 3 + 1e-4, 1 / 3 + 1e-4, 1e-4]) / (np.array([3, 1, 0]) / 4 + 1e-4))
    close(f["group0_lift_here"], *np.repeat(lift, 2))


def test_the_slot_of_the_request_chooses_the_lift() -> None:
    sold = trends(history(*[Event(0, 4)] * 30, *[Event(1, 1)] * 30))  # Saturday, Tuesday noon
    saturday = Moment(NOW + 3 * 86_400, NOW + 3 * 86_400)
    close(columns(sold=sold)["slot_lift"], *sold.slot_lift[4, :2], UNSOLD)
    close(columns(moment=saturday, sold=sold)["slot_lift"], *sold.slot_lift[12, :2], UNSOLD)
    assert columns(moment=saturday, sold=sold)["slot_lift"][0] > 0


def test_without_a_place_nothing_is_known_of_it() -> None:
    f = columns(moment=now(0), sold=trends(history(Event(0, 3, 0))))
    of_place = [n for n in f if n.startswith("place_")]
    assert len(of_place) == 5
    for name in (*of_place, "group0_share_here", "group0_lift_here"):
        assert np.isnan(f[name]).all(), name


RUNNING = NOW_H - 1, NOW_H + 1
SOME_OFFERS = calendar(
    Offer(0, 1, 0, *RUNNING),
    Offer(0, 1, 3, *RUNNING),
    Offer(1, 0, 1, *RUNNING),
    Offer(2, 1, 2, NOW_H + 1, NOW_H + 9),
)


def test_offers_that_run_here() -> None:
    f = columns(offers=SOME_OFFERS)
    assert f["on_display"].tolist() == [1, 0, 0, 0, 0, 0]
    assert f["on_mailer"].tolist() == [0, 1, 0, 0, 0, 0]
    assert f["on_coupon"].tolist() == [0] * 6
    assert f["on_discount"].tolist() == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("place", [0, 2])
def test_offers_of_a_shop_where_all_run_everywhere_are_known_at_every_place(place: int) -> None:
    f = columns(moment=now(place), offers=calendar(Offer(1, 0, 1, *RUNNING)))
    assert f["on_mailer"].tolist() == [0, 1, 0, 0, 0, 0]
    assert f["on_display"].tolist() == [0] * 6


@pytest.mark.parametrize(("place", "offers"), [(2, SOME_OFFERS), (1, calendar()), (0, calendar())])
def test_offers_are_unknown_where_the_calendar_does_not_cover(
    place: int, offers: OfferCalendar
) -> None:
    f = columns(moment=now(place), offers=offers)
    for kind in ("display", "mailer", "coupon", "discount"):
        assert np.isnan(f[f"on_{kind}"]).all()


def test_price_against_habit() -> None:
    f = columns()
    habit = np.log([1, 2, 1, 4, 1]).mean()
    price = np.log([1, 2, 4, np.nan, 8, 1])
    close(f["log_price"], *price)
    close(f["price_to_habit"], *(price - habit))


def test_prices_that_are_not_known_do_not_spoil_the_habit() -> None:
    close(columns(history(Event(3, 2), Event(2, 1)))["price_to_habit"], np.log(1 / 4))
    assert np.isnan(columns(history(Event(3, 2)))["price_to_habit"]).all()


def test_sources_pass_through() -> None:
    f = columns(candidates=np.array([4, 1]))
    assert f["graph_score"].tolist() == [4, 1]
    assert f["together_score"].tolist() == [7, 7]
    assert np.isnan(f["content_score"]).all()
    assert f["crowd_score"].tolist() == [8, 8]


def test_someone_without_a_history() -> None:
    f = columns(history())
    may_be_missing = {
        *("item_interval", "item_due", "group0_due", "group1_due", "gap"),
        *("visit_size_here", "visit_size_this_hour"),
        *("log_price", "price_to_habit", "content_score"),
        *(n for n in f if n.startswith("on_")),
        *(n for n, yes in zip(f, sales_columns(list(f)), strict=True) if yes),
    }
    for name, column in f.items():
        assert name in may_be_missing or np.isfinite(column).all(), name
        assert not np.isinf(column).any(), name
    assert f["item_is_new"].tolist() == [1] * 6
    assert not any(f[f"item_rate_{life}d"].any() for life in (7, 30, 120))


def test_columns_of_the_scene() -> None:
    names = feature_names(2)
    assert {n for n, of_scene in zip(names, scene_columns(names), strict=True) if of_scene} == {
        *("item_rate_here", "group0_rate_here", "group1_rate_here"),
        *("visits_share_here", "visit_size_here"),
        *("group0_share_here", "group1_share_here", "group0_lift_here", "group1_lift_here"),
        *("place_sold", "place_sold_28d", "place_share", "place_lift", "place_size"),
        *("on_display", "on_mailer", "on_coupon", "on_discount"),
    }


def test_columns_of_sales_are_missing_where_nothing_sold() -> None:
    names = feature_names(2)
    of_sales = sales_columns(names)
    assert {n for n, yes in zip(names, of_sales, strict=True) if yes} == {
        *("group0_popularity_share", "group1_popularity_share"),
        *("group0_share_here", "group1_share_here"),
        *set(TREND_FEATURES) - {"place_size"},
    }
    sold = trends(BOUGHT)
    found = columns(moment=now(1), sold=sold)
    unsold = sold.all_time[np.arange(len(found["sold_ever"]))] == 0
    assert unsold.any()
    assert not unsold.all()
    for name, yes in zip(names, of_sales, strict=True):
        if yes:
            assert np.isnan(found[name][unsold]).all(), name
    assert np.isfinite(found["sold_ever"][~unsold]).all()


def test_no_other_column_depends_on_the_place() -> None:
    names = feature_names(2)
    of_scene = scene_columns(names)
    sold = trends(BOUGHT)
    here, away = (columns(moment=now(p), sold=sold, offers=SOME_OFFERS) for p in (1, 2))
    changed = {n for n in names if not np.array_equal(here[n], away[n], equal_nan=True)}
    assert changed == {n for n, yes in zip(names, of_scene, strict=True) if yes}


PASTS = st.lists(
    st.builds(
        Event,
        item=st.integers(0, 5),
        days_ago=st.floats(0, 400),
        place=st.integers(0, 3),
        session=st.integers(0, 3),
        value=st.floats(0, 100),
        kind=st.integers(0, 7),
    ),
    max_size=12,
)


@given(PASTS, st.permutations(range(6)), st.integers(0, 3))
def test_permuting_candidates_permutes_rows(
    events: list[Event], order: list[int], place: int
) -> None:
    past = history(*sorted(events, key=lambda e: -e.days_ago))
    sold = trends(past)
    one = columns(past, now(place), sold=sold, offers=SOME_OFFERS)
    other = columns(past, now(place), sold=sold, offers=SOME_OFFERS, candidates=np.array(order))
    for name in one:
        np.testing.assert_array_equal(other[name], one[name][order], err_msg=name)


@given(PASTS)
def test_shares_and_rates_stay_in_bounds(events: list[Event]) -> None:
    f = columns(history(*sorted(events, key=lambda e: -e.days_ago)))
    for column in f.values():
        assert not np.isinf(column).any()
    for name in ("group0_item_share", "variety"):
        assert ((f[name] >= 0) & (f[name] <= 1)).all(), name
    last_1, last_3, last_6 = (f[f"item_in_last_{k}"] for k in (1, 3, 6))
    assert ((last_1 <= last_3) & (last_3 <= last_6)).all()
