"""What goes over the wire: requests, answers, and their bounds."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StringConstraints,
    Tag,
    model_validator,
)

from engine.recommendation import Evidence, Trace
from engine.scene import Scene
from engine.similar import Likeness
from engine.types import EventKind, Item

MAX_BODY_BYTES = 8_000_000
MAX_BATCH_EVENTS = 5_000
YEARS = range(1970, 2101)


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
    if not isinstance(value, str):
        raise ValueError("expected the file's bytes in base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("expected the file's bytes in base64") from error


Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Count = Annotated[int, Field(strict=True, ge=1, le=100)]
Moment = Annotated[datetime, BeforeValidator(_readable_moment), AfterValidator(_plausible_moment)]
Photo = Annotated[bytes, BeforeValidator(_decoded), Field(min_length=1)]


class Request(BaseModel):
    """A call that an engine worker answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SceneBody(Scene):
    """A scene as JSON: the photo travels in base64."""

    time: Moment | None = None
    image: Photo | None = None


class RecommendRequest(Request):
    """Body of ``POST /v1/recommend``."""

    user_id: Id
    scene: SceneBody | None = None
    k: Count = 10
    exclude: Annotated[tuple[Id, ...], Field(max_length=1_000)] = ()
    """Items that must not be in the answer."""
    new_only: StrictBool = False
    """Leave out what the user already bought."""


class SearchRequest(Request):
    """Body of ``POST /v1/search``: words, a photo, or both."""

    text: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    image: Photo | None = None
    k: Count = 10

    @model_validator(mode="after")
    def _something_to_look_for(self) -> SearchRequest:
        if self.text is None and self.image is None:
            raise ValueError("give text, image, or both")
        return self


class SimilarRequest(Request):
    """``GET /v1/items/{item_id}/similar``."""

    item_id: Id
    k: Count = 10
    likeness: Likeness = Likeness.ALL


class ComplementsRequest(Request):
    """``GET /v1/items/{item_id}/complements``, and the body of ``POST /v1/complements``."""

    item_ids: Annotated[tuple[Id, ...], Field(max_length=200)] = ()
    """A basket."""
    image: Photo | None = None
    """Of a room."""
    k: Count = 10

    @model_validator(mode="after")
    def _one_of_the_two(self) -> ComplementsRequest:
        if bool(self.item_ids) == (self.image is not None):
            raise ValueError("give item_ids or image, one of the two")
        return self


class ItemRequest(Request):
    """``GET /v1/items/{item_id}``."""

    item_id: Id


class PictureRequest(Request):
    """``GET /pictures/{item_id}``."""

    item_id: Id


class ShoppersRequest(Request):
    """``GET /v1/shoppers``."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50


class OptionsRequest(Request):
    """``GET /v1/scene-options`` and ``GET /v1/places``."""


class HealthRequest(Request):
    """``GET /health``."""


class EventBody(Request):
    """One event of ``POST /v1/events``."""

    user_id: Id
    item_id: Id
    kind: EventKind
    timestamp: Moment | None = None
    """Without a zone it is the shop's local time; None means now."""
    event_id: Id | None = None
    """Makes a repeated delivery harmless."""
    value: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None = None
    session_id: Id | None = None
    place: Id | None = None
    request_id: Id | None = None


def _one_or_many(body: object) -> str:
    return "many" if isinstance(body, list) else "one"


EventsBody = Annotated[
    Annotated[EventBody, Tag("one")]
    | Annotated[list[EventBody], Field(min_length=1, max_length=MAX_BATCH_EVENTS), Tag("many")],
    Discriminator(_one_or_many),
]


class ObserveRequest(Request):
    """The events of one ``POST /v1/events``: all are stored, or none."""

    events: tuple[EventBody, ...]
    listed: bool
    """Whether the body was a list: decides how an error points into it."""


Call = (
    RecommendRequest
    | SearchRequest
    | SimilarRequest
    | ComplementsRequest
    | ItemRequest
    | PictureRequest
    | ShoppersRequest
    | OptionsRequest
    | HealthRequest
    | ObserveRequest
)


class ItemAnswer(BaseModel):
    """An item, with the URL of its picture."""

    item: Item
    picture: str | None


class RecommendedItem(ItemAnswer):
    """One slot of a list, with what it can be traced to."""

    rank: int
    score: float
    probability: float | None
    reason: str
    evidence: tuple[Evidence, ...]
    trace: Trace


class ListAnswer(BaseModel):
    """A ranked list: the best first."""

    request_id: str
    run_id: str
    took_ms: float
    items: tuple[RecommendedItem, ...]


class ObserveAnswer(BaseModel):
    """What became of a batch of events."""

    received: int
    stored: int
    """Newly stored; the others had been delivered before."""


class ShopperOut(BaseModel):
    """Someone whose events the run knows."""

    user_id: str
    events: int
    summary: str


class ShoppersAnswer(BaseModel):
    """People to choose from."""

    shoppers: tuple[ShopperOut, ...]


class PlacesAnswer(BaseModel):
    """The places of the dataset."""

    places: tuple[str, ...]


class OptionsAnswer(BaseModel):
    """What a scene can be made of, and whose data this is."""

    run_id: str
    name: str
    time_zone: str
    as_of: datetime
    """End of the data that the run learnt from, in the shop's zone."""
    places: tuple[str, ...]
    occasions: tuple[str, ...]
    attribution: str
    terms: str


class PictureAnswer(BaseModel):
    """Where an item's picture lies on the server's disk."""

    path: str | None


class HealthAnswer(BaseModel):
    """The truth about the server."""

    status: Literal["ok", "failing"]
    run_id: str
    store: str
    workers_ready: int
    workers: int
