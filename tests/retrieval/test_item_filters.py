"""Filters against a plain reading of each item."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from retrieval.filters import (
    CategoryTree,
    Filters,
    ItemColumns,
    ItemFilter,
    attribute_bits,
    matching,
    resolve,
)
from retrieval.index import ExactIndex

# Home(0) > Kitchen(1) > Knives(2); Home > Bath(3); Garden(4)
TREE, NUMBERS = CategoryTree.of([-1, 0, 1, 0, -1])


def shop() -> ItemColumns:
    return ItemColumns(
        category=np.array([0, 1, 2, 3, 4, -1]),
        tree=TREE,
        brand=np.array([7, 7, 8, 9, -1, 8]),
        price=np.array([10.0, 20.0, 30.0, np.nan, 50.0, 20.0]),
        available=np.array([True, True, False, True, True, False]),
        attributes=attribute_bits(
            np.array([0, 0, 1, 2, 2, 5]), np.array([0, 70, 70, 0, 1, 64]), 6, 71
        ),
    )


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        (ItemFilter(), [0, 1, 2, 3, 4, 5]),
        (ItemFilter(categories=(0,)), [0, 1, 2, 3]),
        (ItemFilter(categories=(1,)), [1, 2]),
        (ItemFilter(categories=(2, 4)), [2, 4]),
        (ItemFilter(brands=(7, 9)), [0, 1, 3]),
        (ItemFilter(price_from=20), [1, 2, 4, 5]),
        (ItemFilter(price_to=20), [0, 1, 5]),
        (ItemFilter(price_from=20, price_to=30), [1, 2, 5]),
        (ItemFilter(available=True), [0, 1, 3, 4]),
        (ItemFilter(available=False), [2, 5]),
        (ItemFilter(attributes_all=(0, 70)), [0]),
        (ItemFilter(attributes_any=(1, 64)), [2, 5]),
        (ItemFilter(only=(5, 1)), [1, 5]),
        (ItemFilter(only=()), []),
        (ItemFilter(exclude=(0, 4)), [1, 2, 3, 5]),
        (ItemFilter(categories=(0,), available=True, price_to=15), [0]),
    ],
)
def test_each_condition_leaves_what_it_says(wanted: ItemFilter, rows: list[int]) -> None:
    assert_array_equal(resolve(shop(), wanted).rows, rows)


def test_a_tree_is_numbered_so_that_a_subtree_is_a_range() -> None:
    assert_array_equal(NUMBERS, [0, 1, 2, 3, 4])
    assert_array_equal(TREE.ends, [4, 3, 3, 4, 5])


@given(st.lists(st.integers(0, 1000), max_size=40))
def test_any_tree_in_any_order(choices: list[int]) -> None:
    parents = np.array([choice % (at + 1) - 1 for at, choice in enumerate(choices)], np.int64)
    shuffle = np.random.default_rng(len(choices)).permutation(len(parents))
    shuffled = np.full(len(parents), -1)
    for child, parent in enumerate(parents):
        shuffled[shuffle[child]] = shuffle[parent] if parent >= 0 else -1
    tree, number = CategoryTree.of(shuffled)
    assert sorted(number) == list(range(len(parents)))
    for category in range(len(parents)):
        below = {c for c in range(len(parents)) if category in line(shuffled, c)}
        inside = range(number[category], tree.ends[number[category]])
        assert {int(number[c]) for c in below} == set(inside)


def line(parents: np.ndarray, category: int) -> list[int]:
    """A category and all above it."""
    above = []
    while category >= 0:
        above.append(category)
        category = int(parents[category])
    return above


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_conditions_together_are_each_of_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = shop()
    parts = [
        ItemFilter(categories=tuple(rng.integers(0, 5, 2).tolist())),
        ItemFilter(price_from=float(rng.integers(0, 40))),
        ItemFilter(attributes_any=tuple(rng.integers(0, 71, 3).tolist())),
        ItemFilter(exclude=tuple(rng.integers(0, 6, 1).tolist())),
    ]
    together = ItemFilter(
        categories=parts[0].categories,
        price_from=parts[1].price_from,
        attributes_any=parts[2].attributes_any,
        exclude=parts[3].exclude,
    )
    each = np.logical_and.reduce([matching(columns, part) for part in parts])
    assert_array_equal(matching(columns, together), each)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (ItemFilter(categories=(5,)), "categories: got 5"),
        (ItemFilter(attributes_all=(128,)), "attributes: got 128"),
        (ItemFilter(only=(6,)), "only: got 6"),
        (ItemFilter(exclude=(-1,)), "exclude: got -1"),
    ],
)
def test_what_does_not_exist_is_refused(wanted: ItemFilter, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve(shop(), wanted)


def test_prices_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="lower end first"):
        ItemFilter(price_from=2, price_to=1)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        replace(shop(), brand=np.array([1]))


@pytest.mark.parametrize("parents", [[1, 0], [0], [5]])
def test_what_is_no_tree_is_refused(parents: list[int]) -> None:
    with pytest.raises(ValueError, match="parents"):
        CategoryTree.of(parents)


def test_a_filter_asked_again_is_the_same_object_until_it_is_forgotten() -> None:
    filters = Filters(shop(), remembered=2)
    first = filters(ItemFilter(brands=(7,)))
    assert filters(ItemFilter(brands=(7,))) is first
    filters(ItemFilter(brands=(8,)))
    assert filters(ItemFilter(brands=(7,))) is first  # asked last, so the other one goes
    other = filters(ItemFilter(brands=(9,)))
    assert filters(ItemFilter(brands=(9,))) is other
    assert filters(ItemFilter(brands=(7,))) is first
    assert_array_equal(filters(ItemFilter(brands=(8,))).rows, [2, 5])


def test_a_search_takes_it() -> None:
    index = ExactIndex(6)
    index.add(np.arange(6), np.eye(6, dtype=np.float32))
    query = np.full((1, 6), 6**-0.5, np.float32)
    found = index.search(query, 6, allowed=Filters(shop())(ItemFilter(categories=(1,))))
    assert_array_equal(found.rows[found.valid], [1, 2])
