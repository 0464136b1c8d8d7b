"""What a message is for: a wish, a change of the last one, or a question about what was shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Intent(StrEnum):
    """What a shopper wants of the assistant."""

    FIND = "find"
    MORE = "more"
    CHEAPER = "cheaper"
    DEARER = "dearer"
    COMPARE = "compare"
    WHY = "why"
    GOES_WITH = "goes_with"
    SIMILAR = "similar"
    PORTRAIT = "portrait"
    TAKE = "take"
    """Put into the basket."""
    DROP = "drop"
    """Take out of the basket."""
    BASKET = "basket"
    RESET = "reset"
    GREET = "greet"


_ONES = r"(?: (?:ones?|options?|items?|ideas|alternatives?|please))*[.?! ]*$"
_ASKING = r"^(?:(?:show me|find|give me|any|some|something|anything)\s+)*"
_MY_BASKET = r"(?:my|the) (?:basket|cart)\b"
_THIS = r"(?:it|this|that|the|them|number|#|my)"
_PATTERNS: tuple[tuple[Intent, str], ...] = (
    (
        Intent.RESET,
        r"^(?:start over|reset|forget (?:it|that|everything)|new search)|^(?:重新开始|重来)",
    ),
    (
        Intent.BASKET,
        rf"\bwhat(?:'s| is| do i have)? in {_MY_BASKET}|\b(?:show|see) (?:me )?{_MY_BASKET}"
        r"|购物车里有?什么|看看购物车",
    ),
    (
        Intent.DROP,
        rf"\b(?:remove|take|delete|drop)\b.*\b(?:from|out of) {_MY_BASKET}|从购物车里?(?:拿掉|删)",
    ),
    (
        Intent.TAKE,
        rf"\b(?:add|put|throw)\b.*\b(?:to|in|into) {_MY_BASKET}|\bi(?:'ll| will) take\b"
        r"|加入购物车|放进购物车",
    ),
    (Intent.WHY, r"^why\b|\bwhy (?:this|that|did|do|is|the)\b|为什么|理由"),
    (
        Intent.COMPARE,
        r"\bcompare\b|\bdifference between\b|\bwhich (?:one )?is (?:better|cheaper)\b"
        r"|比较|对比|哪个更",
    ),
    (Intent.GOES_WITH, rf"\b(?:goes?|pairs?) (?:well )?with {_THIS}\b|搭配"),
    (
        Intent.SIMILAR,
        rf"\b(?:similar to|(?:more|something|others?|anything) like) {_THIS}|类似第|像第",
    ),
    (
        Intent.PORTRAIT,
        r"\bwhat do you know about me\b|\bmy (?:profile|habits|tastes?|portrait)\b"
        r"|\bwhat do i (?:usually|often) (?:buy|get)\b|我的喜好|了解我",
    ),
    (
        Intent.CHEAPER,
        rf"{_ASKING}(?:cheaper|less expensive|lower[- ]priced){_ONES}"
        r"|too (?:expensive|dear|pricey)|^(?:便宜一?点|更便宜)|太贵",
    ),
    (Intent.DEARER, rf"{_ASKING}(?:more expensive|pricier|better quality|fancier){_ONES}"),
    (
        Intent.MORE,
        rf"{_ASKING}(?:more|others?|other (?:ones|options)|something else|anything else|else"
        rf"|what else|next|different ones){_ONES}|^(?:换一批|还有吗|更多|其他的)",
    ),
    (
        Intent.GREET,
        r"^(?:hello|hi|hey|thanks|thank you|good (?:morning|evening|day)|ok|okay|great|bye"
        r"|你好|谢谢|您好)[!. ]*$",
    ),
)
_COMPILED = tuple((intent, re.compile(pattern, re.IGNORECASE)) for intent, pattern in _PATTERNS)

_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
]
_ORDINAL = re.compile(
    rf"\b(?P<word>{'|'.join(_ORDINALS)})\b|(?:number|no\.?|#)\s*(?P<number>\d+)"
    r"|(?P<nth>\d+)(?:st|nd|rd|th)\b|第(?P<zh>[一二三四五六七八九十]|\d+)|\b(?P<last>last one)\b",
    re.IGNORECASE,
)
_BARE_NUMBERS = re.compile(r"\b(\d{1,2})\b(?!\s*(?:%|dollars?|euros?|oz|lb|ct))")
_FIRST_N = re.compile(r"\b(?:first|top)\s+(two|three|four|\d+)\b|前([两二三四]|\d+)", re.IGNORECASE)
_COUNTS = {"two": 2, "three": 3, "four": 4, "两": 2, "二": 2, "三": 3, "四": 4}
_CHINESE = {numeral: n for n, numeral in enumerate("一二三四五六七八九十", start=1)}


@dataclass(frozen=True, slots=True)
class Meant:
    """An intent, and the places of the shown list that it points at, from 1."""

    intent: Intent
    places: tuple[int, ...] = ()


def intent_of(text: str, shown: int) -> Meant:
    """What a message is for.

    Args:
        text: The message.
        shown: Length of the list last shown: without one, nothing can be pointed at.
    """
    line = " ".join(text.split())
    for intent, pattern in _COMPILED:
        if pattern.search(line):
            pointing = intent in _POINTING
            places = places_in(line, shown, numbers=intent is Intent.COMPARE) if pointing else ()
            return Meant(intent, places)
    return Meant(Intent.FIND)


_POINTING = frozenset(
    {Intent.COMPARE, Intent.WHY, Intent.GOES_WITH, Intent.SIMILAR, Intent.TAKE, Intent.DROP}
)


def places_in(text: str, shown: int, *, numbers: bool = False) -> tuple[int, ...]:
    """Places that a text points at: "the first two", "number 3", "the last one".

    Args:
        text: A message.
        shown: How many places there are.
        numbers: Whether bare numbers count too: "compare 1 and 3".
    """
    several = _FIRST_N.search(text)
    if several:
        word = (several[1] or several[2]).lower()
        n = _COUNTS.get(word) or int(word)
        return tuple(range(1, min(n, shown) + 1))
    found: list[int] = []
    for match in _ORDINAL.finditer(text):
        found.append(_place(match, shown))
    if numbers and not found:
        found = [int(match[1]) for match in _BARE_NUMBERS.finditer(text)]
    return tuple(dict.fromkeys(place for place in found if 1 <= place <= shown))


def _place(match: re.Match[str], shown: int) -> int:
    if match["word"]:
        return _ORDINALS.index(match["word"].lower()) + 1
    if match["last"]:
        return shown
    if match["zh"]:
        return _CHINESE.get(match["zh"]) or int(match["zh"])
    return int(match["number"] or match["nth"])
