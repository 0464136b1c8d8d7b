"""What is taken under a facet of the scene, counted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from corner_shop import NOW, Event, history, items, now, trends
from hypothesis import given
from hypothesis import strategies as st

from retrieval.candidates import Channel
from retrieval.crowd import no_crowd
from retrieval.neighbours import Neighbours
from retrieval.recall import Query, Tables, recall
from retrieval.rerank.config import CandidateConfig
from retrieval.rerank.facets import (
    GROUP_SHRINK,
    ITEM_SHRINK,
    SEASONS,
    Codes,
    FacetKind,
    FacetTable,
    facet_columns,
    facet_features,
    facet_pull,
    season_of,
    take_facets,
)
from retrieval.rerank.features import (
    Sources,
    World,
    cross_features,
    feature_names,
    sales_columns,
    scene_columns,
)
from retrieval.rerank.offers import no_offers
from retrieval.rerank.records import Ints, Moment

WEDDING, WORK = 1, 2
OCCASION = FacetKind("occasion", 3)
GROUP = np.array([0, 0, 1, 1, 2, 2])
# Item 0: six weddings, two at work; item 2: four at work; item 3: twice, nobody knows what for.
TAKEN = np.array([0] * 8 + [2] * 4 + [3] * 2)
TOLD = np.array([[WEDDING]] * 6 + [[WORK]] * 2 + [[WORK]] * 4 + [[0]] * 2, np.int16)


def occasions(item: Ints = TAKEN, codes: Codes = TOLD) -> FacetTable:
    (table,) = take_facets(item, codes, [OCCASION], group=GROUP, n_groups=3)
    return table


def test_lift_of_items() -> None:
    # Twelve events tell their occasion: half are weddings.
    lift = occasions().item_lift(WEDDING, 6)
    expected = np.log(
        [
            (6 + ITEM_SHRINK) / (6 / 12 * 8 + ITEM_SHRINK),
            1,
            (0 + ITEM_SHRINK) / (6 / 12 * 4 + ITEM_SHRINK),
            1,
            1,
            1,
        ]
    )
    np.testing.assert_allclose(lift, expected, rtol=1e-5)
    work = occasions().item_lift(WORK, 6)
    assert work[0] < 0 < work[2]


def test_lift_of_groups() -> None:
    lift = occasions().group_lift(WORK)
    first = (2 + GROUP_SHRINK) / (6 / 12 * 8 + GROUP_SHRINK)
    second = (4 + GROUP_SHRINK) / (6 / 12 * 4 + GROUP_SHRINK)
    np.testing.assert_allclose(lift, np.log([first, second, 1]), rtol=1e-5)


def test_items_that_came_after_the_table_are_taken_as_ever() -> None:
    lift = occasions().item_lift(WEDDING, 9)
    assert lift[:6].tolist() == occasions().item_lift(WEDDING, 6).tolist()
    assert lift[6:].tolist() == [0, 0, 0]


def test_a_value_that_is_not_told_or_not_known_says_nothing() -> None:
    rows = np.array([0, 2])
    table = occasions()
    for values in ((), (0,), (7,)):
        for column in facet_columns(rows, values, (table,), GROUP):
            assert np.isnan(column).all()
        assert facet_pull(values, (table,), 6) is None
    of_item, of_group = facet_columns(rows, (WEDDING,), (table,), GROUP)
    np.testing.assert_array_equal(of_item, table.item_lift(WEDDING, 6)[[0, 2]])
    np.testing.assert_array_equal(of_group, table.group_lift(WEDDING)[[0, 1]])


def test_lifts_of_several_facets_multiply() -> None:
    kinds = [OCCASION, FacetKind("weather", 2)]
    codes = np.column_stack([TOLD[:, 0], np.arange(len(TAKEN)) % 2]).astype(np.int16)
    tables = take_facets(TAKEN, codes, kinds, group=GROUP, n_groups=3)
    pull = facet_pull((WEDDING, 1), tables, 6)
    one, other = tables[0].item_lift(WEDDING, 6), tables[1].item_lift(1, 6)
    assert pull is not None
    np.testing.assert_allclose(pull, np.exp(one) * np.exp(other), rtol=1e-5)
    alone = facet_pull((WEDDING, 0), tables, 6)
    assert alone is not None
    np.testing.assert_allclose(alone, np.exp(one), rtol=1e-5)


@given(st.data())
def test_the_order_of_events_decides_nothing_and_lifts_balance(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 60))
    draw = st.lists(st.integers(0, 5), min_size=n, max_size=n)
    item, code = np.array(data.draw(draw)), np.array(data.draw(draw)) % 3
    table = occasions(item, code[:, None].astype(np.int16))
    order = np.array(data.draw(st.permutations(range(n))))
    other = occasions(item[order], code[order, None].astype(np.int16))
    for value in (WEDDING, WORK):
        lift = table.item_lift(value, 6)
        np.testing.assert_array_equal(lift, other.item_lift(value, 6))
        # What some items are taken more, others are taken less.
        weight = np.bincount(item[code > 0], minlength=6) * (code == value).sum() / n
        expected = weight * n / max((code > 0).sum(), 1)
        surplus = (np.exp(lift) - 1) * (expected + ITEM_SHRINK)
        assert abs(float(surplus.sum())) < 1e-3


# Seasons


@given(st.integers(0, 4_000_000_000))
def test_a_season_is_a_part_of_the_year(local_s: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=local_s)
    season = int(season_of(np.array([local_s]))[0])
    about = (moment.timetuple().tm_yday - 1) / 365.2425 * SEASONS + 1
    assert 1 <= season <= SEASONS
    # Leap years shift the days by less than one; at New Year that may be a whole turn.
    apart = abs(season + 0.5 - about)
    assert min(apart, SEASONS - apart) <= 0.6


def test_a_season_reaches_into_the_next_and_the_year_is_round() -> None:
    kind = FacetKind("season", SEASONS + 1, is_round=True)
    item = np.array([0, 1, 2])
    codes = np.array([[1], [SEASONS], [12]], np.int16)
    (table,) = take_facets(item, codes, [kind], group=GROUP, n_groups=3)
    taken = {
        season: table.item[table.offsets[season] : table.offsets[season + 1]].tolist()
        for season in range(SEASONS + 1)
    }
    assert {s: rows for s, rows in taken.items() if rows} == {
        SEASONS - 1: [1],
        SEASONS: [0, 1],
        1: [0, 1],
        2: [0],
        11: [2],
        12: [2],
        13: [2],
    }


# As features and as candidates


def world(facets: tuple[FacetTable, ...]) -> World:
    table = items()
    sold = history(*(Event(row, 3) for row in (0, 1, 2, 3, 4)))
    crowd = no_crowd(6, 2)
    return World(table, trends(sold, table=table), no_offers(6, 4), crowd, facets)


def features(moment: Moment, facets: tuple[FacetTable, ...], rows: Ints) -> dict[str, list[float]]:
    nothing = np.zeros(len(rows), np.float32)
    sources = Sources(nothing, nothing, nothing, nothing)
    table = cross_features(history(), moment, rows, sources, world(facets))
    names = feature_names(2, [facet.name for facet in facets])
    assert table.shape == (len(rows), len(names))
    return {name: table[:, at].tolist() for at, name in enumerate(names)}


def test_features_gain_two_columns_per_facet_and_nothing_else_changes() -> None:
    rows = np.array([0, 2, 4])
    plain = features(now(), (), rows)
    told = features(Moment(NOW, NOW, facets=(WEDDING,)), (occasions(),), rows)
    assert list(told) == [*plain, "facet_occasion_lift", "facet_occasion_group_lift"]
    for name, column in plain.items():
        np.testing.assert_array_equal(column, told[name], err_msg=name)
    assert told["facet_occasion_lift"][0] > 0 > told["facet_occasion_lift"][1]


def test_an_item_that_nobody_bought_has_no_lift_of_its_own_but_its_group_has() -> None:
    told = features(Moment(NOW, NOW, facets=(WORK,)), (occasions(),), np.array([5]))
    assert np.isnan(told["facet_occasion_lift"][0])
    assert not np.isnan(told["facet_occasion_group_lift"][0])


def test_facets_are_hidden_with_the_scene_and_lifts_with_the_sales() -> None:
    names = feature_names(2, ["occasion"])
    scene = {name for name, hidden in zip(names, scene_columns(names), strict=True) if hidden}
    sales = {name for name, hidden in zip(names, sales_columns(names), strict=True) if hidden}
    assert set(facet_features(["occasion"])) <= scene
    assert sales & set(facet_features(["occasion"])) == {"facet_occasion_lift"}


def of_scene(moment: Moment, shop: World, n: int) -> Channel:
    """What the scene channel proposes to somebody without a past."""
    config = CandidateConfig(
        history=0, graph=0, together=0, crowd=0, popular=0, category=0, offers=0, week=0, basket=0,
        scene=n,
    )  # fmt: skip
    vectors = np.eye(6, 2, dtype=np.float32)
    neighbours = Neighbours(np.zeros((6, 1), np.int64), np.zeros((6, 1), np.float32))
    nearest = Channel("graph", np.zeros(0, np.int64), np.zeros(0, np.float32))
    query = Query(history(), moment, vectors[0], nearest)
    found = recall(query, shop, Tables(neighbours, vectors, vectors), config, np.ones(6, bool))
    return next(c for c in found.candidates.channels if c.name == "scene")


@pytest.mark.parametrize(("value", "first"), [(WEDDING, 0), (WORK, 2)])
def test_the_scene_channel_asks_for_what_sells_under_the_facets(value: int, first: int) -> None:
    scene = of_scene(Moment(NOW, NOW, facets=(value,)), world((occasions(),)), 1)
    assert scene.rows.tolist() == [first]


def test_at_a_place_the_scene_channel_asks_for_what_sells_there_under_the_facets() -> None:
    here = history(*[Event(0, 3, place=1)] * 2, *[Event(2, 3, place=1)] * 3, Event(4, 3, place=2))
    shop = replace(world((occasions(),)), trends=trends(here))
    scene = of_scene(Moment(NOW, NOW, 1, facets=(WEDDING,)), shop, 6)
    lift = np.exp(occasions().item_lift(WEDDING, 6))
    worth = {row: n * 0.5 ** (3 / 60) * float(lift[row]) for row, n in ((0, 2), (2, 3))}
    assert scene.rows.tolist() == sorted(worth, key=lambda row: -worth[row])
    assert scene.scores.tolist() == pytest.approx(sorted(worth.values(), reverse=True))
