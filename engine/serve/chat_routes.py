"""``POST /v1/chat``: the assistant, as one JSON answer or as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Body, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel

from engine.serve.chat_schemas import ChatAnswer, ChatRequest
from engine.serve.desk import Desk
from engine.serve.event_stream import AS_A_STREAM, OPENED, event, streamed, wants_stream
from engine.serve.problems import problem_of

TIMEOUT_S = 60.0
EXAMPLES = {
    "a wish": {
        "value": {"user_id": "household-1", "message": "red wine under $10 for Friday evening"}
    }
}


def chat_routes(desk: Desk) -> APIRouter:
    """The assistant."""
    router = APIRouter(prefix="/v1", tags=["assistant"])

    @router.post("/chat", response_model=ChatAnswer, responses=AS_A_STREAM)
    async def chat(
        body: Annotated[ChatRequest, Body(openapi_examples=EXAMPLES)], request: Request
    ) -> Response | ChatAnswer:
        """Answer a message; ``Accept: text/event-stream`` gets it piece by piece."""
        if wants_stream(request):
            return streamed(_events(desk, body))
        return await desk.ask(body, ChatAnswer, timeout_s=TIMEOUT_S)

    return router


async def _events(desk: Desk, body: ChatRequest) -> AsyncIterator[str]:
    """``open`` at once, then ``step``, ``text``, ``item``, ``question``, and ``done``.

    ``done`` carries the conversation; ``problem`` ends the stream in its place.
    """
    yield OPENED
    try:
        answer = await desk.ask(body, ChatAnswer, timeout_s=TIMEOUT_S)
    except HTTPException as error:
        yield event("problem", problem_of(error))
        return
    for step in answer.way:
        yield event("step", step)
    yield event("text", Told(text=answer.text))
    for item in answer.items:
        yield event("item", item)
    if answer.question is not None:
        yield event("question", Asked(question=answer.question, options=answer.options))
    yield event("done", answer.model_copy(update={"items": (), "way": ()}))


class Told(BaseModel):
    """Words of the assistant."""

    text: str


class Asked(BaseModel):
    """A question of the assistant."""

    question: str
    options: tuple[str, ...]
