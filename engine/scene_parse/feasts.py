"""Feasts by name, and when they are: Christmas, Mother's Day, Black Friday, 中秋节, Diwali.

Feasts of a fixed rule are reckoned here; those of the moon and the public holidays of the
shopper's own country come from the calendars of the ``holidays`` package.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from engine.calendar import holiday_dates
from engine.errors import SceneError
from engine.scene_parse.numerals import NUMBER, number
from engine.scene_parse.spans import Clue, Context, Found, Rule, rule
from engine.scene_parse.when import shifted

Reckon = Callable[[int, Context], date | None]
"""The day of a feast in a year; None where no calendar tells."""

_SEASON = re.compile(r"\s*\([^()]*\)|（[^（）]*）")
_LEAST_NAME = 4
_SKIPPED = ("day off", "休息日", "bridge public", "weekend", "special holiday")
"""Names of days off that are no feast."""


@dataclass(frozen=True, slots=True)
class Feast:
    """A feast that shops everywhere know."""

    name: str
    words: str
    """Pattern of its names."""
    reckon: Reckon


def easter(year: int) -> date:
    """Easter Sunday of the western churches (the anonymous Gregorian computus)."""
    a, b, c = year % 19, year // 100, year % 100
    d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
    f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
    return date(year, f // 31, f % 31 + 1)


def nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th weekday of a month, 0 being Monday; -1 is the last."""
    if n > 0:
        first = date(year, month, 1)
        return first + timedelta((weekday - first.weekday()) % 7 + 7 * (n - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(1)
    return last - timedelta((last.weekday() - weekday) % 7)


def _fixed(month: int, day: int) -> Reckon:
    return lambda year, _: date(year, month, day)


def _nth(month: int, weekday: int, n: int) -> Reckon:
    return lambda year, _: nth_weekday(year, month, weekday, n)


def _from_easter(days: int) -> Reckon:
    return lambda year, _: easter(year) + timedelta(days)


def _listed(country: str, *names: str) -> Reckon:
    """The first day of a year that a country's calendar calls by one of these names."""

    def reckon(year: int, context: Context) -> date | None:
        days = holiday_dates(country, year)
        # A calendar of the moon may keep a feast twice in one year of the sun, or not at all.
        return min(
            (day for day in days if any(n in " ".join(days[day]) for n in names)), default=None
        )

    return reckon


def _mothers_day(year: int, context: Context) -> date | None:
    if context.country in {"GB", "IE"}:
        return easter(year) - timedelta(21)
    if context.country in {"FR", "SE"}:
        last = nth_weekday(year, 5, 6, -1)
        is_pentecost = context.country == "FR" and last == easter(year) + timedelta(49)
        return last + timedelta(7) if is_pentecost else last
    if context.country in {"ES", "PT", "HU"}:
        return nth_weekday(year, 5, 6, 1)
    if context.country in {"MX", "GT", "SV"}:
        return date(year, 5, 10)
    return nth_weekday(year, 5, 6, 2)


def _fathers_day(year: int, context: Context) -> date | None:
    if context.country == "DE":
        return easter(year) + timedelta(39)
    if context.country in {"ES", "PT", "IT"}:
        return date(year, 3, 19)
    if context.country in {"AU", "NZ"}:
        return nth_weekday(year, 9, 6, 1)
    return nth_weekday(year, 6, 6, 3)


def _thanksgiving(year: int, context: Context) -> date | None:
    if context.country == "CA":
        return nth_weekday(year, 10, 0, 2)
    return nth_weekday(year, 11, 3, 4)


def _black_friday(year: int, _: Context) -> date | None:
    return nth_weekday(year, 11, 3, 4) + timedelta(1)


def _cyber_monday(year: int, _: Context) -> date | None:
    return nth_weekday(year, 11, 3, 4) + timedelta(4)


def _advent(year: int, _: Context) -> date | None:
    fourth = date(year, 12, 24) - timedelta((date(year, 12, 24).weekday() + 1) % 7)
    return fourth - timedelta(21)


FEASTS: tuple[Feast, ...] = (
    Feast("Christmas Eve", r"christmas eve|xmas eve|平安夜|圣诞夜", _fixed(12, 24)),
    Feast("Christmas", r"christmas(?: day)?|xmas|圣诞节?", _fixed(12, 25)),
    Feast("Boxing Day", r"boxing day", _fixed(12, 26)),
    Feast("New Year's Eve", r"new year'?s eve|nye|silvester|跨年", _fixed(12, 31)),
    Feast("New Year", r"new years?(?:'s)?(?: day)?(?! eve)|元旦", _fixed(1, 1)),
    Feast("Valentine's Day", r"(?:st\.? |saint )?valentine'?s?(?:'? day)?|情人节", _fixed(2, 14)),
    Feast("Women's Day", r"(?:international )?women'?s day|妇女节|三八节|女神节", _fixed(3, 8)),
    Feast("St Patrick's Day", r"(?:st\.?|saint) patrick'?s(?: day)?|paddy'?s day", _fixed(3, 17)),
    Feast("Children's Day", r"儿童节|六一", _fixed(6, 1)),
    Feast("Halloween", r"hallowe'?en|万圣节?", _fixed(10, 31)),
    Feast("Singles' Day", r"singles'? day|双十一|双11|光棍节", _fixed(11, 11)),
    Feast("618", r"六一八|618(?:大促|购物节)", _fixed(6, 18)),
    Feast("National Day of China", r"国庆节?|十一黄金周", _fixed(10, 1)),
    Feast("Mother's Day", r"mother'?s'? day|mothering sunday|母亲节", _mothers_day),
    Feast("Father's Day", r"father'?s'? day|父亲节", _fathers_day),
    Feast("Thanksgiving", r"thanksgiving(?: day)?|感恩节", _thanksgiving),
    Feast("Black Friday", r"black friday|黑色星期五|黑五", _black_friday),
    Feast("Cyber Monday", r"cyber monday|网络星期一", _cyber_monday),
    Feast("Good Friday", r"good friday", _from_easter(-2)),
    Feast("Easter", r"easter(?: sunday)?|复活节", _from_easter(0)),
    Feast("Easter Monday", r"easter monday", _from_easter(1)),
    Feast("Carnival", r"carnival|mardi gras|狂欢节", _from_easter(-47)),
    Feast("Advent", r"advent", _advent),
    Feast(
        "Chinese New Year",
        r"chinese new year|lunar new year|spring festival|春节|过年|农历新年|大年初一",
        _listed("CN", "Chinese New Year (Spring"),
    ),
    Feast(
        "Chinese New Year's Eve",
        r"chinese new year'?s eve|除夕|年夜饭",
        lambda year, _: _before(_listed("CN", "Chinese New Year (Spring")(year, _), 1),
    ),
    Feast(
        "Lantern Festival",
        r"lantern festival|元宵节?",
        lambda year, _: _before(_listed("CN", "Chinese New Year (Spring")(year, _), -14),
    ),
    Feast(
        "Mid-Autumn Festival",
        r"mid[- ]autumn(?: festival| day)?|moon festival|中秋节?",
        _listed("CN", "Mid-Autumn"),
    ),
    Feast("Dragon Boat Festival", r"dragon boat festival|端午节?", _listed("CN", "Dragon Boat")),
    Feast(
        "Qingming", r"qingming(?: festival)?|tomb[- ]sweeping day|清明节?", _listed("CN", "Tomb")
    ),
    Feast("Diwali", r"di[wv]ali|deepavali|排灯节", _listed("IN", "Diwali")),
    Feast("Holi", r"holi", _listed("IN", "Holi")),
    Feast("Dussehra", r"dussehra", _listed("IN", "Dussehra")),
    Feast("Raksha Bandhan", r"raksha bandhan|rakhi", _listed("IN", "Raksha Bandhan")),
    Feast("Eid al-Fitr", r"eid(?: al-?fitr| ul-?fitr)?|开斋节", _listed("AE", "Eid al-Fitr")),
    Feast("Eid al-Adha", r"eid (?:al|ul)-?adha|宰牲节", _listed("AE", "Eid al-Adha")),
    Feast("Hanukkah", r"(?:han+uk+ah?|chanukah)|光明节", _listed("IL", "Hanukkah")),
    Feast("Passover", r"passover|pesach", _listed("IL", "Pesach")),
    Feast("Rosh Hashanah", r"rosh hashanah?", _listed("IL", "Rosh Hashanah")),
    Feast("Songkran", r"songkran|泼水节", _listed("TH", "Songkran")),
)


def _before(day: date | None, days: int) -> date | None:
    return None if day is None else shifted(day, -days)


def next_day(reckon: Reckon, context: Context) -> date | None:
    """The next time a feast comes, today included; None where no calendar tells."""
    today = context.now.date()
    for year in (today.year, today.year + 1):
        day = reckon(year, context)
        if day is not None and day >= today:
            return day
    return None


def _rule_of(feast: Feast) -> Rule:
    def read(match: re.Match[str], context: Context) -> Clue:
        day = next_day(feast.reckon, context)
        if match["n"] and day is not None:
            count = 1.0 if match["n"].casefold() in {"a", "the"} else number(match["n"]) or 0.0
            day = shifted(day, -round(count * (7 if match["unit"].casefold() == "week" else 1)))
        return Clue(occasion=feast.name, feast_day=day)

    before = rf"(?:(?P<n>a|the|{NUMBER}) (?P<unit>day|week)s? before )?"
    return rule(rf"{before}(?:(?:on|at|for|over|this) )?(?:{feast.words})", read)


RULES: tuple[Rule, ...] = tuple(_rule_of(feast) for feast in FEASTS)


def national_feasts(text: str, context: Context) -> list[Found]:
    """Public holidays of the shopper's country that a text names, in English or as they say it."""
    if context.country is None:
        return []
    today, found = context.now.date(), []
    for year in (today.year, today.year + 1):
        for language in ("en_US", "zh_CN", ""):
            for day, names in sorted(_calendar(context.country, year, language).items()):
                if day >= today:
                    found += [hit for name in names for hit in _named(text, name, day)]
    return found


def _calendar(country: str, year: int, language: str) -> dict[date, tuple[str, ...]]:
    try:
        return holiday_dates(country, year, language)
    except SceneError:
        return {}


def _named(text: str, name: str, day: date) -> list[Found]:
    plain = _SEASON.sub("", name).strip()
    if len(plain) < (_LEAST_NAME if plain.isascii() else 2) or plain.casefold().startswith(
        _SKIPPED
    ):
        return []
    pattern = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(plain)}(?![A-Za-z0-9_])", re.IGNORECASE)
    clue = Clue(occasion=plain, feast_day=day)
    return [Found(m.start(), m.end(), clue) for m in pattern.finditer(text)]
