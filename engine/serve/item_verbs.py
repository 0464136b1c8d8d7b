"""What an engine worker does with calls that change items."""

from __future__ import annotations

from engine.errors import UnknownIdError, WithdrawnError
from engine.item_form import ItemFields
from engine.recommend import Engine
from engine.serve.item_schemas import (
    DoneAnswer,
    ItemChangesBody,
    PatchItemRequest,
    PutItemRequest,
    RemoveItemRequest,
    StoredItemAnswer,
)
from engine.serve.wire import picture_url
from engine.types import Item


def put_item(call: PutItemRequest, engine: Engine) -> StoredItemAnswer:
    """Offer an item, or put another record in the place of its own."""
    body, fields = call.body, _fields(call.body, set(ItemFields.__annotations__))
    try:
        item = engine.update_item(call.item_id, picture=body.picture, title=body.title, **fields)
        return _stored(engine, item, created=False)
    except (UnknownIdError, WithdrawnError):
        item = engine.add_item(call.item_id, body.title, picture=body.picture, **fields)
        return _stored(engine, item, created=True)


def patch_item(call: PatchItemRequest, engine: Engine) -> StoredItemAnswer:
    """Change what is named of an item."""
    body = call.body
    fields = _fields(body, body.model_fields_set)
    if body.title is None:
        item = engine.update_item(call.item_id, picture=body.picture, **fields)
    else:
        item = engine.update_item(call.item_id, picture=body.picture, title=body.title, **fields)
    return _stored(engine, item, created=False)


def remove_item(call: RemoveItemRequest, engine: Engine) -> DoneAnswer:
    """Withdraw an item; one that is withdrawn stays so."""
    try:
        engine.remove_item(call.item_id)
    except WithdrawnError:
        return DoneAnswer(changed=False)
    return DoneAnswer(changed=True)


def _fields(body: ItemChangesBody, named: set[str]) -> ItemFields:
    fields: ItemFields = {}
    for name in ("description", "categories", "brand", "price", "currency", "attributes"):
        if name in named:
            fields[name] = getattr(body, name)
    if "available" in named:
        fields["available"] = body.available
    return fields


def _stored(engine: Engine, item: Item, *, created: bool) -> StoredItemAnswer:
    return StoredItemAnswer(item=item, picture=picture_url(engine, item), created=created)
