"""Numbers and times in Chinese sentences: what they measure."""

from __future__ import annotations

import re

from engine.explain.measures import Measure, Of, keep
from engine.scene_parse.numerals import number

_UNIT_DAYS = {"小时": 1 / 24, "天": 1.0, "日": 1.0, "周": 7.0, "月": 365.25 / 12, "年": 365.25}
_CURRENCY = {
    "元": "CNY", "块": "CNY", "块钱": "CNY", "人民币": "CNY", "美元": "USD", "美金": "USD",
    "欧元": "EUR", "英镑": "GBP", "日元": "JPY", "$": "USD", "€": "EUR", "£": "GBP", "¥": "CNY",
}  # fmt: skip

_N = r"(?P<n>\d[\d,]*(?:\.\d+)?|[一二两三四五六七八九十百千]+)"
_UNIT = r"(?P<unit>个?小时|天|日|周|个?星期|个?礼拜|个月|月|年)"
_ABOUT = r"(?:大约|大概|约|差不多|平均|近)?"
_PATTERNS = tuple(
    (of, re.compile(pattern))
    for of, pattern in (
        (Of.MONEY, r"(?P<sign>[¥$€£]) ?(?P<n>\d[\d,]*(?:\.\d+)?)"),
        (Of.MONEY, rf"{_N} ?(?P<sign>元|块钱|块|美元|美金|欧元|英镑|日元)"),
        (Of.RATIO, rf"(?P<about>大约|约|近|将近)?{_N}倍(?P<so>左右)?"),
        (Of.PERIOD, rf"(?:过去|最近|近)的?{_N}?{_UNIT}(?:以来|之内|里|内|间|中)?"),
        (Of.AGO, r"不到[一1]天(?:之前|以前|前)"),
        (Of.AGO, rf"{_ABOUT}{_N}{_UNIT}(?:左右)?(?:之前|以前|前|(?=没|未))"),
        (Of.EVERY, rf"{_ABOUT}每隔?{_N}?{_UNIT}(?!一(?!次)|[二三四五六日末])(?:左右)?"),
        (Of.EVERY, rf"{_ABOUT}{_N}{_UNIT}(?:左右)?(?=一次)"),
        (Of.AHEAD, rf"(?:再过)?{_ABOUT}{_N}{_UNIT}(?:左右)?(?:之后|以后|后)"),
        (Of.TIMES, rf"{_N}(?:人次|次|回|遍)"),
    )
)
_WORDS = {
    "今天": Measure(Of.AGO, 0.0),
    "昨天": Measure(Of.AGO, 1.0),
    "前天": Measure(Of.AGO, 2.0),
    "上周": Measure(Of.AGO, 7.0, 7.0),
    "上个月": Measure(Of.AGO, 365.25 / 12, 365.25 / 12),
}
_LOOSE = re.compile(r"\d[\d,.]*[a-z%]*|[一二两三四五六七八九十百千万半]+")


def read_chinese_measures(text: str) -> tuple[Measure, ...]:
    """Every number of a text, in order, none twice; what nothing says the meaning of is unknown."""
    found: list[Measure] = []
    for of, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            keep(found, _measure(of, match), match.span())
    for word, measure in _WORDS.items():
        for match in re.finditer(word, text):
            keep(found, measure, match.span())
    for match in _LOOSE.finditer(text):
        keep(found, Measure(Of.UNKNOWN, 0.0), match.span())
    return tuple(sorted(found, key=lambda measure: measure.start))


def _measure(of: Of, match: re.Match[str]) -> Measure:
    named = match.groupdict()
    value = number(named["n"]) if named.get("n") else None
    if of is Of.MONEY:
        return Measure(of, value or 0.0, currency=_CURRENCY[named["sign"]])
    if of is Of.RATIO:
        return Measure(of, value or 0.0, 2.0 if named["about"] or named["so"] else 1.0)
    if of is Of.TIMES:
        return Measure(of, value or 0.0)
    if "unit" not in named:
        return Measure(of, 0.0)
    unit = named["unit"].removeprefix("个").replace("星期", "周").replace("礼拜", "周")
    days = _UNIT_DAYS[unit]
    return Measure(of, (1.0 if value is None else value) * days, days)
