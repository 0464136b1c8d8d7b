"""Routes of items: one, what is like it, what goes with it, its picture, and its changes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Body, Query, Response
from fastapi import Path as InPath
from starlette.responses import FileResponse

from engine.serve import examples
from engine.serve.desk import Desk
from engine.serve.fields import Id
from engine.serve.item_schemas import (
    DoneAnswer,
    ItemBody,
    ItemChangesBody,
    PatchItemRequest,
    PutItemRequest,
    RemoveItemRequest,
    StoredItemAnswer,
)
from engine.serve.problems import Problem
from engine.serve.query_filters import QueryFilters
from engine.serve.remote_pictures import fetch_picture
from engine.serve.schemas import (
    ItemAnswer,
    ItemComplementsRequest,
    ItemRequest,
    ListAnswer,
    PictureAnswer,
    PictureRequest,
    SimilarRequest,
)
from engine.types import Likeness

PICTURE_TYPES: Final = {
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
PICTURE_HEADERS: Final = {
    "Cache-Control": "public, max-age=86400",
    "X-Content-Type-Options": "nosniff",
    # An SVG is a document: opened by itself it must not run a script of ours.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}

ItemId = Annotated[Id, InPath()]
QueryCount = Annotated[int, Query(ge=1, le=100)]
Changes = TypeVar("Changes", bound=ItemChangesBody)


def item_routes(desk: Desk) -> APIRouter:
    """What shops ask of items."""
    router = APIRouter(prefix="/v1", tags=["items"])

    @router.get("/items/{item_id:path}/similar", response_model=ListAnswer)
    async def similar(
        item_id: ItemId,
        filters: QueryFilters,
        k: QueryCount = 10,
        likeness: Likeness = Likeness.ALL,
    ) -> ListAnswer | Response:
        """Items like one: by looks, by words, taken in its stead, or all of these."""
        call = SimilarRequest(item_id=item_id, k=k, likeness=likeness, filters=filters)
        return await desk.ask_for_list(call)

    @router.get("/items/{item_id:path}/complements", response_model=ListAnswer)
    async def complements(
        item_id: ItemId, filters: QueryFilters, k: QueryCount = 10
    ) -> ListAnswer | Response:
        """What goes with an item."""
        call = ItemComplementsRequest(item_ids=(item_id,), k=k, filters=filters)
        return await desk.ask_for_list(call)

    @router.get("/items/{item_id:path}")
    async def item(item_id: ItemId) -> ItemAnswer:
        """One item."""
        return await desk.ask(ItemRequest(item_id=item_id), ItemAnswer)

    return router


def item_change_routes(desk: Desk, image_origins: Collection[str] = ()) -> APIRouter:
    """What shops change of items, found by the very next call.

    Args:
        desk: Takes the calls.
        image_origins: Where pictures may be fetched from.
    """
    router = APIRouter(prefix="/v1", tags=["items"])

    @router.put("/items/{item_id:path}", responses={201: {"model": StoredItemAnswer}})
    async def put_item(
        item_id: ItemId,
        body: Annotated[ItemBody, Body(openapi_examples=examples.PUT_ITEM)],
        response: Response,
    ) -> StoredItemAnswer:
        """Offer an item (201), or put another record in the place of its own (200)."""
        body = await _with_picture(body, image_origins)
        stored = await desk.ask(PutItemRequest(item_id=item_id, body=body), StoredItemAnswer)
        response.status_code = 201 if stored.created else 200
        return stored

    @router.patch("/items/{item_id:path}", responses={409: {"description": "It was withdrawn."}})
    async def patch_item(
        item_id: ItemId,
        body: Annotated[ItemChangesBody, Body(openapi_examples=examples.PATCH_ITEM)],
    ) -> StoredItemAnswer:
        """Change what is named of an item; the rest stays."""
        body = await _with_picture(body, image_origins)
        return await desk.ask(PatchItemRequest(item_id=item_id, body=body), StoredItemAnswer)

    @router.delete("/items/{item_id:path}", status_code=204)
    async def remove_item(item_id: ItemId) -> None:
        """Withdraw an item: no later answer holds it. What users did to it is still known."""
        await desk.ask(RemoveItemRequest(item_id=item_id), DoneAnswer)

    return router


def public_routes(desk: Desk) -> APIRouter:
    """Pictures: never behind a key."""
    router = APIRouter(tags=["pictures"])

    @router.get(
        "/pictures/{item_id:path}",
        response_class=FileResponse,
        responses={200: {"content": {kind: {} for kind in sorted(set(PICTURE_TYPES.values()))}}},
    )
    async def picture(item_id: ItemId) -> FileResponse:
        """The picture of an item."""
        # The name is an item id that the engine looks up, never a path on the disk.
        found = (await desk.ask(PictureRequest(item_id=item_id), PictureAnswer)).path
        media_type = PICTURE_TYPES.get(Path(found).suffix.lower()) if found else None
        if found is None or media_type is None:
            raise Problem(status=404, detail=f"item {item_id!r} has no picture").as_exception()
        return FileResponse(found, media_type=media_type, headers=PICTURE_HEADERS)

    return router


async def _with_picture(body: Changes, origins: Collection[str]) -> Changes:
    if body.picture_url is None:
        return body
    picture = await fetch_picture(body.picture_url, origins)
    return body.model_copy(update={"picture": picture, "picture_url": None})
