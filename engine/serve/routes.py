"""The REST interface: each route checks its call and takes it to the desk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi import Path as InPath
from starlette.responses import FileResponse

from engine.serve.desk import Desk
from engine.serve.problems import Problem, problem_of, problem_response
from engine.serve.schemas import (
    ComplementsRequest,
    EventsBody,
    HealthAnswer,
    HealthRequest,
    Id,
    ItemAnswer,
    ItemRequest,
    ListAnswer,
    ObserveAnswer,
    ObserveRequest,
    OptionsAnswer,
    OptionsRequest,
    PictureAnswer,
    PictureRequest,
    PlacesAnswer,
    RecommendRequest,
    SearchRequest,
    ShoppersAnswer,
    ShoppersRequest,
    SimilarRequest,
)
from engine.similar import Likeness

HEALTH_TIMEOUT_S = 3.0

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


def engine_routes(desk: Desk) -> APIRouter:
    """What shops call: recommend, search, events, scenes."""
    router = APIRouter(prefix="/v1")

    @router.post("/recommend")
    async def recommend(body: RecommendRequest) -> ListAnswer:
        return await desk.ask(body, ListAnswer)

    @router.post("/search")
    async def search(body: SearchRequest) -> ListAnswer:
        return await desk.ask(body, ListAnswer)

    @router.post("/events")
    async def events(body: EventsBody) -> ObserveAnswer:
        listed = isinstance(body, list)
        batch = tuple(body) if isinstance(body, list) else (body,)
        return await desk.ask(ObserveRequest(events=batch, listed=listed), ObserveAnswer)

    @router.get("/shoppers")
    async def shoppers(limit: Annotated[int, Query(ge=1, le=500)] = 50) -> ShoppersAnswer:
        return await desk.ask(ShoppersRequest(limit=limit), ShoppersAnswer)

    @router.get("/places")
    async def places() -> PlacesAnswer:
        options = await desk.ask(OptionsRequest(), OptionsAnswer)
        return PlacesAnswer(places=options.places)

    @router.get("/scene-options")
    async def scene_options() -> OptionsAnswer:
        return await desk.ask(OptionsRequest(), OptionsAnswer)

    return router


def item_routes(desk: Desk) -> APIRouter:
    """What shops ask of items: one, what is like it, what goes with it."""
    router = APIRouter(prefix="/v1")

    @router.get("/items/{item_id:path}/similar")
    async def similar(
        item_id: ItemId, k: QueryCount = 10, likeness: Likeness = Likeness.ALL
    ) -> ListAnswer:
        return await desk.ask(SimilarRequest(item_id=item_id, k=k, likeness=likeness), ListAnswer)

    @router.get("/items/{item_id:path}/complements")
    async def complements(item_id: ItemId, k: QueryCount = 10) -> ListAnswer:
        return await desk.ask(ComplementsRequest(item_ids=(item_id,), k=k), ListAnswer)

    @router.post("/complements")
    async def complements_of(body: ComplementsRequest) -> ListAnswer:
        return await desk.ask(body, ListAnswer)

    @router.get("/items/{item_id:path}")
    async def item(item_id: ItemId) -> ItemAnswer:
        return await desk.ask(ItemRequest(item_id=item_id), ItemAnswer)

    return router


def public_routes(desk: Desk) -> APIRouter:
    """Pictures and health: never behind a key."""
    router = APIRouter()

    @router.get("/pictures/{item_id:path}", response_class=FileResponse)
    async def picture(item_id: ItemId) -> FileResponse:
        # The name is an item id that the engine looks up, never a path on the disk.
        found = (await desk.ask(PictureRequest(item_id=item_id), PictureAnswer)).path
        media_type = PICTURE_TYPES.get(Path(found).suffix.lower()) if found else None
        if found is None or media_type is None:
            raise Problem(status=404, detail=f"item {item_id!r} has no picture").as_exception()
        return FileResponse(found, media_type=media_type, headers=PICTURE_HEADERS)

    @router.get("/health", response_model=HealthAnswer)
    async def health() -> Response | HealthAnswer:
        ready, workers = desk.workers()
        try:
            answer = await desk.ask(HealthRequest(), HealthAnswer, timeout_s=HEALTH_TIMEOUT_S)
        except HTTPException as error:
            detail = f"{ready} of {workers} workers ready; {problem_of(error).detail}"
            return problem_response(Problem(status=503, detail=detail))
        return answer.model_copy(update={"workers_ready": ready, "workers": workers})

    return router
