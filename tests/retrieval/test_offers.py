"""Which offers run where, and until when."""

from __future__ import annotations

import numpy as np
import pytest
from corner_shop import Offer, calendar
from hypothesis import given
from hypothesis import strategies as st

DISPLAY, MAILER, COUPON, DISCOUNT = range(4)


@pytest.mark.parametrize(
    ("at_unix_s", "runs"),
    [
        (100 * 3600 - 1, False),
        (100 * 3600, True),
        (102 * 3600 - 1, True),
        (102 * 3600, False),
    ],
)
def test_an_offer_runs_from_its_start_to_just_before_its_end(at_unix_s: int, runs: bool) -> None:
    offers = calendar(Offer(item=3, place=1, kind=DISPLAY, starts_h=100, ends_h=102))
    assert offers.running(1, at_unix_s).tolist() == [0, 0, 0, int(runs), 0, 0]


def test_an_offer_everywhere_runs_at_every_place_and_a_local_one_only_at_its_own() -> None:
    offers = calendar(Offer(0, 0, DISPLAY, 0, 9), Offer(5, 2, DISPLAY, 0, 9))
    at = {place: np.flatnonzero(offers.running(place, 3600)).tolist() for place in range(4)}
    assert at == {0: [0], 1: [0], 2: [0, 5], 3: [0]}


def test_kinds_of_one_item_are_bits_of_one_mask() -> None:
    offers = calendar(
        Offer(4, 1, DISPLAY, 0, 9),
        Offer(4, 1, DISCOUNT, 0, 9),
        Offer(4, 0, MAILER, 0, 9),
        Offer(4, 1, DISPLAY, 1, 2),  # twice the same kind is one bit
        Offer(4, 1, COUPON, 5, 9),  # not yet
    )
    assert offers.running(1, 3600)[4] == 0b1011


def test_a_place_is_covered_by_its_own_offers_only() -> None:
    offers = calendar(Offer(0, 0, DISPLAY, 0, 9), Offer(5, 2, DISPLAY, 0, 9))
    assert [offers.covers(place) for place in range(4)] == [True, False, True, False]
    assert not any(calendar().covers(place) for place in range(4))


def test_no_offers_run_in_a_shop_without_any() -> None:
    assert len(calendar()) == 0
    assert not calendar().running(2, 3600).any()


@given(
    st.lists(
        st.builds(
            Offer,
            item=st.integers(0, 5),
            place=st.integers(0, 3),
            kind=st.integers(0, 3),
            starts_h=st.integers(0, 5),
            ends_h=st.integers(0, 6),
        )
    ),
    st.integers(0, 3),
    st.integers(0, 7),
)
def test_the_calendar_says_what_reading_every_offer_says(
    offers: list[Offer], place: int, hour: int
) -> None:
    expected = np.zeros(6, np.uint8)
    for offer in offers:
        if offer.place in (0, place) and offer.starts_h <= hour < offer.ends_h:
            expected[offer.item] |= 1 << offer.kind
    np.testing.assert_array_equal(calendar(*offers).running(place, hour * 3600 + 17), expected)


def test_masks_that_are_no_longer_remembered_are_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("retrieval.rerank.offers.REMEMBERED_BYTES", 12)  # two masks of six items
    offers = calendar(*(Offer(place, place, DISPLAY, 0, 9) for place in range(4)))
    for _ in range(2):
        for place in range(4):
            on = np.flatnonzero(offers.running(place, 3600)).tolist()
            assert on == sorted({0, place})
    assert offers.running(3, 3600) is offers.running(3, 3600)
