"""What an engine raises, as a problem of the call that made it."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from encoders import ImageError
from engine.errors import (
    DataError,
    MissingExtraError,
    RunError,
    SceneError,
    UnknownIdError,
    WithdrawnError,
)
from engine.serve.fields import Request
from engine.serve.item_schemas import PatchItemRequest, PutItemRequest, RemoveItemRequest
from engine.serve.people_schemas import ExplainRequest, RankRequest, UserRequest
from engine.serve.policy_schemas import ExperimentRequest
from engine.serve.problems import Problem, body_problem
from engine.serve.schemas import (
    ComplementsRequest,
    ItemComplementsRequest,
    ItemRequest,
    ObserveRequest,
    PictureRequest,
    RecommendRequest,
    SimilarRequest,
)

Path = tuple[str | int, ...]

IN_PATH = (
    ItemComplementsRequest,
    ExperimentRequest,
    ItemRequest,
    PatchItemRequest,
    PictureRequest,
    RemoveItemRequest,
    SimilarRequest,
    UserRequest,
)
"""Calls whose id stands in the path: one that is unknown is a resource that is not there."""


def problem_of_error(error: Exception, call: Request) -> Problem | None:
    """What is wrong with a call, told to its caller; None if the fault is the server's."""
    if isinstance(error, ImageError):
        return body_problem(422, str(error), *_picture(call))
    if isinstance(error, SQLAlchemyError):
        return Problem(status=503, detail=f"the store cannot be used: {type(error).__name__}")
    if isinstance(error, SceneError):
        return body_problem(422, str(error), "scene", *error.field.split("."))
    if isinstance(error, UnknownIdError):
        return _unknown(error, call)
    if isinstance(error, WithdrawnError):
        return Problem(status=409, detail=str(error))
    if isinstance(error, DataError):
        return Problem(status=422, detail=str(error))
    if isinstance(error, MissingExtraError):
        return Problem(status=501, detail=str(error))
    if isinstance(error, RunError):
        return Problem(status=503, detail=str(error))
    return None


def _picture(call: Request) -> Path:
    if isinstance(call, RecommendRequest | RankRequest | ExplainRequest):
        return ("scene", "image")
    return ("picture",) if isinstance(call, PutItemRequest | PatchItemRequest) else ("image",)


def _unknown(error: UnknownIdError, call: Request) -> Problem:
    if isinstance(call, IN_PATH):
        return Problem(status=404, detail=str(error))
    at = _place_of(error, call)
    return body_problem(422, str(error), *at) if at else Problem(status=422, detail=str(error))


def _place_of(error: UnknownIdError, call: Request) -> Path:
    """Where in the body an unknown id stands; nothing if that is not known."""
    places: dict[str, Path] = {}
    if isinstance(call, ObserveRequest):
        prefixes: list[Path] = [(at,) if call.listed else () for at in range(len(call.events))]
        places = {e.item_id: (*p, "item_id") for e, p in zip(call.events, prefixes, strict=True)}
    elif isinstance(call, RecommendRequest | RankRequest):
        places = {e.item_id: ("events", at, "item_id") for at, e in enumerate(call.events)}
    elif isinstance(call, ComplementsRequest):
        places = {item_id: ("item_ids", at) for at, item_id in enumerate(call.item_ids)}
    elif isinstance(call, ExplainRequest):
        places = {call.item_id: ("item_id",)}
    return places.get(error.value, ())
