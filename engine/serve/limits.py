"""What a body may be, decided before anything reads it."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.serve.fields import MAX_BODY_BYTES
from engine.serve.problems import Problem, problem_response

METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class BodyLimits:
    """ASGI middleware: a body is JSON (else 415) and at most 8 MB (else 413).

    LitServe's own ``max_payload_size`` raises inside the handler, which turns it into another
    status; here the body is read up to the limit first, then replayed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it."""
        if scope["type"] != "http" or scope["method"] not in METHODS_WITH_BODY:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if (problem := _wrong_type(headers)) is not None:
            await problem_response(problem)(scope, receive, send)
            return
        body = await _read(headers, receive)
        if body is None:
            await problem_response(_too_large())(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)


def _wrong_type(headers: Headers) -> Problem | None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        return None
    detail = f"got content type {media_type or 'none'!r}, expected 'application/json'"
    return Problem(status=415, detail=detail)


def _too_large() -> Problem:
    return Problem(status=413, detail=f"the body is over {MAX_BODY_BYTES:,} bytes: send less")


async def _read(headers: Headers, receive: Receive) -> bytes | None:
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed
