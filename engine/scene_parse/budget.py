"""Prices in words: "under 30", "20-40 euros", "at most £15", "100元以内"."""

from __future__ import annotations

import re

from engine.scene_parse.numerals import DIGITS, NUMBER, number
from engine.scene_parse.spans import Clue, Context, Rule, rule

CODES_IN_WORDS = frozenset(
    ["USD", "EUR", "GBP", "CNY", "INR", "JPY", "CHF", "SEK", "CAD", "AUD", "HKD"]
)
"""Currencies that may be named by their code."""
AROUND = 0.2
"""How far from "around 50" a price may lie."""

_CURRENCIES = {
    "$": "USD", "us$": "USD", "dollar": "USD", "dollars": "USD", "bucks": "USD", "usd": "USD",
    "美元": "USD", "美金": "USD", "€": "EUR", "euro": "EUR", "euros": "EUR", "eur": "EUR",
    "欧元": "EUR", "£": "GBP", "pound": "GBP", "pounds": "GBP", "quid": "GBP", "gbp": "GBP",
    "英镑": "GBP", "¥": "CNY", "￥": "CNY", "元": "CNY", "块": "CNY", "块钱": "CNY", "rmb": "CNY",
    "cny": "CNY", "yuan": "CNY", "人民币": "CNY", "₹": "INR", "rupees": "INR", "inr": "INR",
    "yen": "JPY", "jpy": "JPY", "日元": "JPY", "chf": "CHF", "francs": "CHF", "sek": "SEK",
    "cad": "CAD", "aud": "AUD", "hkd": "HKD", "港币": "HKD",
}  # fmt: skip
_SIGNS = r"(?:us)?\$|€|£|¥|￥|₹"
_NAMES = "|".join(sorted((c for c in _CURRENCIES if c[0] not in "$€£¥￥₹"), key=len, reverse=True))
_NO_UNIT = (
    r"(?![.,]?[0-9])(?! ?(?:%|°|℃|℉|度|分钟|小时|天|岁|个|公斤|克|斤|毫升|厘米|米|[ap]\.?m\b|x\b|"
    r"(?:degrees?|celsius|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|yrs?|people|persons?|"
    r"guests?|pieces?|pcs|items?|calories|kcal|cm|mm|km|kg|mg|ml|inch(?:es)?|grams?|litres?|"
    r"liters?|watts?|gb|tb|mb|m|g|l|c|f|w|v)\b|-?(?:year|month|minute|inch|piece)))"
)
"""An amount that is no price: "under 30 minutes", "under 30 degrees"."""


_FOLLOWS_A_PRICE = re.compile(
    r"\s*(?:$|[^\sA-Za-z]|(?:with|without|for|and|please|that|which|in|on|but|or|by|to|from|if|this"
    r"|total|altogether|each|only|today|tomorrow|tonight|as|at|is|it|max|maximum|a|per)\b)",
    re.IGNORECASE,
)
"""What comes after a bare number that is a price; "at least two pockets" is none."""


def _money(tag: str, amount: str = DIGITS) -> str:
    return (
        rf"(?:(?P<s{tag}>{_SIGNS}) ?)?(?P<n{tag}>{amount})"
        rf"(?: ?(?P<c{tag}>{_NAMES}|€|£)(?![A-Za-z]))?"
    )


def _bounded(lowest: float | None, highest: float | None, match: re.Match[str]) -> Clue | None:
    if lowest is not None and highest is not None and lowest > highest:
        lowest, highest = highest, lowest
    said = match.groupdict()
    named = next((said[key] for key in ("sa", "ca", "sb", "cb") if said.get(key)), None)
    if named is None and not _FOLLOWS_A_PRICE.match(match.string, match.end()):
        return None
    currency = _CURRENCIES[named.casefold()] if named else None
    return Clue(price_min=lowest, price_max=highest, currency=currency)


def _at_most(match: re.Match[str], context: Context) -> Clue | None:
    amount = number(match["na"])
    return None if amount is None else _bounded(None, amount, match)


def _at_least(match: re.Match[str], context: Context) -> Clue | None:
    amount = number(match["na"])
    return None if amount is None else _bounded(amount, None, match)


def _around(match: re.Match[str], context: Context) -> Clue | None:
    amount = number(match["na"])
    if amount is None or not (match["sa"] or match["ca"]):
        return None
    return _bounded(round(amount * (1 - AROUND), 2), round(amount * (1 + AROUND), 2), match)


def _range(match: re.Match[str], context: Context) -> Clue | None:
    lowest, highest = number(match["na"]), number(match["nb"])
    if lowest is None or highest is None:
        return None
    # Two bare numbers are a size or a year as likely as a price.
    said = match.groupdict()
    has_cue = any(said.get(key) for key in ("sa", "ca", "sb", "cb", "cue"))
    return _bounded(lowest, highest, match) if has_cue else None


_MOST = (
    r"under|below|less than|at most|up to|no(?:t)? more than|not over"
    r"|cheaper than|(?<!air )(?<!pro )max(?:imum)?"
    r"|within|(?:my |a |with a )?budget(?: is| of|:)?(?: under| up to)?|at maximum"
)
_LEAST = r"over|above|more than|at least|from|min(?:imum)?|no less than|starting at"
_ANY = f"{DIGITS}|{NUMBER}"

RULES: tuple[Rule, ...] = (
    rule(rf"(?:{_MOST}) {_money('a', _ANY)}{_NO_UNIT}", _at_most),
    rule(
        rf"{_money('a')}{_NO_UNIT} (?:or less|or under|or below|max(?:imum)?|tops|at most)",
        _at_most,
    ),
    rule(rf"<=? ?{_money('a')}{_NO_UNIT}", _at_most),
    rule(rf"(?:{_LEAST}) {_money('a', _ANY)}{_NO_UNIT}", _at_least),
    rule(rf"{_money('a')}{_NO_UNIT} (?:or more|or above|and up)|(?!)", _at_least),
    rule(
        rf"(?:around|about|roughly|approximately|circa|ca\.?|~) ?{_money('a')}{_NO_UNIT}", _around
    ),
    rule(
        rf"(?P<cue>between |from |budget(?: of)? )?{_money('a')} ?(?:-|–|—|to|and) ?"
        rf"{_money('b')}{_NO_UNIT}",
        _range,
    ),
    rule(
        rf"(?:低于|不超过|不到|最多|少于|小于|预算(?:是|为|在)?|控制在) ?"
        rf"{_money('a', _ANY)}{_NO_UNIT}(?: ?(?:以内|以下|之内))?",
        _at_most,
    ),
    rule(rf"{_money('a', _ANY)} ?(?:以内|以下|之内)", _at_most),
    rule(rf"(?:高于|超过|至少|不低于|多于) ?{_money('a', _ANY)}{_NO_UNIT}", _at_least),
    rule(rf"{_money('a', _ANY)} ?(?:以上|起)", _at_least),
    rule(rf"{_money('a', _ANY)} ?(?:左右|上下)", _around),
    rule(
        rf"(?P<cue>预算 ?)?{_money('a', _ANY)} ?(?:-|–|—|~|到|至) ?"
        rf"{_money('b', _ANY)}{_NO_UNIT}(?:之间)?",
        _range,
    ),
)
