"""Routes of users, reasons and scenes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi import Path as InPath

from engine.scene_headers import SCENE_HEADERS
from engine.serve import examples
from engine.serve.desk import Desk
from engine.serve.fields import Id
from engine.serve.people_schemas import (
    ErasedAnswer,
    EraseUserRequest,
    ExplainAnswer,
    ExplainRequest,
    PortraitAnswer,
    SceneAnswer,
    SceneRequest,
    UserRequest,
)

UserId = Annotated[Id, InPath()]


def people_routes(desk: Desk) -> APIRouter:
    """What is known of users and of the moment they are in, and why they see what they see."""
    router = APIRouter(prefix="/v1", tags=["people"])

    @router.get("/users/{user_id:path}")
    async def user(user_id: UserId) -> PortraitAnswer:
        """A user's portrait: interests, habits, price band, rhythm, places."""
        return await desk.ask(UserRequest(user_id=user_id), PortraitAnswer)

    @router.delete("/users/{user_id:path}")
    async def erase(user_id: UserId, request: Request) -> ErasedAnswer:
        """Forget a user, known or not: events and lists are deleted, and the erasure is logged."""
        asked_by = getattr(request.state, "asked_by", "anonymous")
        return await desk.ask(EraseUserRequest(user_id=user_id, asked_by=asked_by), ErasedAnswer)

    @router.post("/explain")
    async def explain(
        body: Annotated[ExplainRequest, Body(openapi_examples=examples.EXPLAIN)],
    ) -> ExplainAnswer:
        """What speaks for an item to a user in a scene: evidence with weights, and a sentence."""
        return await desk.ask(body, ExplainAnswer)

    @router.post("/scene")
    async def scene(
        body: Annotated[SceneRequest, Body(openapi_examples=examples.SCENE)], request: Request
    ) -> SceneAnswer:
        """The scene that words and headers tell of, and what each word became."""
        if body.headers is None:
            own = {name: v for name, v in request.headers.items() if name in SCENE_HEADERS}
            body = body.model_copy(update={"headers": own})
        return await desk.ask(body, SceneAnswer)

    return router
