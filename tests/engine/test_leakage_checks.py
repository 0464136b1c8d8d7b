"""Inputs that know the answers are caught, and honest ones are not."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import planted
import polars as pl
import pytest
from small_events import VIEW, interactions

from engine.evaluate.leakage import Learned, check_leakage
from engine.evaluate.protocol import first_baskets
from engine.evaluate.protocols import (
    item_cold_start,
    leave_last_out,
    next_baskets,
    user_cold_start,
)
from engine.evaluate.rankers import evaluate
from engine.evaluate.tune import Tuning, validation_set
from engine.types import Event, EventKind

CUT = 100_000
H = 3600

SHOP = interactions(
    [
        (0, 0, 10 * H, 1), (0, 1, 12 * H, 2),
        (1, 0, 11 * H, 3), (1, 1, 11 * H, 3),
        (2, 2, 13 * H, 4),
        # From the cut on.
        (0, 1, CUT + 1 * H, 5), (0, 2, CUT + 1 * H, 5), (0, 0, CUT + 9 * H, 6),
        (1, 4, CUT + 2 * H, 7), (1, 2, CUT + 2 * H, 7),
        (3, 0, CUT + 3 * H, 8),
    ]
)  # fmt: skip


def caught(report) -> list[str]:
    return [check.name for check in report.checks if check.n_leaked]


@pytest.mark.parametrize("protocol", [first_baskets, next_baskets, leave_last_out, user_cold_start])
def test_honest_protocols_are_clean_and_say_what_was_looked_at(protocol):
    report = check_leakage(protocol(SHOP, CUT, min_users=1))
    assert report.leaks == ()
    assert len(report.checks) == 5
    assert "5 events" in report.checks[0].looked_at
    assert all(check.says == "" for check in report.checks)


def test_new_items_among_all_are_clean():
    assert check_leakage(item_cold_start(SHOP, CUT)).leaks == ()


def test_events_of_the_future_in_the_history():
    asked = first_baskets(SHOP, CUT, min_users=1)
    with_one = SHOP.where((SHOP.at_unix_s < CUT) | ((SHOP.user == 1) & (SHOP.item == 4)))
    report = check_leakage(replace(asked, history=with_one))
    assert caught(report) == ["history after the cut", "events after a request"]
    assert "1 events lie at or after the cut" in report.leaks[0]
    # Users 0 and 1 ask before or at the leaked event, user 3 after it.
    assert report.checks[1].n_leaked == 2


def test_the_published_form_of_leaving_the_last_out_says_what_it_leaks():
    report = check_leakage(leave_last_out(SHOP, min_users=0))
    # User 0's last basket comes last of all; those of 1 and 2 before what 0 did in basket 5.
    assert caught(report) == ["events after a request"]
    assert "choose a cut" in report.leaks[0]


def test_evaluating_says_it_too():
    class First:
        name = "first"

        def rank(self, requests, k, *, new_only):
            from engine.evaluate.protocol import Ranked

            return Ranked(np.zeros((len(requests), 1), np.int64), np.ones((len(requests), 1), bool))

    assert evaluate(First(), first_baskets(SHOP, CUT, min_users=1)).leaks == ()
    (line,) = evaluate(First(), leave_last_out(SHOP, min_users=0)).leaks
    assert line.startswith("events after a request: ")


def test_told_events_that_are_too_late():
    asked = next_baskets(SHOP, CUT, min_users=1)
    late = replace(asked, requests=replace(asked.requests, since=SHOP.where(SHOP.at_unix_s >= CUT)))
    report = check_leakage(late)
    # The last basket of each of three users: 1, 2 and 1 events.
    assert caught(report) == ["told events"]
    assert report.checks[2].n_leaked == 4


def test_a_visit_on_both_sides_of_the_cut_and_events_that_came_twice():
    rows = [(0, 0, CUT - 600, 1), (0, 0, CUT + 60, 2), (1, 0, 10 * H, 3), (1, 0, CUT + 60, 4)]
    report = check_leakage(first_baskets(interactions(rows), CUT, min_users=1))
    assert caught(report) == ["the same events on both sides"]
    assert report.checks[3].n_leaked == 1
    # Half an hour earlier it is another visit.
    rows[0] = (0, 0, CUT + 60 - 1800, 1)
    assert check_leakage(first_baskets(interactions(rows), CUT, min_users=1)).leaks == ()


def test_a_view_before_the_visit_is_no_double():
    rows = [(0, 0, CUT - 600, 1, 1, VIEW), (0, 0, CUT + 60, 2), (1, 0, 10 * H, 3)]
    assert check_leakage(first_baskets(interactions(rows), CUT, min_users=1)).leaks == ()


def test_an_event_twice_in_the_last_basket_of_the_published_form():
    rows = [(0, 1, 10, 1), (0, 0, 5000, 2), (0, 0, 5000, 2)]
    report = check_leakage(leave_last_out(interactions(rows), unit="event", min_users=0))
    assert "the same events on both sides" in caught(report)


def test_candidates_that_only_the_future_could_choose():
    asked = item_cold_start(SHOP, CUT)
    sold_later = np.bincount(SHOP.item[SHOP.at_unix_s >= CUT], minlength=6) > 0
    report = check_leakage(replace(asked, candidates=sold_later))
    assert caught(report) == ["candidates"]
    assert report.checks[4].n_leaked == 1
    assert "2 other such items" in report.checks[4].says


def learned(**changes) -> Learned:
    return replace(Learned(CUT, CUT, SHOP.at_unix_s[SHOP.at_unix_s < CUT], 0), **changes)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"up_to_unix_s": CUT + 1}, "training after the cut"),
        ({"features_unix_s": CUT + 86_400}, "features after the cut"),
        ({"event_at_unix_s": np.array([5, CUT])}, "events of the run after the cut"),
        ({"n_live_later": 7}, "events of the store"),
    ],
)
def test_a_run_that_learned_too_much(changes, name):
    asked = first_baskets(SHOP, CUT, min_users=1)
    assert check_leakage(asked, learned=learned()).leaks == ()
    report = check_leakage(asked, learned=learned(**changes))
    assert caught(report) == [name]


def test_a_run_as_it_is_read_and_one_whose_store_saw_the_test(shop):
    asked = first_baskets(SHOP, CUT, min_users=1)
    cut = planted.CUT_UNIX_S
    read = Learned.of(shop, cut)
    assert (read.up_to_unix_s, read.features_unix_s, read.n_live_later) == (cut, cut, 0)
    assert len(read.event_at_unix_s) > 1000
    assert caught(check_leakage(replace(asked, cut_unix_s=cut), learned=read)) == []
    bought = Event(planted.user_id(0), planted.item_id(0), EventKind.PURCHASE, planted.CUT)
    shop.store.append([bought, replace(bought, timestamp=planted.CUT - timedelta(seconds=1))])
    assert Learned.of(shop, cut).n_live_later == 1
    # Asked from a week earlier on, the run has seen a week of the test.
    early = cut - 7 * 86_400
    report = check_leakage(
        replace(asked, cut_unix_s=early, requests=replace(asked.requests, since=None)),
        learned=Learned.of(shop, early),
    )
    assert caught(report) == [
        "training after the cut",
        "features after the cut",
        "events of the run after the cut",
        "events of the store",
    ]


def test_tuning_on_the_test_and_on_newcomers():
    asked = first_baskets(SHOP, CUT, min_users=1)
    tuning = Tuning(days=16.5 * H / 86_400, min_users=1)
    assert check_leakage(asked, tuned_on=validation_set(asked, tuning)).leaks == ()
    report = check_leakage(asked, tuned_on=asked)
    # All three requests lie after the cut, and user 3 is new.
    assert caught(report) == ["tuning after the cut", "test users in tuning"]
    assert [check.n_leaked for check in report.checks[-3:]] == [3, 0, 1]
    earlier = replace(validation_set(asked, tuning), history=asked.history)
    assert caught(check_leakage(asked, tuned_on=earlier)) == ["tuning's own history"]


def tables(tmp_path, **changed):
    """The planted shop with other tables."""
    dataset = planted.write_shop(tmp_path / "data")
    return replace(dataset, **changed)


def of_tables(dataset) -> dict[str, int]:
    asked = replace(first_baskets(SHOP, CUT, min_users=1), cut_unix_s=planted.CUT_UNIX_S)
    checks = check_leakage(asked, dataset=dataset).checks[-2:]
    return {check.name: check.n_leaked for check in checks}


def test_planned_offers_may_be_known_and_offers_made_from_sales_may_not(tmp_path):
    dataset = tables(tmp_path)
    cut = planted.CUT.astimezone(UTC)
    assert of_tables(dataset) == {"offers": 0, "features that count events": 0}
    sales = dataset.events.filter(pl.col("timestamp") >= cut).head(50)
    odd = sales.filter(pl.col("timestamp").dt.minute() > 0)

    def offers(item_id, starts_at, place):
        made = {"item_id": item_id, "starts_at": starts_at, "place": place}
        frame = pl.DataFrame(made, schema_overrides={"place": pl.String})
        ends = pl.col("starts_at") + pl.duration(days=1)
        return replace(dataset, offers=frame.with_columns(ends_at=ends))

    copied = offers(odd["item_id"], odd["timestamp"], odd["place"])
    assert len(odd) > 20
    assert of_tables(copied)["offers"] == len(odd)
    elsewhere = offers(odd["item_id"], odd["timestamp"], ["nowhere"] * len(odd))
    assert of_tables(elsewhere)["offers"] == 0
    everywhere = offers(odd["item_id"], odd["timestamp"], [None] * len(odd))
    assert of_tables(everywhere)["offers"] == len(odd)
    # A visit may begin on the hour, as plans do.
    on_the_hour = sales.filter(pl.col("timestamp").dt.minute() == 0)
    planned = offers(on_the_hour["item_id"], on_the_hour["timestamp"], on_the_hour["place"])
    assert len(on_the_hour) > 0
    assert of_tables(planned)["offers"] == 0


@pytest.mark.parametrize("figure", ["events", "buyers", "mean"])
@pytest.mark.parametrize("until", ["the cut", "the end"])
def test_attributes_that_count_what_is_yet_to_come(tmp_path, figure, until):
    dataset = tables(tmp_path)
    counted = dataset.events
    if until == "the cut":
        counted = counted.filter(pl.col("timestamp") < planted.CUT.astimezone(UTC))
    of_item = dict(
        counted.group_by("item_id")
        .agg(
            events=pl.len().cast(pl.String),
            buyers=pl.col("user_id").n_unique().cast(pl.String),
            mean=pl.col("value").mean().round(3).cast(pl.String),
        )
        .select("item_id", figure)
        .iter_rows()
    )
    pairs = [
        [{"key": "sold", "value": of_item.get(i, "0")}, {"key": "size", "value": str(n)}]
        for n, i in enumerate(dataset.items["item_id"])
    ]
    items = dataset.items.with_columns(attributes=pl.Series(pairs))
    leaky = replace(dataset, items=items)
    assert of_tables(leaky)["features that count events"] == (until == "the end")
    if until == "the end":
        asked = replace(first_baskets(SHOP, CUT, min_users=1), cut_unix_s=planted.CUT_UNIX_S)
        check = check_leakage(asked, dataset=leaky).checks[-1]
        assert check.says.startswith("sold counts")
        assert check.looked_at.startswith("2 attributes")


def test_a_report_is_plain_values():
    report = asdict(check_leakage(first_baskets(SHOP, CUT, min_users=1), learned=learned()))
    assert {type(value) for check in report["checks"] for value in check.values()} == {str, int}


def test_a_moment_is_told_in_words():
    report = check_leakage(first_baskets(SHOP, CUT, min_users=1), learned=learned())
    assert datetime.fromtimestamp(CUT, UTC).strftime("%Y-%m-%d") in report.checks[5].looked_at
