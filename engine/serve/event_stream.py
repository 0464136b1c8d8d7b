"""Server-sent events: answers that are sent piece by piece, to whoever asks for them so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

EVENT_STREAM = "text/event-stream"
AS_A_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}
}
"""What a route says of itself that can answer both ways."""
OPENED = "event: open\ndata: {}\n\n"
"""Sent at once: the answer itself may take a while."""


def wants_stream(request: Request) -> bool:
    """Whether a request asks for the answer piece by piece."""
    return EVENT_STREAM in request.headers.get("accept", "")


def streamed(events: AsyncIterator[str]) -> StreamingResponse:
    """Events as a response that no proxy holds back."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type=EVENT_STREAM, headers=headers)


def event(name: str, data: BaseModel) -> str:
    """One event."""
    return f"event: {name}\ndata: {data.model_dump_json()}\n\n"
