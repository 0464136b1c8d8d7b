import re
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_facts import BUY, nothing_of

from engine.explain import Facts, Verb, evidence_of, sentence
from engine.explain.wording import ago, every, fold, name_of, quoted, shorten, times
from engine.types import Item

RATE, LOOK = Verb("rate", "rated"), Verb("look at", "looked at")
YOGURT = Item("even", "Yogurt, 6 oz (store brand, variety 67)")
"""Its id picks the first wording of two."""
ODD = replace(YOGURT, item_id="a")
"""And this one's the second."""
COFFEE = Item("coffee", "Ground coffee, 12 oz (maker 899, variety 2)")

NOTHING = nothing_of(YOGURT)
PATH = "you → Ground coffee (May 2017) → has brand → this"
BOUGHT_9 = {"times_taken": 9, "days_since": 2.6}
DUE = {"times_taken": 9, "days_since": 9.2, "interval_days": 8.1}
COFFEE_TOO = {"together": COFFEE, "together_share": 0.4}
ON_DISPLAY = {"offers": ("display",), "place": "store-406"}
OFTEN_YOGURT = {"category": "Yogurt", "category_times": 14}
HERE = {"place": "store-406", "place_lift": 2.04, "sold_here": 40.0}
FRIDAY = {"slot": "Friday evening", "slot_lift": 1.52, "sold_28_days": 9}
CAKE = {"wish": "birthday cake", "wish_similarity": 0.7}


def told(**known) -> str:
    facts = replace(NOTHING, **known)
    return sentence(evidence_of(facts), facts)


def kinds(**known) -> list[str]:
    return [e.kind for e in evidence_of(replace(NOTHING, **known))]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (DUE, "You buy it every 8 days or so, and the last time was 9 days ago."),
        (DUE | {"item": ODD}, "You buy it every 8 days or so, and it is due now."),
        (
            {"times_taken": 4, "days_since": 6.5, "interval_days": 7.2, "item": ODD},
            "You buy it every week or so, and it is nearly due.",
        ),
        (
            {"times_taken": 4, "days_since": 12.2, "interval_days": 14.6},
            "You buy it every 15 days or so, the last time was 12 days ago, "
            "and it is due in 2 days.",
        ),
        (
            {
                "times_taken": 4,
                "days_since": 12,
                "interval_days": 8,
                "due_in_days": 2.8,
                "item": ODD,
            },
            "You buy it every 15 days or so, and it is due in 3 days.",
        ),
        ({"times_taken": 9}, "You have bought it 9 times."),
        ({"times_taken": 1, "item": ODD}, "You bought it once."),
        (COFFEE_TOO, "People who bought your ground coffee bought this too."),
        (COFFEE_TOO | {"item": ODD}, "People who bought your ground coffee took this too."),
        ({"offers": ("display",)}, "On display this week."),
        (ON_DISPLAY, "On display in this store this week."),
        (ON_DISPLAY | {"place": "Norway"}, "On display here this week."),
        ({"offers": ("mailer",), "place": "store-406"}, "In this week's mailer."),
        ({"offers": ("coupon",)}, "A coupon for it is out this week."),
        ({"offers": ("discount", "coupon")}, "Reduced this week, with a coupon out."),
        (
            ON_DISPLAY | {"offers": ("display", "mailer", "coupon", "discount")},
            "Reduced, on display in this store and in this week's mailer, with a coupon out.",
        ),
        ({"offers": ("bundle",)}, "On offer this week."),
        (OFTEN_YOGURT, "You often buy yogurt."),
        (OFTEN_YOGURT | {"item": ODD}, "You buy yogurt often."),
        (OFTEN_YOGURT | {"category_times": 3}, "You have bought yogurt before."),
        (HERE, "It is twice as popular in this store as overall."),
        (HERE | {"item": ODD}, "In this store it is twice as popular as overall."),
        (FRIDAY, "It is 1.5 times as popular on Friday evenings as usual."),
        (
            FRIDAY | {"slot": "weekday midday", "item": ODD},
            "Around midday on weekdays it is 1.5 times as popular as usual.",
        ),
        (
            FRIDAY | {"slot": "weekend early morning"},
            "It is 1.5 times as popular early on weekend mornings as usual.",
        ),
        ({"path": PATH}, f"A chain of facts leads to it: {PATH}."),
        ({"sold_28_days": 41}, "Bought 41 times in the last four weeks."),
        ({"sold_28_days": 1244}, "Bought 1,244 times in the last four weeks."),
        (CAKE, 'It matches "birthday cake".'),
        (CAKE | {"wish_similarity": 0.5}, 'It comes close to "birthday cake".'),
        ({"photo_similarity": 0.8}, "It looks much like your photo."),
        ({"photo_similarity": 0.5}, "It resembles your photo."),
    ],
)
def test_one_kind_of_evidence_is_one_sentence(known, expected):
    assert told(**known) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (BOUGHT_9, "You have bought it 9 times, the last time 3 days ago."),
        ({"times_taken": 1, "days_since": 0.4}, "You have bought it once, less than a day ago."),
        (
            DUE | ON_DISPLAY,
            "You buy it every 8 days or so, and the last time was 9 days ago; "
            "it is on display in this store this week.",
        ),
        (
            BOUGHT_9 | ON_DISPLAY,
            "You have bought it 9 times, and it is on display in this store this week.",
        ),
        (
            ON_DISPLAY | OFTEN_YOGURT | {"category_times": 8},
            "On display in this store this week, and you often buy yogurt.",
        ),
        (
            OFTEN_YOGURT | {"category_times": 400, "sold_28_days": 80},
            "You often buy yogurt, and this one was bought 80 times in the last four weeks.",
        ),
        (
            COFFEE_TOO | HERE,
            "People who bought your ground coffee bought this too, and it is twice "
            "as popular in this store as overall.",
        ),
        (
            CAKE | COFFEE_TOO,
            'It matches "birthday cake", and people who bought your ground coffee bought this too.',
        ),
        (CAKE | BOUGHT_9, 'It matches "birthday cake", and you have bought it 9 times.'),
    ],
)
def test_two_pieces_of_evidence_are_one_sentence(known, expected):
    assert told(**known) == expected


def test_the_verb_is_that_of_the_shop():
    film = Item("m", "Toy Story (1995)")
    assert told(together=film, together_share=0.4, verb=RATE) == (
        "People who rated Toy Story rated this too."
    )
    shirt = Item("s", "Navy shirt")
    assert told(together=shirt, together_share=0.4, verb=LOOK) == (
        "People who looked at the navy shirt looked at this too."
    )
    assert told(times_taken=2, verb=LOOK) == "You have looked at it twice."
    assert told(verb=RATE) == "You have not rated it before."


def test_the_last_resort_is_plain_and_true():
    assert told() == "You have not bought it before."
    assert told(category="Soft drinks") == "Found under soft drinks."
    assert told(category="Soft drinks", sold_28_days=1) == "Bought once in the last four weeks."


@pytest.mark.parametrize(
    "weak",
    [
        HERE | {"place_lift": 1.29},
        HERE | {"sold_here": 10.0},  # 2.04 * (1 - 1.645 / sqrt(10)) = 0.98: may be chance
        HERE | {"place_lift": float("inf")},
        HERE | {"place_lift": float("nan")},
        FRIDAY | {"slot_lift": 1.29},
        FRIDAY | {"sold_28_days": 4},
        CAKE | {"wish_similarity": 0.44},
        CAKE | {"wish": " ?! "},
        COFFEE_TOO | {"together_share": 0.09},
        COFFEE_TOO | {"together": Item("x", "(...)")},
        OFTEN_YOGURT | {"category_times": 2},
        OFTEN_YOGURT | {"category": "nan"},
        {"photo_similarity": 0.44},
        {"days_since": 3.0},
    ],
)
def test_a_weak_fact_is_no_evidence(weak):
    assert kinds(**weak)[1:] == []
    assert kinds(**weak)[0] in {"new", "category", "popular"}
    assert all(e.weight <= 0.1 for e in evidence_of(replace(NOTHING, **weak)))


def test_an_item_is_due_from_a_little_before_its_time_until_the_user_seems_to_have_stopped():
    rhythm = {"times_taken": 5, "interval_days": 10.0}
    due = [d for d in range(40) if "due" in kinds(**rhythm, days_since=float(d))]
    assert due == list(range(8, 26))


def test_a_habit_is_not_called_a_taste_for_its_category():
    assert "category" not in kinds(**(BOUGHT_9 | OFTEN_YOGURT | {"category_times": 11}))
    assert "category" in kinds(**(BOUGHT_9 | OFTEN_YOGURT | {"category_times": 12}))


def test_more_of_the_same_weighs_more():
    def weight(kind: str, **known) -> float:
        facts = replace(NOTHING, **known)
        return next(e.weight for e in evidence_of(facts) if e.kind == kind)

    assert weight("habit", times_taken=9) > weight("habit", times_taken=2)
    assert weight("place", **HERE | {"place_lift": 4.0}) > weight("place", **HERE)
    assert weight("wish", **CAKE) > weight("wish", **CAKE | {"wish_similarity": 0.5})
    assert weight("popular", sold_28_days=400) > weight("popular", sold_28_days=40)
    assert weight("due", **DUE) > weight("due", **DUE | {"days_since": 18.0})
    assert weight("last_time", **BOUGHT_9) > weight("last_time", times_taken=9, days_since=90.0)


def test_evidence_names_the_item_it_is_about():
    together = evidence_of(replace(NOTHING, **COFFEE_TOO | BOUGHT_9))
    assert {e.kind: e.item_id for e in together} == {
        "habit": None,
        "last_time": None,
        "together": "coffee",
    }


def test_nothing_is_named_twice():
    known = COFFEE_TOO | {"wish": "Ground coffee", "wish_similarity": 0.9}
    assert told(**known) == 'It matches "Ground coffee".'


def test_the_caller_chooses_what_is_said_but_never_what_is_not_so():
    facts = replace(NOTHING, **BOUGHT_9 | ON_DISPLAY)
    offer = [e for e in evidence_of(facts) if e.kind == "offer"]
    assert sentence(offer, facts) == "On display in this store this week."
    of_another = evidence_of(replace(NOTHING, **CAKE))
    assert sentence(of_another, facts) == sentence(evidence_of(facts), facts)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Ground coffee, 12 oz (maker 899, variety 2)", "ground coffee"),
        ("Soda, large bottle, 2 l (maker 2224)", "soda"),
        ("Wreaths, tinsel and garland, 14 in", "wreaths, tinsel and garland"),
        ("Children's cereal, 15.3 oz", "children's cereal"),
        ("Single-serve chips", "single-serve chips"),
        ("Mexican dinner kits", "Mexican dinner kits"),
        ("L'Oreal cosmetics", "L'Oreal cosmetics"),
        ("Sally Hansen cosmetics", "Sally Hansen cosmetics"),
        ("White Hanging Heart T-Light Holder", "White Hanging Heart T-Light Holder"),
        ("RED  EGG\nSPOON ", "red egg spoon"),
        ("iPhone", "iPhone"),
        ("(loose)", "(loose)"),
        (
            "A very long title of a set of many small things",
            "a very long title of a set of many small",
        ),
        ("Short title (with a bracket that never", "short title"),
        ("x" * 60, "x" * 40),
        ("None", None),
        (" … ", None),
    ],
)
def test_a_title_becomes_a_noun(title, name):
    assert name_of(title, 40) == name


def test_a_title_that_begins_with_its_brand_keeps_the_capital():
    toys = Item("n", "Nerf toys", brand="Nerf")
    assert (
        told(together=toys, together_share=0.4)
        == "People who bought your Nerf toys bought this too."
    )


def test_a_cut_leaves_no_loose_end():
    assert shorten("salt and pepper mills", 10) == "salt"
    assert shorten("salt and pepper mills", 15) == "salt and pepper"
    assert quoted('a "cake" for 12. Big!', 40) == "\"a 'cake' for 12, Big\""
    assert quoted("something for the whole family", 14) == '"something…"'


def test_numbers_and_spans_read_as_people_say_them():
    assert [times(n) for n in (1, 2, 9, 1234)] == ["once", "twice", "9 times", "1,234 times"]
    assert [fold(x) for x in (1.3, 1.97, 3.04, 12.4)] == [
        "1.3 times",
        "twice",
        "3 times",
        "12 times",
    ]
    assert [ago(d) for d in (0.9, 1.2, 1.6, 20.4, 21, 62, 63, 800)] == [
        "less than a day ago", "a day ago", "2 days ago", "20 days ago",
        "3 weeks ago", "9 weeks ago", "2 months ago", "2 years ago",
    ]  # fmt: skip
    assert [every(d) for d in (0.6, 1.4, 2, 7.3, 14, 30, 90)] == [
        "every day or so", "every day or so", "every 2 days or so", "every week or so",
        "every 14 days or so", "every 4 weeks or so", "every 3 months or so",
    ]  # fmt: skip


def number(low: float, high: float) -> st.SearchStrategy[float | None]:
    odd = st.sampled_from([None, float("nan"), float("inf"), -1.0, 0.0, 1.0])
    return st.one_of(st.floats(low, high), odd)


SCRAPS = ["Ground", "coffee,", "12", "oz", "(loose", "and)", "A.", '"', "…", "→", "\u200b"]
TEXT = st.one_of(
    st.text(max_size=90).filter(lambda text: not re.search("none|nan|inf", text, re.IGNORECASE)),
    st.lists(st.sampled_from(SCRAPS)).map(" ".join),
    st.sampled_from(["", "None", "nan", "Yogurt", "W" * 300, "Tea. Milk! Sugar?"]),
)
ITEM = st.builds(Item, st.text(min_size=1, max_size=12), TEXT, brand=st.none() | TEXT)
OFFERS = ("display", "mailer", "coupon", "discount", "bundle")
SLOTS = ["Friday evening", "weekday midday", "weekend early morning", "weekday night"]
FACTS = st.builds(
    Facts,
    item=ITEM,
    category=st.none() | TEXT,
    times_taken=st.integers(0, 400),
    days_since=number(0, 900),
    interval_days=number(0, 400),
    category_times=st.integers(0, 5000),
    offers=st.lists(st.sampled_from(OFFERS), max_size=4).map(tuple),
    place=st.none() | st.sampled_from(["store-406", "Norway", "Shop 3"]) | TEXT,
    place_lift=number(0, 50),
    sold_here=st.floats(0, 500),
    slot=st.none() | st.sampled_from(SLOTS),
    slot_lift=number(0, 50),
    sold_28_days=st.integers(0, 3000),
    together=st.none() | ITEM,
    together_share=st.floats(0, 1),
    path=st.none() | st.just(PATH) | TEXT,
    wish=st.none() | TEXT,
    wish_similarity=number(-1, 2),
    photo_similarity=number(-1, 1),
    channels=st.just(("taste",)),
    verb=st.sampled_from([BUY, RATE, LOOK]),
)


TITLES = (
    "Yogurt, 6 oz (store brand, variety 67)",
    "Soda, large bottle, 2 l (maker 2224, variety 29)",
    "Wreaths, tinsel and garland, 14 in (store brand, variety 1)",
    "Sinus and allergy decongestant, 24 ct (store brand, variety 3)",
    "L'Oreal cosmetics (maker 1628, variety 189)",
    "WHITE HANGING HEART T-LIGHT HOLDER",
    "Lord of the Rings: The Fellowship of the Ring, The (2001)",
)


def random_facts(rng: Random) -> Facts:
    """What a grocer's run may know, each thing known or not."""

    def maybe(value):
        return value if rng.random() < 0.5 else None

    taken = rng.choice((0, 0, 1, 2, 3, 9, 41))
    return Facts(
        item=Item(f"product-{rng.randrange(10**6)}", rng.choice(TITLES)),
        category=maybe(rng.choice(("Yogurt", "Soft drinks", "Mexican dinner kits"))),
        times_taken=taken,
        days_since=rng.expovariate(0.03) if taken else None,
        interval_days=rng.expovariate(0.05) if taken > 2 else None,
        category_times=taken + rng.choice((0, 1, 4, 30)),
        offers=tuple(kind for kind in OFFERS if rng.random() < 0.2),
        place=maybe("store-406"),
        place_lift=maybe(rng.lognormvariate(0, 1)),
        sold_here=rng.expovariate(0.02),
        slot=maybe(rng.choice(SLOTS)),
        slot_lift=maybe(rng.lognormvariate(0, 0.5)),
        sold_28_days=int(rng.expovariate(0.02)),
        together=maybe(Item("other", rng.choice(TITLES))),
        together_share=rng.random(),
        path=maybe(PATH),
        wish=maybe(rng.choice(("birthday cake", "Something for 12 people. Picnic"))),
        wish_similarity=maybe(rng.random()),
        photo_similarity=maybe(rng.random()),
        channels=("taste",),
        verb=rng.choice((BUY, RATE, LOOK)),
    )


def check(facts: Facts) -> str:
    """Assert what holds of every sentence, and give it."""
    evidence = evidence_of(facts)
    text = sentence(evidence, facts)

    assert evidence
    assert all(a.weight >= b.weight for a, b in pairwise(evidence))
    assert all(0 < e.weight <= 1 for e in evidence)
    assert len({e.kind for e in evidence}) == len(evidence)

    assert len(text) <= 160
    assert re.search(r"[^.!?,;:…–\s-]\.$", text), "ends with one full stop"
    assert not re.search(r"^\s|\s\s|[^\S ]", text), "single spaces only"
    assert text[0] == text[0].upper()
    said = [e.text for e in evidence]
    assert numbers(text) <= numbers(" ".join(said))
    for clause in (text, *said):
        assert not re.search(r"\b(?:None|nan|inf)\b", clause)
        assert not re.search(r"(?<![\d.,])[01] (?:times|days|weeks|months|years)\b", clause)
    assert sentence(evidence_of(facts), facts) == text
    return text


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:[.,]\d+)*", text))


@settings(max_examples=500, deadline=None)
@given(FACTS)
def test_no_facts_make_nonsense(facts):
    check(facts)


def test_thousands_of_a_grocers_reasons_read_well():
    rng = Random(7)
    texts = [check(random_facts(rng)) for _ in range(5_000)]
    for text in texts:
        assert not re.search(r" ,|,,|\(\)|\"\"", text)
        assert text.count(", and ") < 2
        names = [title.split(",")[0].split(" (")[0].lower() for title in TITLES]
        assert all(text.lower().count(name) < 2 for name in names)
    assert len(set(texts)) > 1_500
