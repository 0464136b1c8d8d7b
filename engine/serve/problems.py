"""Errors over HTTP: RFC 9457 problem details, with the field at fault."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
UNION_TAGS = frozenset({"one", "many"})


class Fault(BaseModel):
    """One field at fault."""

    model_config = ConfigDict(frozen=True)

    detail: str
    pointer: str | None = None
    """JSON pointer into the body, such as ``#/scene/time``."""
    parameter: str | None = None
    """Name of the parameter in the path or the query."""


class Problem(BaseModel):
    """Problem details."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    title: str = ""
    status: int
    detail: str
    errors: tuple[Fault, ...] = ()

    def as_exception(self) -> HTTPException:
        """The same, to raise: it passes LitServe's queues and the routes unharmed."""
        return HTTPException(self.status, detail=self.model_dump())


def body_problem(status: int, detail: str, *path: str | int) -> Problem:
    """A problem with one field of the body."""
    return Problem(
        status=status, detail=detail, errors=(Fault(detail=detail, pointer=_pointer(path)),)
    )


def problem_of(error: StarletteHTTPException) -> Problem:
    """The problem that an exception carries, or one made of its text."""
    detail: object = error.detail  # declared as text, but ours carries a whole problem
    if isinstance(detail, dict):
        return Problem.model_validate(detail)
    return Problem(status=error.status_code, detail=str(detail))


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as an HTTP response."""
    title = problem.title or HTTPStatus(problem.status).phrase
    content = problem.model_copy(update={"title": title}).model_dump_json(exclude_none=True)
    return Response(content, problem.status, headers=headers, media_type=MEDIA_TYPE)


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of the app problem details."""
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(StarletteHTTPException, _on_http)
    app.add_exception_handler(Exception, _on_surprise)


async def _on_invalid(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        detail = f"the body is not JSON: {found[0].get('ctx', {}).get('error', found[0]['msg'])}"
        return problem_response(Problem(status=400, detail=detail))
    faults = tuple(_fault(e["loc"], e["msg"]) for e in found)
    detail = "; ".join(f"{f.pointer or f.parameter}: {f.detail}" for f in faults[:5])
    return problem_response(Problem(status=422, detail=detail, errors=faults))


async def _on_http(_: Request, error: Exception) -> Response:
    if not isinstance(error, StarletteHTTPException):
        raise error
    return problem_response(problem_of(error), error.headers)


async def _on_surprise(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "an unknown route")
    log_failure(logger, f"{request.method} {route}", error)
    return problem_response(Problem(status=500, detail="the server failed; its log says why"))


def log_failure(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log where something failed, without what it said: a message may name a user.

    Args:
        log: Where to.
        what: Names the work in words of ours.
        error: Its type and its frames are told.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed: %s\n%s", what, type(error).__name__, frames)


def _fault(loc: Sequence[str | int], message: str) -> Fault:
    where, *path = loc
    detail = message.removeprefix("Value error, ")
    if where != "body":
        return Fault(detail=detail, parameter=".".join(map(str, path)) or str(where))
    if path and path[0] in UNION_TAGS:
        path = path[1:]
    return Fault(detail=detail, pointer=_pointer(path))


def _pointer(path: Sequence[str | int]) -> str:
    return "#" + "".join(f"/{str(p).replace('~', '~0').replace('/', '~1')}" for p in path)
