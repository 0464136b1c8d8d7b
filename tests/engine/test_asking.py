"""What a scene's weather, company and budget do to a list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine import Engine, Filters, Scene
from engine.asking import conditions, scene_wishes
from engine.errors import DataError
from engine.filters import allowed_items


@pytest.fixture
def grocer(small_run: Path, tmp_path: Path) -> Iterator[Engine]:
    with Engine.open(small_run, store_url=f"sqlite:///{tmp_path / 'events.sqlite'}") as engine:
        yield engine


def listed(engine: Engine, scene: Scene, k: int = 60, filters: Filters | None = None):
    return engine.recommend("someone-new", scene, k=k, filters=filters)


def test_weather_moves_the_list_and_a_wish_still_rules(grocer):
    time = grocer.as_of
    dry = [r.item.item_id for r in listed(grocer, Scene(time=time))]
    wet = listed(grocer, Scene(time=time, weather="rain"))
    assert [r.item.item_id for r in wet] != dry
    assert any(hit.channel == "ambience" for r in wet for hit in r.trace.channels)
    (mood,) = scene_wishes(grocer.run, grocer._query_vector, Scene(time=time, weather="rain"))
    assert np.linalg.norm(mood.vector) == pytest.approx(0.3, abs=1e-3)  # a typed wish has 1


def test_a_scene_that_says_nothing_wishes_nothing(grocer):
    assert not list(scene_wishes(grocer.run, grocer._query_vector, Scene(time=grocer.as_of)))


def test_a_budget_holds_for_every_answer_and_the_list_stays_full(grocer):
    prices = sorted(r.item.price for r in listed(grocer, Scene(time=grocer.as_of)) if r.item.price)
    limit = prices[len(prices) // 4]
    cheap = listed(grocer, Scene(time=grocer.as_of, price_max=limit), k=30)
    assert len(cheap) == 30
    assert all(r.item.price is not None and r.item.price <= limit for r in cheap)


def test_a_filter_and_a_budget_both_hold(grocer):
    scene = Scene(time=grocer.as_of, price_max=10.0)
    allowed = conditions(grocer.run, scene, Filters(min_price=5.0, max_price=12.0))
    assert allowed is not None
    items = [grocer.run.catalogue[int(row)] for row in np.flatnonzero(allowed)]
    assert items
    assert all(5 <= item.price <= 10 for item in items)


def test_a_budget_in_another_currency_is_passed_over(grocer):
    other = "JPY" if grocer.dataset_settings.currency != "JPY" else "USD"
    scene = Scene(time=grocer.as_of, price_max=0.01, currency=other)
    assert conditions(grocer.run, scene, None) is None


def test_a_rare_category_is_found_whatever_the_shopper_likes(grocer):
    counts: dict[tuple[str, ...], int] = {}
    for row in np.flatnonzero(grocer.run.world.items.recommendable):
        path = grocer.run.catalogue[int(row)].categories
        counts[path] = counts.get(path, 0) + 1
    rare = min((path for path in counts if counts[path] >= 3), key=lambda path: counts[path])
    found = listed(grocer, Scene(time=grocer.as_of), k=3, filters=Filters(category=rare))
    assert len(found) == 3
    assert {r.item.categories for r in found} == {rare}


def everything_allowed(engine: Engine, wanted: Filters) -> list[int]:
    run = engine.run
    return [
        row
        for row in np.flatnonzero(run.world.items.recommendable).tolist()
        if wanted.met_by(run.catalogue[row])
    ]


def test_columns_and_records_agree_on_what_a_filter_leaves(grocer):
    run = grocer.run
    rows = np.flatnonzero(run.world.items.recommendable)[:: len(run.catalogue) // 7]
    some = [run.catalogue[int(row)] for row in rows]
    wanted = [
        *(Filters(category=item.categories[:depth]) for item in some for depth in (1, 2)),
        *(Filters(brands=(item.brand, "no such brand")) for item in some if item.brand),
        *(Filters(attributes=dict(item.attributes)) for item in some if item.attributes),
        Filters(only=tuple(item.item_id for item in some), exclude=(some[0].item_id, "nobody")),
        Filters(category=some[0].categories[:1], min_price=1.5, max_price=4.0),
        Filters(category=("no", "such")),
        Filters(attributes={"no": "such"}),
    ]
    for one in wanted:
        found = np.flatnonzero(allowed_items(run, one)).tolist()
        assert found == everything_allowed(grocer, one), one
    assert any(everything_allowed(grocer, one) for one in wanted)


def test_filters_see_live_items(grocer):
    grocer.add_item("live-1", "Copper kettle", brand="Live brand", price=39.0)
    wanted = Filters(brands=("Live brand",))
    assert [r.item.item_id for r in grocer.search("kettle", k=1)] == ["live-1"]
    assert (
        everything_allowed(grocer, wanted)
        == np.flatnonzero(allowed_items(grocer.run, wanted)).tolist()
    )
    assert len(everything_allowed(grocer, wanted)) == 1


def test_prices_in_the_wrong_order_are_refused():
    with pytest.raises(DataError, match="from 9 to 3"):
        Filters(min_price=9, max_price=3)
