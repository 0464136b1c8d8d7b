"""The description of the interface: every problem that can come, and who may ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from engine.serve.keys import needed_scope
from engine.serve.problems import MEDIA_TYPE, Problem

Operation = dict[str, Any]

METHODS_WITH_BODY = frozenset({"post", "put", "patch"})
WHY: Final = {
    "400": "The body is not JSON.",
    "401": "The API key is missing or unknown.",
    "403": "The API key lacks the scope.",
    "404": "There is no such thing.",
    "409": "What is there does not allow it.",
    "413": "The body is over 8 MB.",
    "415": "The body is not declared as JSON.",
    "422": "A field or a parameter cannot be used; `errors` names it.",
    "429": "Too many requests: ask again after `Retry-After` seconds.",
    "500": "The server failed.",
    "501": "The server lacks an optional package.",
    "503": "The server is busy, starting or stopping: ask again after `Retry-After` seconds.",
    "504": "No engine worker answered in time.",
}
PROBLEM: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
RETRY_AFTER: Final = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "string"}, "required": False}
}
SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def install_openapi(app: FastAPI) -> None:
    """Let the app describe itself in full, at ``/openapi.json``."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = description_of(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def description_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an app, with the problems of every operation."""
    document = get_openapi(
        title="Vitrine",
        version="1",
        summary="Recommendations with reasons, for shops.",
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = SCHEMES
    for path, method, operation in _operations(document):
        _complete(operation, method, path)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, Operation]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _complete(operation: Operation, method: str, path: str) -> None:
    responses = operation.setdefault("responses", {})
    for status in (*_possible(operation, method, path), *responses):
        if status[0] in "45":
            said = responses.get(status, {}).get("description", "")
            own = said if said not in {"", "Validation Error"} else WHY.get(status, "Problem.")
            responses[status] = {"description": own, "content": PROBLEM}
            if status in {"429", "503"}:
                responses[status]["headers"] = RETRY_AFTER
    scope = needed_scope(method.upper(), re.sub(r"\{[^}]*\}", "x", path))
    if scope is not None:
        operation["security"] = [{}, *({name: []} for name in SCHEMES)]
        told = operation.get("description", "")
        operation["description"] = f"{told}\n\nScope: `{scope}`.".strip()


def _possible(operation: Operation, method: str, path: str) -> list[str]:
    """Statuses that no route declares, as they come before it or behind it."""
    found = ["500", "503"]
    if path.startswith("/v1/"):
        found += ["401", "403", "429", "504"]
    if method in METHODS_WITH_BODY:
        found += ["413", "415"]
    if "requestBody" in operation:
        found += ["400", "422"]
    if operation.get("parameters"):
        found.append("422")
    if "{" in path:
        found.append("404")
    return found
