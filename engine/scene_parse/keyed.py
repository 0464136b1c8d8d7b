"""Words that are told what they are: ``weather: "grey drizzle"``, and words in quotation marks.

Whatever stands in quotation marks is a wish, even where it looks like something else; a quotation
mark inside is written twice.
"""

from __future__ import annotations

import re

from engine.scene_parse.spans import Clue, Context, Rule

TEXT_FIELDS = (
    "weather", "occasion", "companions", "recipient", "device", "place", "country", "locale",
    "hemisphere", "setting", "currency",
)  # fmt: skip
MAX_TEXT = 200
_QUOTED = r'"(?P<value>(?:[^"]|"")*)"(?=$|[\s,.;:!?，。；：！？、])'


def quoted(words: str) -> str:
    """Words in quotation marks, those inside doubled."""
    return '"' + words.replace('"', '""') + '"'


def _value(match: re.Match[str]) -> str:
    return " ".join(match["value"].replace('""', '"').split())


def _keyed(match: re.Match[str], context: Context) -> Clue | None:
    value, field = _value(match), match["field"].casefold()
    if not 1 <= len(value) <= MAX_TEXT:
        return None
    if field == "hemisphere" and value not in {"north", "south"}:
        return None
    if field == "currency" and not re.fullmatch("[A-Z]{3}", value):
        return None
    return Clue(**{field: value})  # type: ignore[arg-type]


def _literal(match: re.Match[str], context: Context) -> Clue | None:
    return Clue(literal=_value(match))


RULES: tuple[Rule, ...] = (
    Rule(
        re.compile(rf"(?<!\w)(?P<field>{'|'.join(TEXT_FIELDS)}) ?[:=] ?{_QUOTED}", re.IGNORECASE),
        _keyed,
    ),
    Rule(re.compile(rf"(?:^|(?<=[\s,.;:!?，。；：！？、]))(?P<span>{_QUOTED})"), _literal),
)
