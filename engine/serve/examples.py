"""Bodies that the interface's description shows; a test sends each to a server.

Items and users are those of the demo, ``vitrine demo``.
"""

from __future__ import annotations

from typing import Final, TypedDict

from fastapi.openapi.models import Example

ITEM, OTHER_ITEM, USER = "product-1082185", "product-1029743", "household-1228"
PIXEL: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEU"
    "lEQVR42mM422qPFTEMLQkAT5FkQSl1moAAAAAASUVORK5CYII="
)
"""A picture of eight by eight pixels, in the colour of copper."""

Examples = dict[str, Example]


class _Scene(TypedDict, total=False):
    time: str
    place: str
    occasion: str
    query: str


EVENING: Final[_Scene] = {"time": "2017-12-05T18:30:00", "occasion": "birthday"}

RECOMMEND: Final[Examples] = {
    "known": {
        "summary": "A known user in a scene",
        "value": {"user_id": USER, "scene": EVENING, "k": 5},
    },
    "unknown": {
        "summary": "An unknown user, by what they have just done",
        "value": {
            "user_id": "visitor-1",
            "events": [{"item_id": ITEM, "kind": "view"}],
            "k": 5,
        },
    },
    "filtered": {
        "summary": "New to the user, under 5",
        "value": {
            "user_id": USER,
            "new_only": True,
            "filters": {"max_price": 5.0},
            "exclude": [ITEM],
            "explain": False,
        },
    },
    "written": {
        "summary": "With reasons that the configured language model writes",
        "value": {"user_id": USER, "scene": EVENING, "k": 3, "reasons": "written"},
    },
}
RANK: Final[Examples] = {
    "list": {
        "summary": "A list of one's own, for a user",
        "value": {"user_id": USER, "item_ids": [ITEM, OTHER_ITEM, "no-such-item"]},
    },
}
SEARCH: Final[Examples] = {
    "words": {"summary": "Words", "value": {"text": "milk", "k": 5}},
    "photo": {"summary": "A photo", "value": {"image": PIXEL, "k": 5}},
    "personal": {
        "summary": "Words, for a user, with conditions",
        "value": {"text": "milk", "user_id": USER, "filters": {"max_price": 5.0}},
    },
}
COMPLEMENTS: Final[Examples] = {
    "basket": {"summary": "Of a basket", "value": {"item_ids": [ITEM, OTHER_ITEM], "k": 5}},
    "room": {"summary": "Of a room's photo", "value": {"image": PIXEL, "k": 5}},
}
EVENTS: Final[Examples] = {
    "one": {
        "summary": "One event",
        "value": {"event_id": "e-1", "user_id": "visitor-1", "item_id": ITEM, "kind": "cart"},
    },
    "batch": {
        "summary": "Several: all are stored, or none",
        "value": [
            {"event_id": "e-1", "user_id": "visitor-1", "item_id": ITEM, "kind": "cart"},
            {"event_id": "e-2", "user_id": "visitor-1", "item_id": ITEM, "kind": "purchase"},
        ],
    },
}
PUT_ITEM: Final[Examples] = {
    "new": {
        "summary": "A new item with its picture",
        "value": {
            "title": "Copper Kettle",
            "description": "Two litres, for every hob.",
            "categories": ["Kitchen", "Kettles"],
            "brand": "Rame",
            "price": 49.0,
            "attributes": {"material": "copper"},
            "picture": PIXEL,
        },
    },
}
PATCH_ITEM: Final[Examples] = {"price": {"summary": "Another price", "value": {"price": 39.0}}}
EXPLAIN: Final[Examples] = {
    "why": {
        "summary": "Why this item",
        "value": {"user_id": USER, "item_id": ITEM, "scene": EVENING},
    },
}
SCENE: Final[Examples] = {
    "words": {
        "summary": "Words alone",
        "value": {"text": "Friday evening, raining, birthday present, under 30"},
    },
    "headers": {
        "summary": "Words, and the headers of the shopper's request",
        "value": {
            "text": "barbecue tomorrow",
            "headers": {"Accept-Language": "en-GB", "X-Timezone": "Europe/London"},
        },
    },
}
