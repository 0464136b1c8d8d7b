"""The first thing that every request meets: it is counted, timed, or turned away at once."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.serve.line import RETRY_AFTER_S, TOO_BUSY, Line
from engine.serve.meters import Meters
from engine.serve.problems import Problem, problem_response

VERSION = "/v1"
CALLS = f"{VERSION}/"
OPERATOR = "/v1/runs"
"""Calls that need a worker are turned away; the page, probes and a rollback pass always."""
LEAVING = Problem(status=503, detail="this server is stopping: ask another")


class Door:
    """ASGI middleware: sheds load before a body is read, and refuses what comes while draining.

    A refusal costs a tenth of a millisecond, so that a server which is asked five times what it
    can answer still answers what it can.
    """

    def __init__(
        self, app: ASGIApp, *, line: Line, meters: Meters, draining: Callable[[], bool]
    ) -> None:
        self._app, self._line, self._meters = app, line, meters
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or turn it away."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _needs_worker(scope["path"]) and self._draining():
            self._meters.draining.inc()
            await problem_response(LEAVING, {"Connection": "close"})(scope, receive, send)
        elif _needs_worker(scope["path"]) and self._line.full:
            self._meters.busy.inc()
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            await problem_response(TOO_BUSY, headers)(scope, receive, send)
        else:
            await self._measured(scope, receive, send)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            endpoint = _endpoint(scope)
            self._meters.requests.labels(endpoint, str(status)).inc()
            self._meters.seconds.labels(endpoint).observe(time.perf_counter() - started)


def _needs_worker(path: str) -> bool:
    return path.startswith(CALLS) and not path.startswith(OPERATOR)


def _endpoint(scope: Scope) -> str:
    """The route's template: there are as many as routes, whatever is asked for.

    A route that was included twice over tells FastAPI's newer versions no prefix.
    """
    route = scope.get("route")
    if not isinstance(route, APIRoute):
        return "other"
    told = route.path.startswith(CALLS) or not scope["path"].startswith(CALLS)
    return f"{scope['method']} {'' if told else VERSION}{route.path}"
