"""Items like an item: each way on its own, and all of them together."""

from dataclasses import replace

import numpy as np
import planted
import pytest

from engine.errors import DataError, UnknownIdError
from engine.filters import Filters
from engine.recommend import Engine
from engine.runtime import Run
from engine.sides import Side, Sides
from engine.similar import Likeness, similar_items
from retrieval.partners import no_partners

MILK = planted.item_id(planted.KITCHEN.split().index("milk"))


def ids(listed) -> list[str]:
    return [r.item.item_id for r in listed]


def pictured(run: Run, seed: int = 0) -> Run:
    """The planted run, where items 0 to 19 look alike in pairs of neighbours."""
    rng = np.random.default_rng(seed)
    looks = np.zeros(run.tables.content.shape, dtype=np.float32)
    pairs = np.repeat(rng.normal(size=(10, looks.shape[1])), 2, axis=0)
    looks[:20] = pairs + 0.01 * rng.normal(size=pairs.shape)
    looks[:20] /= np.linalg.norm(looks[:20], axis=1, keepdims=True)
    return replace(run, sides=Sides(Side(looks.astype(np.float16)), run.sides.reads))


def everything(run: Run) -> np.ndarray:
    return run.world.items.recommendable


def test_the_most_alike_by_looks_is_the_twin(loaded):
    run = pictured(loaded)
    for row in (0, 1, 7, 18):
        found, _ = similar_items(run, row, 3, Likeness.LOOKS, everything(run))
        assert found.rows[0] == row ^ 1
        assert found.scores[0] > 0.9 > found.scores[1]


def test_by_words_is_the_order_of_the_cosines(loaded):
    row = loaded.vocabulary.items.row(MILK)
    reads = np.array(loaded.sides.reads.base, dtype=np.float32)
    expected = reads @ reads[row]
    expected[row] = -np.inf
    found, _ = similar_items(loaded, row, 8, Likeness.READS, everything(loaded))
    np.testing.assert_allclose(found.scores, np.sort(expected)[::-1][:8], atol=2e-3)


def test_without_pictures_words_are_the_content(loaded):
    known = loaded.tables.content.any(axis=1)
    np.testing.assert_allclose(
        np.array(loaded.sides.reads.base, dtype=np.float32)[known],
        loaded.tables.content[known],
        atol=2e-3,
    )
    assert not np.array(loaded.sides.looks.base).any()


def test_an_item_without_a_picture_cannot_be_compared_by_looks(shop):
    with pytest.raises(DataError, match="'item-04' has no picture to be compared by"):
        shop.similar("item-04", likeness="looks")
    assert len(shop.similar("item-04", likeness="all")) == 10


def test_what_is_taken_instead_is_of_the_same_category_first(shop):
    group = shop.run.world.items.groups[0]
    listed = shop.similar(MILK, 15, likeness="instead")
    rows = shop.run.vocabulary.items.rows(ids(listed))
    same = group[rows] == group[shop.run.vocabulary.items.row(MILK)]
    assert same.sum() == (group == group[shop.run.vocabulary.items.row(MILK)]).sum() - 1
    assert (np.diff(same.astype(int)) <= 0).all()


def test_what_lies_in_one_basket_is_less_of_a_substitute(loaded):
    row = loaded.vocabulary.items.row(MILK)
    alone = replace(loaded, tables=replace(loaded.tables, partners=no_partners(planted.N_ITEMS)))
    before, _ = similar_items(alone, row, 5, Likeness.INSTEAD, everything(loaded))
    friend = int(before.rows[0])
    table = no_partners(planted.N_ITEMS)
    rows, lift = np.zeros((planted.N_ITEMS, 1), np.int32), np.zeros((planted.N_ITEMS, 1))
    rows[row, 0], lift[row, 0] = friend, 6.0
    friends = replace(table, rows=rows, log_lift=lift.astype(np.float32))
    together = replace(loaded, tables=replace(loaded.tables, partners=friends))
    after, _ = similar_items(together, row, 5, Likeness.INSTEAD, everything(loaded))
    assert after.rows[0] == before.rows[1]
    assert friend not in after.rows[:4]


def test_all_ways_are_fused_and_remembered(shop):
    listed = shop.similar(MILK, 10)
    assert [r.rank for r in listed] == list(range(1, 11))
    assert MILK not in ids(listed)
    by_way = {way: ids(shop.similar(MILK, 100, likeness=way)) for way in ("reads", "instead")}
    for r in listed:
        assert r.trace.channels
        expected = sum(
            1 / (60 + by_way[way].index(r.item.item_id) + 1)
            for way in by_way
            if r.item.item_id in by_way[way]
        )
        assert r.score == pytest.approx(expected, rel=1e-4)
        for hit in r.trace.channels:
            assert by_way[hit.channel].index(r.item.item_id) == hit.rank - 1


def test_an_item_that_came_later_is_compared_by_what_is_known_of_it(loaded):
    sides = loaded.sides.with_item(
        3, np.zeros(loaded.tables.content.shape[1], np.float32), loaded.tables.content[40]
    )
    run = replace(loaded, sides=sides)
    found, _ = similar_items(run, 40, 1, Likeness.READS, everything(run))
    assert found.rows.tolist() == [3]
    assert found.scores[0] == pytest.approx(1, abs=2e-3)
    later = sides.with_item(planted.N_ITEMS + 4, *2 * (loaded.tables.content[40],))
    rows = np.array([0, planted.N_ITEMS + 1, planted.N_ITEMS + 4])
    found_later = later.reads.cosines(rows, loaded.tables.content[40][None])[:, 0]
    assert found_later[1] == 0
    assert found_later[2] == pytest.approx(1, abs=1e-5)


def test_filters_leave_what_meets_them(shop):
    garden = Filters(category=("Garden",), max_price=45.0, exclude=("item-31", "no such"))
    for listed in (
        shop.similar(MILK, 40, filters=garden),
        shop.similar("item-35", 5, filters=garden),
    ):
        assert listed
        for r in listed:
            assert r.item.categories[0] == "Garden"
            assert r.item.price <= 45
            assert r.item.item_id != "item-31"
    branded = shop.similar(MILK, 60, filters=Filters(brands=("Brand 1", "Brand 2"), min_price=10))
    expected = [
        planted.item_id(i)
        for i in range(planted.N_ITEMS)
        if i % 4 in (1, 2) and 1.0 + i >= 10 and planted.item_id(i) != MILK
    ]
    assert sorted(ids(branded)) == expected


def test_strange_wishes_are_refused(shop: Engine):
    with pytest.raises(UnknownIdError):
        shop.similar("nothing")
    with pytest.raises(ValueError, match="smell"):
        shop.similar(MILK, likeness="smell")
