"""What people can do about rows that were turned away."""

from __future__ import annotations

import re

from engine.dataset import OFFER_KINDS
from engine.types import EventKind

_ADVICE = tuple(
    (re.compile(reason), advice)
    for reason, advice in (
        (
            r"not [A-Z\d-]+",
            "Save the file as UTF-8, or say what it is, such as encoding: cp1252, in a mapping.",
        ),
        (r"unknown item", "Events and offers must name items as the items table does."),
        (
            r"\w+ is not a time",
            "Say how the file writes times in a mapping: timestamp_format, as in strptime, such "
            'as "%d.%m.%Y %H:%M".',
        ),
        (r"\w+ is not a number", "Write numbers as 1299.50, without a sign of a currency."),
        (
            r"unknown kind",
            f"Kinds of events are {', '.join(EventKind)}, of offers {', '.join(OFFER_KINDS)}; "
            "translate others in a mapping, such as kinds: {bought: purchase}.",
        ),
        (r"time in the future", "Is the time zone the shop's own?"),
        (r"duplicate \w+", "The first row of an id was kept: make ids unique if it is wrong."),
        (
            r"wrong number of cells",
            "Quote cells that hold the delimiter; a mapping can name another delimiter.",
        ),
        (
            r"several pictures of one item",
            "The item has none now: remove all but one, or name its folder in picture_files.",
        ),
        (r"picture over .*", "Make the picture smaller."),
        (
            r"picture named and not in the file",
            "Put the picture files beside the table, and name them in picture_files.",
        ),
    )
)
"""Reason: advice, without the reason's own words."""


def advice_on(reason: str) -> str | None:
    """What to do about rows that were turned away for a reason; None where that says it."""
    return next((advice for test, advice in _ADVICE if test.fullmatch(reason)), None)
