"""Baskets: lift and significance against arithmetic, and what goes with what."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from retrieval.complements import bought_with
from retrieval.partners import (
    MIN_EVIDENCE,
    PRIOR_BASKETS,
    Partners,
    basket_partners,
    likelihood_ratio,
    no_partners,
)

BREAD, BUTTER, MARGARINE, SPADE, SEEDS, MILK = range(6)
GROUP = np.array([0, 1, 1, 2, 3, 4])
EVERYTHING = np.ones(6, np.bool_)


def shop(*baskets: tuple[list[int], int]) -> Partners:
    """Baskets, each so many times."""
    held = [items for items, times in baskets for _ in range(times)]
    basket = np.repeat(np.arange(len(held)), [len(items) for items in held])
    return basket_partners(basket, np.concatenate(held).astype(np.int64), 6)


# Bread goes with butter; a spade with seeds; milk lies in every other basket of either.
SHOP = shop(
    ([BREAD, BUTTER], 30),
    ([BREAD, BUTTER, MILK], 30),
    ([BREAD, MARGARINE], 2),
    ([SPADE, SEEDS], 30),
    ([SPADE, SEEDS, MILK], 30),
    ([MILK], 5),
    ([SPADE], 5),
)
N_BASKETS = 132


def partners_of(item: int, table: Partners = SHOP) -> dict[int, float]:
    real = table.log_lift[item] > 0
    return dict(
        zip(table.rows[item][real].tolist(), table.log_lift[item][real].tolist(), strict=True)
    )


def test_lift_is_how_often_they_meet_over_how_often_by_chance() -> None:
    met, chance = 60, 62 * 60 / N_BASKETS
    lift = np.log((met + PRIOR_BASKETS) / (chance + PRIOR_BASKETS))
    assert partners_of(BREAD)[BUTTER] == pytest.approx(lift, rel=1e-5)
    assert partners_of(BUTTER)[BREAD] == pytest.approx(lift, rel=1e-5)
    assert SHOP.together[BREAD].max() == 60
    assert SHOP.count.tolist() == [62, 60, 2, 65, 60, 65]
    assert SHOP.n_baskets == N_BASKETS
    assert SHOP.log_share[BREAD] == pytest.approx(np.log(62 / N_BASKETS), rel=1e-5)


def test_what_everybody_takes_is_nobodys_partner() -> None:
    for item in (BREAD, BUTTER, SPADE, SEEDS):
        assert MILK not in partners_of(item)
    assert partners_of(MILK) == {}


def test_pairs_that_avoid_each_other_are_no_partners() -> None:
    assert SPADE not in partners_of(BREAD)
    assert set(partners_of(SPADE)) == {SEEDS}


def test_two_that_met_twice_prove_nothing() -> None:
    table = shop(([BREAD, SPADE], 2), ([MILK], 500))
    assert likelihood_ratio(np.array([2.0]), 2, np.array([2.0]), 502)[0] > MIN_EVIDENCE
    assert partners_of(BREAD, table) == {}


@pytest.mark.parametrize("cells", [(12, 30, 25, 100), (1, 40, 40, 900), (9, 9, 9, 9), (0, 5, 7, 3)])
def test_the_likelihood_ratio_is_that_of_the_table(cells: tuple[int, ...]) -> None:
    both, one_alone, other_alone, neither = cells
    expected = chi2_contingency(
        np.reshape(cells, (2, 2)), correction=False, lambda_="log-likelihood"
    ).statistic
    found = likelihood_ratio(
        np.array([float(both)]), both + one_alone, np.array([float(both + other_alone)]), sum(cells)
    )
    assert found[0] == pytest.approx(expected, abs=1e-9)
    assert sum(cells) == both + one_alone + other_alone + neither


def test_an_item_twice_in_a_basket_is_there_once_and_order_is_nothing() -> None:
    rng = np.random.default_rng(0)
    basket, item = rng.integers(0, 60, 400), rng.integers(0, 6, 400)
    once = np.unique(basket * 6 + item)
    one, other = basket_partners(basket, item, 6), basket_partners(once // 6, once % 6, 6)
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.log_lift, other.log_lift)


def test_lifts_add_up_over_a_basket() -> None:
    both = SHOP.lifts(np.array([BREAD, SPADE]))
    np.testing.assert_allclose(
        both, SHOP.lifts(np.array([BREAD])) + SHOP.lifts(np.array([SPADE])), rtol=1e-6
    )
    half = SHOP.lifts(np.array([BREAD]), np.array([0.5], np.float32))
    assert half[BUTTER] == pytest.approx(partners_of(BREAD)[BUTTER] / 2, rel=1e-5)
    others = np.array([BUTTER, SPADE, MILK])
    np.testing.assert_allclose(
        SHOP.lifts_to(BREAD, others), SHOP.lifts(np.array([BREAD]))[others], rtol=1e-6
    )
    assert SHOP.lifts_to(99, others).tolist() == [0, 0, 0]


def test_complements_are_of_other_kinds_and_not_what_sells_anyway() -> None:
    found = bought_with(np.array([BREAD]), SHOP, GROUP, EVERYTHING, 5)
    assert found.rows.tolist() == [BUTTER]
    assert bought_with(np.array([MILK]), SHOP, GROUP, EVERYTHING, 5).rows.tolist() == []
    of_two = bought_with(np.array([BREAD, SEEDS]), SHOP, GROUP, EVERYTHING, 5)
    assert set(of_two.rows) == {BUTTER, SPADE}
    allowed = EVERYTHING.copy()
    allowed[BUTTER] = False
    assert bought_with(np.array([BREAD]), SHOP, GROUP, allowed, 5).rows.tolist() == []


def test_the_category_speaks_for_an_item_that_few_took() -> None:
    assert BREAD not in partners_of(MARGARINE)
    found = bought_with(np.array([MARGARINE]), SHOP, GROUP, EVERYTHING, 5)
    assert found.rows.tolist() == [BREAD]  # which goes with butter, of margarine's kind


def test_an_item_that_came_after_the_table_has_its_category() -> None:
    group = np.append(GROUP, 2)  # another spade
    allowed = np.ones(7, np.bool_)
    assert bought_with(np.array([6]), SHOP, group, allowed, 5).rows.tolist() == [SEEDS]


def test_a_shop_without_baskets_has_no_complements() -> None:
    none = no_partners(6)
    assert bought_with(np.array([BREAD]), none, GROUP, EVERYTHING, 5).rows.tolist() == []
    assert none.lifts(np.array([BREAD])).tolist() == [0] * 6
    empty = basket_partners(np.zeros(0, np.int64), np.zeros(0, np.int64), 6)
    assert not empty.log_lift.any()


def test_the_partners_of_a_few_items_have_the_lifts_of_the_whole_table() -> None:
    asked = np.array([BREAD, SPADE, SEEDS])
    rows, lifts = SHOP.lifted(asked)
    whole = SHOP.lifts(asked)
    assert rows.tolist() == np.flatnonzero(whole).tolist()
    np.testing.assert_allclose(lifts, whole[rows], rtol=1e-6)
    assert len(SHOP.lifted(asked[:0])[0]) == 0
