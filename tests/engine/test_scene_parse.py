"""Words to a scene: a table written by hand, and what must hold for any text."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.scene import Scene
from engine.scene_parse import read_scene, render

NOW = datetime(2026, 11, 18, 10, 0)
"""A Wednesday morning."""


def parsed(text: str, country: str | None = None, now: datetime = NOW) -> dict[str, object]:
    scene = Scene.parse(text, now=now, country=country)
    told = scene.model_dump(exclude_none=True)
    told.pop("attributes")
    told |= scene.attributes
    if country is not None and told.get("country") == country:
        del told["country"]
    if scene.time is not None:
        told["time"] = f"{scene.time:%Y-%m-%d %H:%M}"
    return told


DAYS = [
    ("today", "2026-11-18 10:00"),
    ("tonight", "2026-11-18 20:00"),
    ("right now", "2026-11-18 10:00"),
    ("tomorrow", "2026-11-19 12:00"),
    ("tomorrow morning", "2026-11-19 09:00"),
    ("tomorrow night", "2026-11-19 21:00"),
    ("the day after tomorrow", "2026-11-20 12:00"),
    ("Friday", "2026-11-20 12:00"),
    ("on Friday evening", "2026-11-20 19:00"),
    ("Wednesday", "2026-11-18 10:00"),
    ("Monday", "2026-11-23 12:00"),
    ("next Monday", "2026-11-23 12:00"),
    ("next Saturday", "2026-11-28 12:00"),
    ("this Saturday", "2026-11-21 12:00"),
    ("Sat", None),
    ("Fri 6:30 pm", "2026-11-20 18:30"),
    ("this weekend", "2026-11-21 12:00"),
    ("next weekend", "2026-11-28 12:00"),
    ("next week", "2026-11-25 12:00"),
    ("7pm", "2026-11-18 19:00"),
    ("at 9 a.m.", "2026-11-19 09:00"),
    ("19:45", "2026-11-18 19:45"),
    ("12 am", "2026-11-19 00:00"),
    ("25:10", None),
    ("noon", "2026-11-18 12:00"),
    ("this afternoon", "2026-11-18 15:00"),
    ("in the evening", "2026-11-18 19:00"),
    ("early morning", "2026-11-19 07:00"),
    ("in 3 days", "2026-11-21 12:00"),
    ("in two weeks", "2026-12-02 12:00"),
    ("in 2 hours", "2026-11-18 12:00"),
    ("in half a year", None),
    ("2026-12-05", "2026-12-05 12:00"),
    ("2026-12-05 18:30", "2026-12-05 18:30"),
    ("2026-13-05", None),
    ("5 December", "2026-12-05 12:00"),
    ("December 5th, 2027", "2027-12-05 12:00"),
    ("the 3rd of March", "2027-03-03 12:00"),
    ("February 30", None),
    ("今天", "2026-11-18 10:00"),
    ("今晚", "2026-11-18 20:00"),
    ("明天早上", "2026-11-19 09:00"),
    ("明早", "2026-11-19 09:00"),
    ("后天", "2026-11-20 12:00"),
    ("大后天", "2026-11-21 12:00"),
    ("周五晚上", "2026-11-20 19:00"),
    ("星期六", "2026-11-21 12:00"),
    ("下周六", "2026-11-28 12:00"),
    ("下周", "2026-11-25 12:00"),
    ("周末", "2026-11-21 12:00"),
    ("下周末", "2026-11-28 12:00"),
    ("三天后", "2026-11-21 12:00"),
    ("两周后", "2026-12-02 12:00"),
    ("下午3点半", "2026-11-18 15:30"),
    ("晚上七点", "2026-11-18 19:00"),
    ("12月5日", "2026-12-05 12:00"),
    ("2027年3月8号", "2027-03-08 12:00"),
]


@pytest.mark.parametrize(("text", "time"), DAYS)
def test_words_for_days_and_hours(text, time):
    assert parsed(text).get("time") == time
    assert ("query" in parsed(text)) == (time is None)


FEASTS = [
    ("Christmas", None, "Christmas", "2026-12-25"),
    ("Christmas Eve", None, "Christmas Eve", "2026-12-24"),
    ("圣诞节", None, "Christmas", "2026-12-25"),
    ("New Year's Eve", None, "New Year's Eve", "2026-12-31"),
    ("Halloween", None, "Halloween", "2027-10-31"),
    ("Valentine's Day", None, "Valentine's Day", "2027-02-14"),
    ("情人节", None, "Valentine's Day", "2027-02-14"),
    ("Mother's Day", None, "Mother's Day", "2027-05-09"),
    ("Mother's Day", "GB", "Mother's Day", "2027-03-07"),
    ("Mother's Day", "FR", "Mother's Day", "2027-05-30"),
    ("母亲节", "CN", "Mother's Day", "2027-05-09"),
    ("Father's Day", None, "Father's Day", "2027-06-20"),
    ("Thanksgiving", "US", "Thanksgiving", "2026-11-26"),
    ("Thanksgiving", "CA", "Thanksgiving", "2027-10-11"),
    ("Black Friday", None, "Black Friday", "2026-11-27"),
    ("黑五", None, "Black Friday", "2026-11-27"),
    ("Cyber Monday", None, "Cyber Monday", "2026-11-30"),
    ("Easter", None, "Easter", "2027-03-28"),
    ("Chinese New Year", None, "Chinese New Year", "2027-02-06"),
    ("春节", "CN", "Chinese New Year", "2027-02-06"),
    ("除夕", None, "Chinese New Year's Eve", "2027-02-05"),
    ("中秋节", None, "Mid-Autumn Festival", "2027-09-15"),
    ("双十一", None, "Singles' Day", "2027-11-11"),
    ("Diwali", None, "Diwali", "2027-10-29"),
    ("Hanukkah", None, "Hanukkah", "2026-12-05"),
    ("Bastille Day", "FR", None, None),
    ("Labor Day", "US", "Labor Day", "2027-09-06"),
    ("Canada Day", "CA", "Canada Day", "2027-07-01"),
    ("Tag der Deutschen Einheit", "DE", "Tag der Deutschen Einheit", "2027-10-03"),
    ("three days before Christmas", None, "Christmas", "2026-12-22"),
    ("a week before Black Friday", None, "Black Friday", "2026-11-20"),
]


@pytest.mark.parametrize(("text", "country", "occasion", "day"), FEASTS)
def test_feasts_are_an_occasion_and_a_day(text, country, occasion, day):
    told = parsed(text, country)
    assert told.get("occasion") == occasion
    assert told.get("time", "")[:10] == (day or "")


PHRASES = [
    # weather and temperature
    ("raining", {"weather": "rain"}),
    ("it's raining", {"weather": "rain"}),
    ("on a rainy day", {"weather": "rain"}),
    ("rain", {"weather": "rain"}),
    ("rain boots", {"query": "rain boots"}),
    ("shower gel", {"query": "shower gel"}),
    ("not raining", {"query": "not raining"}),
    ("snowing", {"weather": "snow"}),
    ("hot", {"weather": "hot"}),
    ("it's hot outside", {"weather": "hot"}),
    ("hot day, barbecue", {"weather": "hot", "occasion": "barbecue"}),
    ("hot sauce", {"query": "hot sauce"}),
    ("cold brew coffee", {"query": "cold brew coffee"}),
    ("freezing cold", {"weather": "cold"}),
    ("windy", {"weather": "wind"}),
    ("sunny", {"weather": "sun"}),
    ("下雨", {"weather": "rain"}),
    ("今天很热", {"weather": "hot", "time": "2026-11-18 10:00"}),
    ("下雪天", {"weather": "snow"}),
    ("阴天", {"weather": "cloud"}),
    ("5 degrees", {"temperature": 5}),
    ("-3C", {"temperature": -3}),
    ("minus 10 degrees", {"temperature": -10}),
    ("80F", {"temperature": 26.7}),
    ("25°C", {"temperature": 25}),
    ("68 degrees fahrenheit", {"temperature": 20}),
    ("零下5度", {"temperature": -5}),
    ("三十度", {"temperature": 30}),
    ("300 degrees", {"query": "300 degrees"}),
    ("iPhone 5C case", {"query": "iPhone 5C case"}),
    # what it is for
    ("birthday", {"occasion": "birthday"}),
    ("birthday present", {"occasion": "birthday", "query": "present"}),
    ("for a wedding", {"occasion": "wedding"}),
    ("wedding anniversary", {"occasion": "anniversary"}),
    ("picnic in the park", {"occasion": "picnic", "setting": "outdoors"}),
    ("house party", {"occasion": "party"}),
    ("bbq", {"occasion": "barbecue"}),
    ("camping trip", {"occasion": "camping"}),
    ("for work", {"occasion": "work"}),
    ("work boots", {"query": "work boots"}),
    ("date night", {"occasion": "date"}),
    ("back to school", {"occasion": "school"}),
    ("生日", {"occasion": "birthday"}),
    ("野餐", {"occasion": "picnic"}),
    ("露营", {"occasion": "camping"}),
    ("乔迁礼物", {"occasion": "housewarming", "query": "礼物"}),
    # for whom, with whom
    ("for my wife", {"recipient": "wife"}),
    ("for a six-year-old", {"recipient_age": 6}),
    ("for my 6 year old son", {"recipient": "son", "recipient_age": 6}),
    ("18-month-old", {"recipient_age": 1.5}),
    ("for her 30th birthday", {"occasion": "birthday", "recipient_age": 30}),
    ("gift for my mom", {"recipient": "mother", "query": "gift"}),
    ("treats for the dog", {"recipient": "dog", "query": "treats"}),
    ("hot dog", {"query": "hot dog"}),
    ("送给女朋友", {"recipient": "girlfriend"}),
    ("给妈妈", {"recipient": "mother"}),
    ("给六岁孩子", {"recipient": "child", "recipient_age": 6}),
    ("八个月大的宝宝", {"recipient": "baby", "recipient_age": 0.67}),
    ("with friends", {"companions": "friends"}),
    ("dinner with my husband", {"occasion": "dinner", "companions": "husband"}),
    ("for two", {"companions": "2 people"}),
    ("family of four", {"companions": "4 people"}),
    ("by myself", {"companions": "alone"}),
    ("和朋友", {"companions": "friend"}),
    ("全家", {"companions": "family"}),
    ("八个人", {"companions": "8 people"}),
    # prices
    ("under 30", {"price_max": 30}),
    ("under $30", {"price_max": 30, "currency": "USD"}),
    ("less than 1,200 euros", {"price_max": 1200, "currency": "EUR"}),
    ("at most £15", {"price_max": 15, "currency": "GBP"}),
    ("£15 or less", {"price_max": 15, "currency": "GBP"}),
    ("budget 50", {"price_max": 50}),
    ("over 100 dollars", {"price_min": 100, "currency": "USD"}),
    ("20-40 euros", {"price_min": 20, "price_max": 40, "currency": "EUR"}),
    ("between 20 and 40", {"price_min": 20, "price_max": 40}),
    ("$40 - $20", {"price_min": 20, "price_max": 40, "currency": "USD"}),
    ("around $50", {"price_min": 40, "price_max": 60, "currency": "USD"}),
    ("under thirty", {"price_max": 30}),
    ("size 38-40", {"query": "size 38-40"}),
    ("under 30 minutes", {"query": "under 30 minutes"}),
    ("at least two pockets", {"query": "at least two pockets"}),
    ("air max 90", {"query": "air max 90"}),
    ("低于100元", {"price_max": 100, "currency": "CNY"}),
    ("一百块以内", {"price_max": 100, "currency": "CNY"}),
    ("预算200", {"price_max": 200}),
    ("50到100元", {"price_min": 50, "price_max": 100, "currency": "CNY"}),
    ("两百元左右", {"price_min": 160, "price_max": 240, "currency": "CNY"}),
    ("不超过３０元", {"price_max": 30, "currency": "CNY"}),
    # device and place
    ("on my phone", {"device": "mobile"}),
    ("phone case", {"query": "phone case"}),
    ("at home", {"setting": "home"}),
    ("at the beach", {"setting": "beach"}),
    ("store 406", {"place": "store-406"}),
    ("in Japan", {"country": "JP"}),
    ("made in Italy", {"query": "made in Italy"}),
    ("在德国", {"country": "DE"}),
    # all at once
    (
        "Friday evening, raining, birthday present for a six-year-old, under 30",
        {
            "time": "2026-11-20 19:00",
            "weather": "rain",
            "occasion": "birthday",
            "recipient_age": 6,
            "price_max": 30,
            "query": "present",
        },
    ),
    (
        "red dress for my wife under $50 with pockets",
        {
            "recipient": "wife",
            "price_max": 50,
            "currency": "USD",
            "query": "red dress, with pockets",
        },
    ),
    (
        "周五晚上下雨，给六岁女儿的生日礼物，低于100元",
        {
            "time": "2026-11-20 19:00",
            "weather": "rain",
            "occasion": "birthday",
            "recipient": "daughter",
            "recipient_age": 6,
            "price_max": 100,
            "currency": "CNY",
            "query": "礼物",
        },
    ),
    (
        "明天下午三点和朋友烧烤，30度",
        {
            "time": "2026-11-19 15:00",
            "companions": "friend",
            "occasion": "barbecue",
            "temperature": 30,
        },
    ),
    # told by its name, or taken literally
    ('weather: "grey drizzle"', {"weather": "grey drizzle"}),
    ('"birthday" by Katy Perry', {"query": "birthday, by Katy Perry"}),
    ("ignore all; price_max=0", {"query": "ignore all; price_max=0"}),
    ("<script>alert(1)</script>", {"query": "<script>alert(1)</script>"}),
    ("", {}),
    (" ,.! ", {}),
    ("I want something for", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PHRASES)
def test_phrases(text, expected):
    assert parsed(text) == expected


def test_a_zone_of_now_is_the_zone_of_the_time():
    now = datetime(2026, 11, 18, 22, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    at = Scene.parse("7pm", now=now).time
    assert at == datetime(2026, 11, 19, 11, 0, tzinfo=UTC)


def test_plain_degrees_are_fahrenheit_where_people_count_so():
    assert parsed("68 degrees", "US")["temperature"] == 20
    assert parsed("20 degrees", "DE")["temperature"] == 20
    assert parsed("20°C", "US")["temperature"] == 20


def test_the_weekend_begins_when_the_country_says():
    assert parsed("this weekend", "SA")["time"] == "2026-11-20 12:00"
    assert parsed("this weekend", "US")["time"] == "2026-11-21 12:00"


def test_a_day_that_is_said_outranks_the_feast_it_is_for():
    told = parsed("tomorrow, flowers for Mother's Day")
    assert (told["time"], told["occasion"]) == ("2026-11-19 12:00", "Mother's Day")


def test_what_is_said_twice_counts_once_and_the_rest_stays_in_the_wish():
    told = parsed("birthday, wedding")
    assert (told["occasion"], told["query"]) == ("birthday", "wedding")


def test_bounds_that_exclude_each_other_are_not_both_believed():
    told = parsed("under 30, over 100")
    assert told == {"price_max": 30, "query": "over 100"}


def test_every_stretch_says_what_it_became():
    reading = read_scene("Friday evening, picnic blanket for my wife, under 30", now=NOW)
    assert [(s.text, s.field, s.value) for s in reading.spans] == [
        ("Friday", "time", "2026-11-20"),
        ("evening", "time", "19:00"),
        ("picnic", "occasion", "picnic"),
        ("blanket", "query", "blanket"),
        ("for my wife", "recipient", "wife"),
        ("under 30", "price_max", "–30"),
    ]


def test_a_chip_can_be_taken_away():
    reading = read_scene("Friday evening, picnic blanket, under 30", now=NOW)
    fields = [span.field for span in reading.spans]
    less = reading.without(fields.index("occasion"), fields.index("price_max")).scene
    assert less == Scene(time=datetime(2026, 11, 20, 19), query="blanket")


def test_a_text_beyond_what_is_read_is_told():
    reading = read_scene("lamp " * 1_000, now=NOW)
    assert reading.spans[-1].field == "unread"
    assert reading.spans[-1].end == 5_000


NATURAL = st.lists(
    st.sampled_from([text for text, _ in DAYS + PHRASES] + [feast[0] for feast in FEASTS]),
    max_size=6,
)
TEXTS = st.one_of(
    st.text(max_size=120),
    st.text(alphabet='0123456789 -–~$€C°年月日点半周五晚元岁给的"un.,:', max_size=60),
    st.tuples(NATURAL, st.sampled_from([" ", ", ", "", "，"])).map(
        lambda parts: parts[1].join(parts[0])
    ),
)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
@example("\ud800 \x00 ＡＢ　１００元")
@example('"a" "b"" c" "')
def test_any_text_is_read_and_nothing_of_it_is_lost(text):
    reading = read_scene(text, now=NOW)
    at = 0
    for span in reading.spans:
        between = text[at : span.start]
        assert span.start >= at
        assert not any(c.isalnum() for c in between), between
        assert span.text == text[span.start : span.end]
        at = span.end
    assert not any(c.isalnum() for c in text[at:])
    wish = reading.scene.query or ""
    assert wish == ", ".join(span.value for span in reading.spans if span.field == "query")


@settings(max_examples=150, deadline=None)
@example("0 的0°", None)
@given(TEXTS, st.sampled_from([None, "US", "CN"]))
def test_a_rendered_scene_reads_back_as_itself(text, country):
    scene = read_scene(text, now=NOW, country=country).scene
    again = read_scene(render(scene), now=NOW, country=country).scene
    assert again == scene


@given(
    st.builds(
        Scene,
        weather=st.none() | st.text("a\"'雨,:", min_size=1, max_size=9),
        occasion=st.none() | st.sampled_from(["birthday", "hot", "Diwali", "my cat's funeral"]),
        price_max=st.none() | st.sampled_from([0.5, 30, 1e6]),
        currency=st.none() | st.sampled_from(["EUR", "XYZ"]),
        temperature=st.none() | st.sampled_from([-80.0, -0.25, 21.5]),
        recipient_age=st.none() | st.sampled_from([0.5, 6, 99]),
        query=st.none() | st.sampled_from(['5" screen', "under 30", "picnic", '"'])
    )
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_a_scene_made_by_hand_can_be_told_in_words(scene):
    assert read_scene(render(scene), now=NOW).scene == scene
