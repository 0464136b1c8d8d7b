"""Reasons in Chinese, drawn wordings, and thousands of reasons without nonsense in their form."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from known_facts import BUY, nothing_of

from benchmarks.explain_cases.nonsense import complaints
from engine.explain import Facts, Verb, evidence_of, sentence
from engine.explain.checker import check
from engine.explain.sentences import is_chinese
from engine.explain.sheet import sheet_of
from engine.types import Item

COFFEE = Item("coffee", "Ground coffee, 12 oz (maker 899, variety 2)")
NOTHING = nothing_of(
    Item("even", "Yogurt, 6 oz (store brand, variety 67)", categories=("Dairy", "Yogurt"))
)


def told(locale: str = "zh-CN", seed: int = 0, **known) -> str:
    facts = replace(NOTHING, **known)
    return sentence(evidence_of(facts), facts, locale=locale, seed=seed)


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({}, "您还没有买过它。"),
        ({"sold_28_days": 52}, "它在过去四周售出52次。"),
        ({"times_taken": 9, "days_since": 2.6}, "您买过它9次，上次是3天前。"),
        ({"times_taken": 1, "days_since": 0.4}, "您买过它1次，不到一天前。"),
        ({"category": "Yogurt", "category_times": 14}, "您常买「Yogurt」类的商品。"),
        ({"together": COFFEE, "together_share": 0.4}, "买过「ground coffee」的人也买了它。"),
        ({"offers": ("display",), "place": "store-4"}, "它本周在本店专门陈列。"),
        ({"offers": ("discount", "coupon")}, "它本周降价，还有优惠券。"),
        ({"wish": "生日蛋糕", "wish_similarity": 0.7}, "它符合您说的「生日蛋糕」。"),
        ({"photo_similarity": 0.8}, "它和您的照片很像。"),
    ],
)
def test_chinese_reasons(known: dict, text: str):
    assert (
        told(**known).replace("Yogurt", "Yogurt") == text or told(**known).lower() == text.lower()
    )


def test_chinese_is_asked_for_by_locale():
    assert [is_chinese(tag) for tag in ("zh", "zh-CN", "zh_Hant_TW", "en-GB", "zhx", None)] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    known = {"sold_28_days": 52}
    assert told("en", **known) == told("fr", **known) == "Bought 52 times in the last four weeks."


def test_a_seed_draws_another_wording_and_the_same_seed_the_same():
    known = {"times_taken": 9}
    drawn = {told("en", seed, **known) for seed in range(12)}
    assert drawn == {"You have bought it 9 times.", "You bought it 9 times."}
    assert told("en", 5, **known) == told("en", 5, **known)


names = st.sampled_from(
    ["Ground coffee, 12 oz", "Red Delicious apples", "Kids' shampoo", "Soda, 12 × 12 oz (maker 3)"]
)
facts = st.builds(
    Facts,
    item=st.builds(Item, item_id=st.text("abc123", min_size=1, max_size=6), title=names),
    category=st.none() | names,
    times_taken=st.integers(0, 60),
    days_since=st.none() | st.floats(0, 900),
    interval_days=st.none() | st.floats(0.5, 200),
    category_times=st.integers(0, 90),
    offers=st.lists(st.sampled_from(["display", "mailer", "coupon", "discount"]), unique=True).map(
        tuple
    ),
    place=st.none() | st.sampled_from(["store-4", "north"]),
    place_lift=st.none() | st.floats(0.1, 30),
    sold_here=st.floats(0, 500),
    slot=st.none() | st.sampled_from(["Friday evening", "weekday midday", "weekend early morning"]),
    slot_lift=st.none() | st.floats(0.1, 9),
    sold_28_days=st.integers(0, 5_000),
    together=st.none() | st.builds(Item, item_id=st.just("other"), title=names),
    together_share=st.floats(0, 1),
    path=st.none(),
    wish=st.none() | st.sampled_from(["birthday party", "red wine", "生日"]),
    wish_similarity=st.none() | st.floats(-1, 1),
    photo_similarity=st.none() | st.floats(-1, 1),
    channels=st.just(()),
    verb=st.sampled_from([BUY, Verb("rate", "rated"), Verb("look at", "looked at")]),
)


@given(facts, st.integers(0, 9))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_reason_is_nonsense_in_its_form(known: Facts, seed: int):
    for locale in ("en", "zh"):
        text = sentence(evidence_of(known), known, locale=locale, seed=seed)
        assert not complaints(text, chinese=locale == "zh"), text


@given(facts)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_checker_follows_our_own_sentences(known: Facts):
    if known.together is not None and known.together.title == known.item.title:
        return  # one name for two things can be traced to neither
    text = sentence(evidence_of(known), known, locale="zh")
    assert check(text, sheet_of(known), chinese=True).accepted, text


@given(facts)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_checker_never_lets_a_larger_count_pass(known: Facts):
    if known.times_taken < 2 or known.times_taken + 101 == known.sold_28_days:
        return
    past = known.verb.past
    assert not check(f"You {past} it {known.times_taken + 101} times.", sheet_of(known)).accepted
