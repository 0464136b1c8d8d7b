"""What a live item may be made of, and the checks of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict

from pydantic import TypeAdapter, ValidationError

from engine.errors import DataError
from engine.types import Item

ITEM = TypeAdapter(Item)
"""Items as JSON, and back."""
LONGEST_ID, LONGEST_TEXT, MOST_VALUES = 500, 10_000, 200


class ItemFields(TypedDict, total=False):
    """What may be said of a new item beside its id, title and picture; see :class:`Item`."""

    description: str | None
    categories: tuple[str, ...]
    brand: str | None
    price: float | None
    currency: str | None
    image: str | None
    attributes: Mapping[str, str]
    available: bool


class ItemChanges(ItemFields, total=False):
    """What of an item may change."""

    title: str


def new_item(item_id: str, title: str, fields: ItemFields) -> Item:
    """A checked item that comes into being now.

    Raises:
        DataError: A field is unknown, of another type or out of bounds.
    """
    return _checked({"item_id": item_id, "title": title, "created_at": datetime.now(UTC), **fields})


def changed_item(item: Item, changes: ItemChanges) -> Item:
    """A checked item with some fields in place of its own.

    Raises:
        DataError: A field is unknown, of another type or out of bounds.
    """
    known = ITEM.dump_python(item)
    return _checked({**known, **changes})


def _checked(given: Mapping[str, object]) -> Item:
    strange = given.keys() - Item.__dataclass_fields__.keys()
    if strange:
        expected = ", ".join(ItemChanges.__annotations__)
        raise DataError(f"item: got a field {min(strange)!r}, expected some of {expected}")
    try:
        item = ITEM.validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"item.{place}: {first['msg']}; got {first['input']!r:.80}") from error
    _check_texts(item)
    if item.price is not None and not (math.isfinite(item.price) and item.price >= 0):
        raise DataError(f"item.price: got {item.price}, expected a number from 0 on, or None")
    return item


def _check_texts(item: Item) -> None:
    if not 1 <= len(item.item_id) <= LONGEST_ID:
        raise DataError(
            f"item.item_id: got {len(item.item_id)} characters, expected 1 to {LONGEST_ID}"
        )
    if not item.title.strip():
        raise DataError("item.title: got nothing to read, expected what the item is called")
    pairs = (*item.attributes, *item.attributes.values())
    if len(pairs) > 2 * MOST_VALUES or len(item.categories) > MOST_VALUES:
        raise DataError(f"item: got more than {MOST_VALUES} categories or attributes")
    optional = (item.description, item.brand, item.currency, item.image)
    texts = (item.item_id, item.title, *item.categories, *pairs, *(t for t in optional if t))
    for text in texts:
        if len(text) > LONGEST_TEXT:
            raise DataError(f"item: got {len(text)} characters, expected at most {LONGEST_TEXT}")
        if "\0" in text or text.encode("utf-8", "ignore").decode() != text:
            raise DataError(f"item: got {text[:50]!r}, expected text without NUL or surrogates")
