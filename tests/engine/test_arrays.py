from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import (
    graph_tables,
    histories,
    item_table,
    kind_weights,
    local_seconds,
    offer_calendar,
    once_per_session,
    to_unix_s,
)
from engine.dataset import Dataset, DatasetSettings, write_dataset
from engine.interactions import Interactions
from engine.types import EventKind
from engine.vocabulary import Vocabulary, load_interactions
from graph import NodeType, Relation

KINDS = list(EventKind)
PURCHASE, VIEW = KINDS.index(EventKind.PURCHASE), KINDS.index(EventKind.VIEW)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def interactions(rows, n_users=3, n_items=6) -> Interactions:
    """Events from rows of (user, item, kind, time, value, session), sorted as a table's are."""
    rows = sorted(rows, key=lambda row: (row[0], row[3]))
    user, item, kind, at, value, session = zip(*rows, strict=True) if rows else [()] * 6
    return Interactions(
        user=np.array(user, np.int64),
        item=np.array(item, np.int64),
        kind=np.array(kind, np.int8),
        at_unix_s=np.array(at, np.int64),
        value=np.array(value, np.float32),
        session=np.array(session, np.int64),
        place=np.zeros(len(rows), np.int64),
        n_users=n_users,
        n_items=n_items,
        n_places=1,
    )


def dataset(tmp_path, items: dict, **tables) -> Dataset:
    n = len(next(iter(items.values())))
    filled = {"item_id": [f"i{r}" for r in range(n)], "title": [f"Item {r}" for r in range(n)]}
    events = pl.DataFrame(
        {
            "user_id": ["u0"] * n,
            "item_id": filled["item_id"],
            "kind": ["purchase"] * n,
            "timestamp": [NOON] * n,
            "place": ["here", *["there"] * (n - 1)],
        }
    )
    return write_dataset(
        tmp_path / "data",
        DatasetSettings(name="small"),
        items=pl.DataFrame(filled | items),
        events=events,
        **tables,
    )


def tables_of(shop: Dataset):
    vocabulary = Vocabulary.of(shop)
    return graph_tables(shop, vocabulary, load_interactions(shop, vocabulary))


# The shop's clock


def test_the_shops_clock_follows_the_change_to_summer_time():
    new_york = ZoneInfo("America/New_York")
    change = to_unix_s(datetime(2017, 3, 12, 7, tzinfo=UTC))
    at = np.array([change - 1, change])
    local = local_seconds(at, new_york)
    # 1:59:59 is followed by 3:00:00.
    assert (local % 86_400).tolist() == [2 * 3600 - 1, 3 * 3600]
    assert (local - at).tolist() == [-5 * 3600, -4 * 3600]


@given(
    st.lists(st.datetimes(datetime(1950, 1, 1), datetime(2037, 1, 1)), min_size=1, max_size=9),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_local_seconds_are_what_the_standard_library_says(moments, name):
    zone = ZoneInfo(name)
    aware = [m.replace(tzinfo=UTC, microsecond=0) for m in moments]
    local = local_seconds(np.array([to_unix_s(m) for m in aware]), zone)
    told = [m.astimezone(zone).replace(tzinfo=UTC) for m in aware]
    assert local.tolist() == [to_unix_s(m) for m in told]


def test_a_moment_has_one_unix_second_in_every_zone():
    assert to_unix_s(NOON) == to_unix_s(NOON.astimezone(ZoneInfo("Asia/Tokyo"))) == 1714564800


# Events


def test_what_was_taken_twice_in_a_visit_is_one_event_with_the_first_time_and_all_the_value():
    merged = once_per_session(
        interactions(
            [
                (0, 2, PURCHASE, 10, 1, 0),
                (0, 3, PURCHASE, 11, 1, 0),
                (0, 2, PURCHASE, 12, 4, 0),
                (0, 2, VIEW, 13, 1, 0),
                (0, 2, PURCHASE, 90, 2, 1),
                (1, 2, PURCHASE, 10, 8, 2),
            ]
        )
    )
    rows = zip(merged.user, merged.item, merged.kind, merged.at_unix_s, merged.value, strict=True)
    assert [tuple(map(float, row)) for row in rows] == [
        (0, 2, PURCHASE, 10, 5),
        (0, 3, PURCHASE, 11, 1),
        (0, 2, VIEW, 13, 1),
        (0, 2, PURCHASE, 90, 2),
        (1, 2, PURCHASE, 10, 8),
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 3), st.sampled_from([PURCHASE, VIEW]),
            st.integers(0, 50), st.integers(1, 9), st.integers(0, 2),
        ),
        max_size=40,
    )
)  # fmt: skip
def test_merging_loses_no_value_and_is_done_once(rows):
    events = interactions([(u, i, k, t, v, 3 * u + s) for u, i, k, t, v, s in rows])
    value = events.value.sum()
    merged = once_per_session(events)
    assert merged.value.sum() == value
    assert events.value.sum() == value, "the events given are left as they are"
    keys = list(zip(merged.session, merged.item, merged.kind, strict=True))
    assert len(set(keys)) == len(keys) == len({(3 * u + s, i, k) for u, i, k, _, _, s in rows})
    again = once_per_session(merged)
    assert again.value.tolist() == merged.value.tolist()
    assert again.at_unix_s.tolist() == merged.at_unix_s.tolist()


def test_a_history_keeps_the_events_row_by_row():
    events = interactions([(0, 1, VIEW, 5, 2, 0), (1, 2, PURCHASE, 3, 1, 1)])
    history = histories(events, ZoneInfo("Etc/GMT-2"))
    assert history.item.tolist() == [1, 2]
    assert history.local_s.tolist() == [5 + 7200, 3 + 7200]
    assert history.kind.tolist() == [VIEW, PURCHASE]


def test_a_dismissal_says_nothing_of_a_taste_and_a_purchase_most():
    weight = dict(zip(KINDS, kind_weights().tolist(), strict=True))
    assert weight[EventKind.DISMISS] == 0
    assert weight[EventKind.PURCHASE] == max(weight.values()) > weight[EventKind.VIEW] > 0


# Facts


def test_categories_are_a_tree_and_items_hang_on_the_finest(tmp_path):
    paths = [["Food", "Dairy"], ["Food", "Bread"], ["Tools"], [], ["Food", "Dairy"], ["Dairy"]]
    shop = dataset(tmp_path, {"categories": paths})
    tables = tables_of(shop)
    # Sorted prefixes: Dairy, Food, Food/Bread, Food/Dairy, Tools.
    assert tables.category_parent.tolist() == [-1, -1, 1, 1, -1]
    (facts,) = tables.item_facts
    assert (facts.relation, facts.tail_type) == (Relation.IN_CATEGORY, NodeType.CATEGORY)
    assert facts.head_rows.tolist() == [0, 1, 2, 4, 5]
    assert facts.tail_rows.tolist() == [3, 2, 4, 3, 0]


def test_groups_go_from_fine_to_coarse_then_to_makers(tmp_path):
    shop = dataset(
        tmp_path,
        {
            "categories": [["A", "x", "1"], ["A", "x", "2"], ["A", "y", "1"], ["B"]],
            "brand": ["m", None, "m", "n"],
        },
    )
    groups = item_table(shop, tables_of(shop), np.zeros((4, 2), np.float32), 0).groups
    together = [[[bool(a == b) for b in row] for a in row] for row in groups]
    n = len(groups)
    assert n == 4
    assert together[0] == np.eye(4, dtype=bool).tolist()
    assert together[1][0] == [True, True, False, False]
    assert together[2][0] == [True, True, True, False]
    assert together[3][0] == [True, False, True, False]
    assert together[3][1] == [False, True, False, False]


def test_every_group_code_is_within_its_number_of_codes(tmp_path):
    shop = dataset(tmp_path, {"categories": [["A", "x"], [], ["B"]], "brand": ["m", "n", None]})
    table = item_table(shop, tables_of(shop), np.zeros((3, 2), np.float32), 0)
    for codes, n in zip(table.groups, table.n_groups, strict=True):
        assert codes.min() >= 0
        assert codes.max() < n


def test_without_categories_what_looks_alike_is_a_group(tmp_path):
    rng = np.random.default_rng(0)
    shop = dataset(tmp_path, {"price": [1.0] * 160})
    kind = np.arange(160) % 4
    content = (np.eye(4, 8)[kind] + 0.01 * rng.normal(size=(160, 8))).astype(np.float32)
    content /= np.linalg.norm(content, axis=1, keepdims=True)
    table = item_table(shop, tables_of(shop), content, seed=0)
    assert table.n_groups == (4,)
    # Four clusters of content, each of which is one group.
    assert len({(k, g) for k, g in zip(kind, table.groups[0], strict=True)}) == 4
    again = item_table(shop, tables_of(shop), content, seed=0)
    assert again.groups.tolist() == table.groups.tolist()


def test_prices_are_logarithms_and_what_has_none_is_unknown(tmp_path):
    shop = dataset(tmp_path, {"price": [np.e, None, 0.0, -1.0], "available": [True] * 3 + [False]})
    table = item_table(shop, tables_of(shop), np.eye(4, dtype=np.float32), 0)
    assert table.log_price[0] == pytest.approx(1)
    assert np.isnan(table.log_price[1:]).all()
    assert table.recommendable.tolist() == [True, True, True, False]


def test_triples_become_facts_of_a_relation_of_their_own(tmp_path):
    triples = pl.DataFrame(
        {
            "head": ["i1", "i0", "i2", "not an item", "i0"],
            "relation": ["size", "size", "size", "size", "colour"],
            "tail": ["big", "small", "big", "big", "red"],
            "weight": [2.0, 1.0, 0.5, 1.0, 1.0],
        }
    )
    colour, size = tables_of(dataset(tmp_path, {"price": [1.0] * 3}, triples=triples)).item_facts
    assert (colour.relation, colour.head_rows.tolist()) == ("colour", [0])
    assert (size.relation, size.tail_type) == ("size", "size:value")
    tail_of = dict(zip(size.head_rows.tolist(), size.tail_rows.tolist(), strict=True))
    assert tail_of[1] == tail_of[2] != tail_of[0]
    weight_of = dict(zip(size.head_rows.tolist(), size.weight.tolist(), strict=True))
    assert weight_of == {1: 2.0, 0: 1.0, 2: 0.5}


# Offers


def offers(rows) -> pl.DataFrame:
    columns = ("item_id", "place", "kind", "starts_at", "ends_at")
    made = [dict(zip(columns, row, strict=True)) for row in rows]
    return pl.DataFrame(made, schema_overrides={"place": pl.String})


def test_an_offer_runs_at_its_place_from_its_start_to_just_before_its_end(tmp_path):
    end = NOON + timedelta(hours=2)
    shop = dataset(
        tmp_path,
        {"price": [1.0] * 3},
        offers=offers(
            [
                ("i0", None, "discount", NOON, end),
                ("i1", "there", "display", NOON, end),
                ("i2", "there", "mailer", end, end + timedelta(hours=1)),
                ("gone", None, "coupon", NOON, end),
            ]
        ),
    )
    vocabulary = Vocabulary.of(shop)
    calendar = offer_calendar(shop, vocabulary)
    assert len(calendar) == 3, "an offer of an unknown item is left out"
    nowhere, here, there = 0, vocabulary.places.row("here"), vocabulary.places.row("there")
    display, mailer, discount = 1, 2, 8

    def running(place: int, moment: datetime) -> list[int]:
        return calendar.running(place, to_unix_s(moment)).tolist()

    assert running(nowhere, NOON) == running(here, NOON) == [discount, 0, 0]
    assert running(there, NOON) == [discount, display, 0]
    assert running(there, NOON - timedelta(seconds=1)) == [0, 0, 0]
    assert running(there, end - timedelta(seconds=1)) == [discount, display, 0]
    assert running(there, end) == [0, 0, mailer]


def test_an_offer_at_a_place_that_no_vocabulary_has_is_left_out(tmp_path):
    # The vocabulary of a dataset has all its places; that of an older run may not.
    shop = dataset(
        tmp_path,
        {"price": [1.0]},
        offers=offers([("i0", "new store", "display", NOON, NOON + timedelta(days=1))]),
    )
    full = Vocabulary.of(shop)
    assert len(offer_calendar(shop, full)) == 1
    older = Vocabulary(full.users, full.items, type(full.places).of("place", ["", "here"]))
    assert len(offer_calendar(shop, older)) == 0


def test_a_shop_without_offers_has_an_empty_calendar(tmp_path):
    shop = dataset(tmp_path, {"price": [1.0] * 2})
    calendar = offer_calendar(shop, Vocabulary.of(shop))
    assert calendar.running(0, to_unix_s(NOON)).tolist() == [0, 0]
