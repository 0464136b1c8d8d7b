"""The REST interface: each route checks its call and takes it to the desk."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from engine.serve import examples
from engine.serve.desk import Desk
from engine.serve.people_schemas import RankAnswer, RankRequest
from engine.serve.schemas import (
    ComplementsRequest,
    EventsBody,
    ListAnswer,
    ObserveAnswer,
    ObserveRequest,
    OptionsAnswer,
    OptionsRequest,
    PlacesAnswer,
    SearchRequest,
    ShoppersAnswer,
    ShoppersRequest,
)


def engine_routes(desk: Desk) -> APIRouter:
    """What shops call: lists, events, and what a page offers to choose from."""
    router = APIRouter(prefix="/v1")
    router.include_router(_lists(desk), tags=["lists"])
    router.include_router(_events(desk), tags=["events"])
    router.include_router(_choices(desk), tags=["choices"])
    return router


def _lists(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.post("/rank", response_model=RankAnswer)
    async def rank(
        body: Annotated[RankRequest, Body(openapi_examples=examples.RANK)],
    ) -> ListAnswer | Response:
        """Given items in the order that suits a user in a scene; unknown ids are named."""
        return await desk.ask_for_list(body)

    @router.post("/search", response_model=ListAnswer)
    async def search(
        body: Annotated[SearchRequest, Body(openapi_examples=examples.SEARCH)],
    ) -> ListAnswer | Response:
        """Items that match words, a photo, or both; of a user's taste where one is named."""
        return await desk.ask_for_list(body)

    @router.post("/complements", response_model=ListAnswer)
    async def complements_of(
        body: Annotated[ComplementsRequest, Body(openapi_examples=examples.COMPLEMENTS)],
    ) -> ListAnswer | Response:
        """What goes with a basket, or belongs in a room."""
        return await desk.ask_for_list(body)

    return router


def _events(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.post("/events")
    async def events(
        body: Annotated[EventsBody, Body(openapi_examples=examples.EVENTS)],
    ) -> ObserveAnswer:
        """Store one event, or several: all or none. The next answer knows of them."""
        listed = isinstance(body, list)
        batch = tuple(body) if isinstance(body, list) else (body,)
        return await desk.ask(ObserveRequest(events=batch, listed=listed), ObserveAnswer)

    return router


def _choices(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/shoppers")
    async def shoppers(limit: Annotated[int, Query(ge=1, le=500)] = 50) -> ShoppersAnswer:
        """Users with the most events."""
        return await desk.ask(ShoppersRequest(limit=limit), ShoppersAnswer)

    @router.get("/places")
    async def places() -> PlacesAnswer:
        """Places that the run knows, busiest first."""
        options = await desk.ask(OptionsRequest(), OptionsAnswer)
        return PlacesAnswer(places=options.places)

    @router.get("/scene-options")
    async def scene_options() -> OptionsAnswer:
        """What a scene can be made of, and whose data this is."""
        return await desk.ask(OptionsRequest(), OptionsAnswer)

    return router
