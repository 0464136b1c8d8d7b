"""What goes over the wire: requests, answers, and their bounds."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Discriminator, Field, StrictBool, Tag, model_validator

from engine.recommendation import Evidence, Trace
from engine.serve.fields import (
    Count,
    FiltersBody,
    Id,
    Ids,
    Moment,
    Photo,
    RecentEvent,
    RecentEvents,
    Request,
    SceneBody,
    Words,
)
from engine.types import Item, Likeness

MAX_BATCH_EVENTS = 5_000


class Reasons(StrEnum):
    """Who words the reasons of a list."""

    RULES = "rules"
    WRITTEN = "written"
    """The configured language model, each sentence checked; rules where it fails."""


class RecommendRequest(Request):
    """Body of ``POST /v1/recommend``."""

    user_id: Id
    scene: SceneBody | None = None
    k: Count = 10
    exclude: Ids = ()
    """Items that must not be in the answer."""
    new_only: StrictBool = False
    """Leave out what the user already bought."""
    filters: FiltersBody | None = None
    explain: StrictBool = True
    """Without, evidence and reason are empty, and the answer comes sooner."""
    reasons: Reasons = Reasons.RULES
    events: RecentEvents = ()
    """What the user did that was not sent to ``/v1/events``: enough for an unknown one."""

    @model_validator(mode="after")
    def _reasons_to_write(self) -> RecommendRequest:
        if self.reasons is Reasons.WRITTEN and not self.explain:
            raise ValueError("got reasons to be written and explain false, expected one of them")
        return self


class SearchRequest(Request):
    """Body of ``POST /v1/search``: words, a photo, or both."""

    text: Words | None = None
    image: Photo | None = None
    k: Count = 10
    user_id: Id | None = None
    """Whose taste decides among what matches."""
    scene: SceneBody | None = None
    """The moment for that taste."""
    filters: FiltersBody | None = None

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
    filters: FiltersBody | None = None


class ComplementsRequest(Request):
    """Body of ``POST /v1/complements``."""

    item_ids: Annotated[tuple[Id, ...], Field(max_length=200)] = ()
    """A basket."""
    image: Photo | None = None
    """Of a room."""
    k: Count = 10
    filters: FiltersBody | None = None

    @model_validator(mode="after")
    def _one_of_the_two(self) -> ComplementsRequest:
        if bool(self.item_ids) == (self.image is not None):
            raise ValueError("give item_ids or image, one of the two")
        return self


class ItemComplementsRequest(ComplementsRequest):
    """The same of one item, whose id stands in the path."""


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


class EventBody(RecentEvent):
    """One event of ``POST /v1/events``."""

    user_id: Id
    timestamp: Moment | None = None
    """Without a zone it is the shop's local time; None means now."""
    event_id: Id | None = None
    """Makes a repeated delivery harmless."""
    request_id: Id | None = None
    """Of the list that the item was shown in."""


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


Call = Request
"""Whatever an engine worker answers: :func:`engine.serve.verbs.answer` knows how."""


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
