"""The fields that calls are made of, and their bounds."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from engine.scene import Scene
from engine.types import EventKind

MAX_BODY_BYTES = 8_000_000
MAX_REQUEST_EVENTS = 200
YEARS = range(1970, 2101)
_READABLE = r"^[^\x00-\x1f\x7f]+$"


def _readable_moment(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("expected ISO 8601 text such as 2017-12-22T18:30")
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("expected ISO 8601 such as 2017-12-22T18:30") from error


def _plausible_moment(value: datetime) -> datetime:
    if value.year not in YEARS:
        raise ValueError(f"year {value.year} is not between {YEARS[0]} and {YEARS[-1]}")
    return value


def _decoded(value: object) -> object:
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        raise ValueError("got a URL, expected the file's bytes in base64: no URL is fetched here")
    if not isinstance(value, str):
        raise ValueError("expected the file's bytes in base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("expected the file's bytes in base64") from error


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


_MOMENT_SCHEMA = {"type": "string", "format": "date-time", "examples": ["2017-12-22T18:30:00"]}
_PHOTO_SCHEMA = {
    "type": "string",
    "format": "byte",
    "minLength": 4,
    "description": "The bytes of a picture file, in base64.",
}

Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_READABLE)]
Count = Annotated[int, Field(strict=True, ge=1, le=100)]
Moment = Annotated[
    datetime,
    BeforeValidator(_readable_moment),
    AfterValidator(_plausible_moment),
    WithJsonSchema(_MOMENT_SCHEMA, mode="validation"),
]
Photo = Annotated[
    bytes,
    BeforeValidator(_decoded),
    PlainSerializer(_encoded, return_type=str, when_used="json"),
    Field(min_length=1),
    WithJsonSchema(_PHOTO_SCHEMA, mode="validation"),
]
Words = Annotated[str, Field(min_length=1, max_length=500)]
Price = Annotated[float, Field(strict=True, ge=0, le=1e12, allow_inf_nan=False)]
Quantity = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Ids = Annotated[tuple[Id, ...], Field(max_length=1_000)]


class Request(BaseModel):
    """A call that an engine worker answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SceneBody(Scene):
    """A scene as JSON: the photo travels in base64."""

    model_config = ConfigDict(strict=True)  # no text that could be read as a number

    time: Moment | None = None
    image: Photo | None = None


class FiltersBody(Request):
    """What every answer must meet, all of it."""

    category: Annotated[tuple[Id, ...], Field(max_length=20)] = ()
    """Path of a category, most general first: it and everything under it."""
    brands: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    """Any of these."""
    min_price: Price | None = None
    max_price: Price | None = None
    """In the shop's currency, both included; an item without a price meets neither."""
    attributes: Annotated[dict[Id, Id], Field(max_length=50)] = Field(default_factory=dict)
    """All of these, such as ``{"colour": "red"}``."""
    only: Ids = ()
    """Item ids that may be answered; empty is no condition."""

    @model_validator(mode="after")
    def _the_lower_price_first(self) -> FiltersBody:
        low, high = self.min_price, self.max_price
        if low is not None and high is not None and low > high:
            raise ValueError(f"got prices from {low} to {high}, expected the lower first")
        return self


class RecentEvent(Request):
    """Something that the user of a request did; used for its answer, not stored."""

    item_id: Id
    kind: EventKind
    timestamp: Moment | None = None
    """Without a zone it is the shop's local time; None means just before the request's moment."""
    value: Quantity | None = None
    session_id: Id | None = None
    place: Id | None = None


RecentEvents = Annotated[tuple[RecentEvent, ...], Field(max_length=MAX_REQUEST_EVENTS)]
