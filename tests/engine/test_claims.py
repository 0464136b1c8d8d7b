"""Clauses are remembered between lists, and never said of another item, shop or place."""

from dataclasses import replace
from itertools import permutations

import pytest
from known_facts import nothing_of

from engine.explain import Verb, evidence_of, sentence
from engine.recommendation import Evidence
from engine.types import Item

NOTHING = nothing_of(Item("soup", "Soup"))
TINS = Item("tins", "Acme tins", brand="Acme")
RATE = Verb("rate", "rated")
EVERYTHING = replace(
    NOTHING,
    times_taken=4,
    days_since=9.0,
    interval_days=9.0,
    category="Soups",
    category_times=12,
    offers=("display",),
    place="store-1",
    place_lift=2.0,
    sold_here=90.0,
    slot="weekday evening",
    slot_lift=1.6,
    sold_28_days=70,
    together=TINS,
    together_share=0.4,
    path="you → Bread → of brand → this",
    wish="hot soup",
    wish_similarity=0.7,
    photo_similarity=0.8,
)


def texts(**known):
    return {one.kind: one for one in evidence_of(replace(NOTHING, **known))}


@pytest.mark.parametrize(
    ("kind", "one", "another"),
    [
        ("habit", {"times_taken": 3}, {"times_taken": 4}),
        ("habit", {"times_taken": 3}, {"times_taken": 3, "verb": RATE}),
        ("popular", {"sold_28_days": 40}, {"sold_28_days": 41}),
        ("popular", {"sold_28_days": 40}, {"sold_28_days": 40, "verb": RATE}),
        ("offer", {"offers": ("display",)}, {"offers": ("display",), "place": "store-1"}),
        ("offer", {"offers": ("display",)}, {"offers": ("discount",)}),
        (
            "category",
            {"category": "Soups", "category_times": 9},
            {"category": "Teas", "category_times": 9},
        ),
        (
            "category",
            {"category": "Soups", "category_times": 4},
            {"category": "Soups", "category_times": 5},
        ),
        (
            "category",
            {"category": "Soups", "category_times": 9},
            {"category": "Soups", "category_times": 9, "verb": RATE},
        ),
        (
            "together",
            {"together": TINS, "together_share": 0.4},
            {"together": replace(TINS, brand=None), "together_share": 0.4},
        ),
        (
            "together",
            {"together": TINS, "together_share": 0.4},
            {"together": TINS, "together_share": 0.4, "verb": RATE},
        ),
    ],
)
def test_what_is_remembered_of_one_fact_is_not_said_of_another(kind, one, another):
    first = texts(**one)[kind]
    assert texts(**another)[kind].text != first.text
    assert texts(**one)[kind] == first


def test_items_of_one_name_stay_apart():
    """Two items may have one title; the evidence tells which was meant, and how near it is."""
    other = replace(TINS, item_id="other")
    near, far = (
        texts(together=item, together_share=share)["together"]
        for item, share in ((TINS, 0.4), (other, 0.2))
    )
    assert (near.item_id, far.item_id) == ("tins", "other")
    assert near.text == far.text
    assert near.weight == pytest.approx(0.6 * 0.4 / (0.4 + 0.2))
    assert far.weight == pytest.approx(0.6 * 0.2 / (0.2 + 0.2))


def test_a_kind_is_plain_text():
    """Evidence is written as JSON and compared with words: an enum's member must not leak."""
    assert {type(one.kind) for one in evidence_of(EVERYTHING)} == {str}


OWN, TASTE, CROWD, SCENE, WISH, OFFER = range(6)
THEME = {
    "due": OWN,
    "habit": OWN,
    "last_time": OWN,
    "together": TASTE,
    "category": TASTE,
    "popular": CROWD,
    "place": SCENE,
    "hour": SCENE,
    "wish": WISH,
    "look": WISH,
    "offer": OFFER,
}


def adds(first, other):
    """Whether the second of two claims adds something to the first."""
    if {first.kind, other.kind} == {"habit", "last_time"}:
        return True
    mine, its = THEME.get(first.kind), THEME.get(other.kind)
    if other.weight < 0.1 or mine is None or its is None or mine == its:
        return False
    return {mine, its} not in ({OWN, TASTE}, {OWN, CROWD})


def test_a_sentence_says_two_things_exactly_where_the_second_adds_something():
    found = evidence_of(EVERYTHING)
    assert {one.kind for one in found} == {*THEME, "path"}
    for first, other in permutations(found, 2):
        alone = sentence([first], EVERYTHING)
        both = sentence([first, other], EVERYTHING)
        assert (both != alone) == adds(first, other), (first.kind, other.kind)


def test_evidence_that_somebody_else_wrote_is_told_by_its_kind():
    """What a writer hands back need not be the very objects."""
    copied = [
        Evidence(one.kind, one.weight, one.text, one.item_id) for one in evidence_of(EVERYTHING)
    ]
    assert sentence(copied, EVERYTHING) == sentence(evidence_of(EVERYTHING), EVERYTHING)
