"""Titles that a shopper can read, from the capitals and abbreviations of a till."""

from __future__ import annotations

import re

_SMALL = {
    "a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "into", "of", "off", "on", "or",
    "over", "per", "the", "to", "with",
}  # fmt: skip

_KEPT = {
    "BBQ", "BLT", "CD", "DIY", "DVD", "HDMI", "II", "III", "IQF", "IV", "LCD", "LED", "LP", "NYC",
    "OJ", "PC", "PVC", "SPF", "TV", "UHT", "UK", "USA", "USB", "UV", "VI", "VII", "VIII", "VIP",
    "XL", "XS", "XXL",
}  # fmt: skip

_UNITS = {
    "cl", "cm", "ct", "ft", "g", "gal", "gm", "in", "kg", "km", "l", "lb", "lbs", "lt", "ltr", "m",
    "mg", "ml", "mm", "oz", "pc", "pcs", "pk", "ply", "pt", "qt", "w", "yd",
}  # fmt: skip

_ORDINALS = {"nd", "rd", "s", "st", "th"}

_SHORT = {
    "ACC": "accessories", "ACCESS": "accessories", "APPL": "apple", "ASS": "assorted",
    "ASSORTD": "assorted", "ASST": "assorted", "ASSTD": "assorted", "BCN": "bacon",
    "BEV": "beverage", "BF": "beef", "BG": "bag", "BKD": "baked", "BLK": "black", "BLU": "blue",
    "BN": "bean", "BNDGES": "bandages", "BNLS": "boneless", "BRD": "breaded", "BRKFST": "breakfast",
    "BRN": "brown", "BSKT": "basket", "BTL": "bottle", "BTLS": "bottles", "BTR": "butter",
    "CARB": "carbonated", "CATFD": "cat food", "CHIX": "chicken", "CHKN": "chicken",
    "CHOC": "chocolate", "CHOCOCLATE": "chocolate", "CHP": "chop", "CHS": "cheese", "CKE": "cake",
    "CKN": "chicken", "CKYS": "cookies", "CLEANG": "cleaning", "CNDY": "candy", "CNTRL": "control",
    "COCNT": "coconut", "COMBIN": "combination", "CONC": "concentrate", "CONT": "container",
    "CRBNTD": "carbonated", "CRKR": "crackers", "CRMD": "creamed", "CRYSTL": "crystal",
    "DECOR": "decor", "DEOD": "deodorant", "DES": "design", "DISHWASH": "dishwasher",
    "DNR": "dinner", "DNRS": "dinners", "DOGFD": "dog food", "DPS": "dips", "DRNK": "drink",
    "DRNKING": "drinking", "DRNKNG": "drinking", "DRNKS": "drinks", "DRP": "drops",
    "DRSNG": "dressing", "DSH": "dish", "ELSTC": "elastic", "FD": "food", "FDS": "foods",
    "FEM": "feminine", "FLVR": "flavour", "FLVRD": "flavoured", "FRD": "fried", "FRE": "fresh",
    "FRSH": "fresh", "FRT": "fruit", "FRZ": "frozen", "FRZN": "frozen", "GDS": "goods",
    "GRN": "green", "GRND": "ground", "GRP": "grape", "HLDR": "holder", "HYGN": "hygiene",
    "INCL": "including", "JCE": "juice", "LIQ": "liquid", "LIQS": "liquids", "LNG": "long",
    "LOZNG": "lozenge", "LRG": "large", "LRGE": "large", "LSS": "less", "LT": "light",
    "LTR": "litre", "MACH": "machine", "MED": "medium", "MFG": "manufacturer",
    "MISC": "miscellaneous", "MLK": "milk", "MLT": "multi", "MNERAL": "mineral", "MNRL": "mineral",
    "MSHRM": "mushroom", "MULT": "multi", "MX": "mix", "MXS": "mixes", "NAT": "natural",
    "NDAIRY": "non-dairy", "ORG": "organic", "ORNG": "orange", "PAC": "pack", "PCKGD": "packaged",
    "PKG": "package", "PKGD": "packaged", "PKLD": "pickled", "PLSTC": "plastic", "PNCH": "punch",
    "PNT": "peanut", "POTPOURI": "potpourri", "PREM": "premium", "PREP": "prepared",
    "PRPCK": "prepacked", "PRSLC": "presliced", "PWDR": "powder", "PWDRS": "powders",
    "REFRGRATD": "refrigerated", "REFRIG": "refrigerated", "REG": "regular", "RETL": "retail",
    "RND": "round", "RST": "roast", "SAL": "salad", "SALD": "salad", "SAUS": "sausage",
    "SFT": "soft", "SGL": "single", "SHERBTS": "sherbets", "SHLFSH": "shellfish",
    "SHRD": "shredded", "SLC": "sliced", "SLCD": "sliced", "SMKD": "smoked", "SML": "small",
    "SNDWCH": "sandwich", "SNGL": "single", "SNKS": "snacks", "SPEC": "special", "SPLY": "supplies",
    "SPRD": "spread", "SRV": "serve", "STK": "stick", "STRAWB": "strawberry", "STRWB": "strawberry",
    "SUP": "super", "SUPRT": "support", "SV": "serve", "SWEETNERS": "sweeteners", "SWT": "sweet",
    "SYRP": "syrup", "THN": "thin", "TISS": "tissue", "TOM": "tomato", "TORT": "tortilla",
    "TRSH": "trash", "UNSWT": "unsweetened", "VAN": "vanilla", "VEG": "vegetable",
    "VEND": "vending", "WHL": "whole", "WHLSM": "wholesome", "WHT": "white", "WTR": "water",
    "XMAS": "Christmas", "XPCTRNT": "expectorant", "YEL": "yellow",
}  # fmt: skip

_SET = re.compile(r"\b(SET|S|PACK|BOX)\s*/\s*(\d+)", re.IGNORECASE)
_WITH = re.compile(r"\bW/(?=\s*\w)", re.IGNORECASE)
_OPEN_BRACKET = re.compile(r"(?:\([^()]*)+$")
_TIGHT = re.compile(r"\s*([,:;])(?=[^\W\d]|\s)")
_DOT = re.compile(r"\b(" + "|".join(_SHORT) + r")\.(?!\w)")
_WORD = re.compile(r"\d[\d.,]*'?[^\W\d_]+(?![^\W_])|[^\W_]+(?:'[^\W_]+)*")
_MEASURE = re.compile(r"([\d.,]+'?)([^\W\d_]+)")

_SHOUTING_SHARE = 0.6
"""Share of capitals among the letters above which a title is taken for a till's."""


def readable_title(raw: str) -> str:
    """A title in the capitals that people use, with retail abbreviations written out.

    Only spaces are tidied in a title that already has small letters: a maker's own spelling
    (``iPhone``) is left alone. Otherwise acronyms and measures keep their form, small words are
    lowered, and a bracket that the till cut off goes.

    >>> readable_title("WHITE HANGING HEART T-LIGHT HOLDER")
    'White Hanging Heart T-Light Holder'
    >>> readable_title("FRZN ICE")
    'Frozen Ice'
    """
    title = " ".join(raw.split())
    letters = [char for char in title if char.isalpha()]
    capitals = sum(char.isupper() for char in letters)
    if not letters or capitals <= _SHOUTING_SHARE * len(letters):
        return title
    title = _SET.sub(_count_of, title)
    title = _WITH.sub("with ", title)
    title = _OPEN_BRACKET.sub("", title) or title
    title = _TIGHT.sub(r"\1 ", _DOT.sub(r"\1", title))
    title = " ".join(title.split()).rstrip(" .,;:-/") or title
    starts = [match.start() for match in _WORD.finditer(title)]
    edges = {*starts[:1], *starts[-1:]}
    return _WORD.sub(lambda match: _word(match, title, match.start() in edges), title)


def _count_of(match: re.Match[str]) -> str:
    what = {"S": "SET"}.get(match[1].upper(), match[1].upper())
    return f"{what} of {match[2]}"


def _word(match: re.Match[str], title: str, at_edge: bool) -> str:
    word = match[0]
    upper = word.upper()
    if measure := _MEASURE.fullmatch(word):
        return _measure(measure)
    before = title[: match.start()].rstrip()
    if word.lower() in _UNITS and before[-1:].isdigit() and before != title[: match.start()]:
        return word.lower()
    if upper in _KEPT or any(char.isdigit() for char in word):
        return word
    if upper in _SHORT:
        return _capital(_SHORT[upper])
    inside = not at_edge and title[match.start() - 1] == " "
    return word.lower() if inside and word.lower() in _SMALL else _capital(word.lower())


def _measure(match: re.Match[str]) -> str:
    number, unit = match.groups()
    if unit.lower() in _UNITS | _ORDINALS:
        return f"{number}{unit.lower()}"
    return f"{number}{unit if len(unit) == 1 else _capital(unit.lower())}"


def _capital(words: str) -> str:
    return " ".join(word[:1].title() + word[1:] for word in words.split())
