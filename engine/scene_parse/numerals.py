"""Numbers as people write them: 30, 1,200.50, six, twenty-five, 六, 两百, 三十五."""

from __future__ import annotations

import re

SMALL = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
"""English words of the numbers from 0 on."""
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {word: n for n, word in enumerate(SMALL)}
_WORDS |= {word: 10 * n for n, word in enumerate(_TENS, start=2)}
_WORDS |= {"a": 1, "an": 1, "hundred": 100, "couple": 2}
_HAN = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1_000, "万": 10_000}

_ENGLISH = "|".join(sorted((w for w in _WORDS if len(w) > 2), key=len, reverse=True))
DIGITS = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]{1,2})?(?![0-9])|[0-9]{1,7}(?:\.[0-9]{1,2})?(?![0-9])"
WORD = rf"(?:{_ENGLISH})(?:[ -](?:{_ENGLISH}))?"
HAN = "[零〇一二两三四五六七八九十百千万]{1,9}"
NUMBER = rf"(?:{DIGITS}|{WORD}\b|{HAN})"
"""Pattern of whatever :func:`number` reads; without a group."""


def number(text: str) -> float | None:
    """The number that a text is; None where it is none."""
    plain = text.strip().casefold().replace(",", "")
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", plain):
        return float(plain)
    if plain and all(c in _HAN or c in _HAN_UNITS for c in plain):
        return _of_han(plain)
    return _of_words(re.split(r"[ -]", plain))


def _of_words(words: list[str]) -> float | None:
    known = [_WORDS.get(word) for word in words]
    values = [n for n in known if n is not None]
    if not values or len(values) != len(known):
        return None
    if len(values) == 1:
        return float(values[0])
    first, second = values[0], values[1]
    if second == 100:
        return float(first * second)
    return float(first + second) if first >= 20 > second and second < 10 else None


def _of_han(text: str) -> float | None:
    """Digits in a row (二〇二六) or with units (两百五十); a leading 十 is ten."""
    if not any(c in _HAN_UNITS for c in text):
        return float("".join(str(_HAN[c]) for c in text)) if len(text) != 1 else float(_HAN[text])
    total, pending = 0, 0
    for c in text:
        if c in _HAN:
            pending = _HAN[c]
        elif c == "万":
            total, pending = (total + pending) * 10_000, 0
        else:
            total, pending = total + (pending or 1) * _HAN_UNITS[c], 0
    return float(total + pending)
