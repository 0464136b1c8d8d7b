"""Package sizes as a shopper would read them."""

from __future__ import annotations

import re

_UNITS = {
    "OZ": "oz", "OZS": "oz", "Z": "oz", "FL OZ": "fl oz", "REC OZ": "oz", "LB": "lb", "LBS": "lb",
    "CT": "ct", "EA": "ct", "PC": "pieces", "PCS": "pieces", "PK": "pack", "PKS": "pack",
    "P": "pack", "DZ": "dozen", "DOZ": "dozen", "ML": "ml", "L": "l", "LTR": "l", "GA": "gal",
    "GAL": "gal", "QT": "qt", "PT": "pt", "CUP": "cup", "CP": "cup", "IN": "in", "FT": "ft",
    "YD": "yd", "YDS": "yd", "SQ FT": "sq ft", "CM": "cm", "GM": "g", "G": "g", "GS": "g",
    "KG": "kg", "LOAD": "loads", "LOADS": "loads", "LD": "loads", "LDS": "loads",
    "STEM": "stems", "STEMS": "stems", "BAGS": "bags", "SHEET": "sheets", "SHEETS": "sheets",
    "ROLL": "rolls", "ROLLS": "rolls", "USES": "uses", "DOSE": "doses", "PAIR": "pair",
    "KIT": "kit",
}  # fmt: skip
_WHOLE = {
    "GAL": "1 gal", "HALF GAL": "1/2 gal", "QT": "1 qt", "PT": "1 pt", "DZ": "1 dozen",
    "DOZ": "1 dozen", "LB": "1 lb", "KIT": "1 kit", "SM": "small", "SMALL": "small",
    "MED": "medium", "MEDIUM": "medium", "LG": "large", "LARGE": "large", "L": "large",
    "X-LARGE": "extra large", "SM/MED": "small or medium", "LG/XLG": "large or extra large",
    "MINI": "mini", "TALL": "tall", "KING": "king", "QUEEN": "queen",
}  # fmt: skip
_FRACTION = r"(?:1/2|[12]/3|[13]/4|[1357]/8|(?:1|3|5|7|9|11|13|15)/16)(?!\d)"
_PLAIN = r"(?:\d+\.?\d*|\.\d+)"
_NUMBER = rf"(?:(?:\d+ )?{_FRACTION}|{_PLAIN})"
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
_MEASURE = re.compile(rf"(?<![\d./])({_NUMBER})[ -]?({_UNIT})(?![A-Z])")
_MULTIPACK = re.compile(
    rf"(?<!\d)(\d{{1,3}}) ?(?:(CT|PK|P) ?[-/X]?|[-/X]| ) ?({_PLAIN}) ?(FL OZ|OZ|Z|ML|LTR|L|GAL)"
    r"(?![A-Z])"
)
_RANGE = re.compile(r"(\d+)-(\d+) ?(CT|LB)(?![A-Z])")
_STOCK_CODE = re.compile(r"^\d{6}(?=\d* ?[A-Z]|\d? ?\d* ?[A-Z]| )")
_NAMED_SIZE = re.compile(r"(?:SZ|SIZE) ?(\d)")


def package_size(raw: str | None) -> str | None:
    """A till's package size in words, or None where it holds none.

    ``"22 LB"`` is ``"22 lb"``, ``"12 PK/12 OZ"`` is ``"12 × 12 oz"``, ``"24 CT/SZ 4"`` is
    ``"24 ct, size 4"``, ``"500918 CTN"`` (a stock code) is None.
    """
    if raw is None:
        return None
    code = " ".join(_STOCK_CODE.sub("", raw.upper()).split()).rstrip(".")
    if code in _WHOLE:
        return _WHOLE[code]
    measure = _measure(code)
    named = _NAMED_SIZE.search(code)
    return ", ".join(filter(None, [measure, f"size {named[1]}" if named else None])) or None


def _measure(code: str) -> str | None:
    if found := _RANGE.match(code):
        return f"{found[1]}–{found[2]} {_UNITS[found[3]]}"
    mixed = _MEASURE.match(code)
    if (found := _MULTIPACK.match(code)) and not (mixed and "/" in mixed[1]):
        # "6 CT/15 OZ" leaves open whether all six or each weigh 15 ounces.
        between = " ct, " if found[2] == "CT" else " × "
        return f"{found[1]}{between}{_number(found[3])} {_UNITS[found[4]]}"
    if (found := mixed or _MEASURE.search(code)) and _number(found[1]) != "0":
        return f"{_number(found[1])} {_UNITS[found[2]]}"
    return None


def _number(text: str) -> str:
    whole, _, fraction = text.rpartition(" ")
    if "/" in fraction and not whole:
        return fraction
    value = float(whole or 0)
    if "/" in fraction:
        above, below = fraction.split("/")
        value += int(above) / int(below)
    else:
        value += float(fraction)
    return f"{value:.3f}".rstrip("0").rstrip(".")
