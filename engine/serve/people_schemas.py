"""Users, reasons and scenes over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StrictBool, model_validator

from engine.portrait import Frequented, Habit, Interest, PriceBand, Rhythm
from engine.recommendation import Evidence, Trace, Walk
from engine.scene import Scene
from engine.serve.fields import Id, Moment, RecentEvents, Request, SceneBody
from engine.serve.schemas import ItemAnswer, ListAnswer

Header = Annotated[str, Field(max_length=1_000)]


class RankRequest(Request):
    """Body of ``POST /v1/rank``."""

    user_id: Id
    item_ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=1_000)]
    """Each once."""
    scene: SceneBody | None = None
    k: Annotated[int, Field(strict=True, ge=1, le=1_000)] | None = None
    """None is all of them."""
    events: RecentEvents = ()

    @model_validator(mode="after")
    def _each_once(self) -> RankRequest:
        if len(set(self.item_ids)) != len(self.item_ids):
            raise ValueError("an id comes twice in item_ids")
        return self


class RankAnswer(ListAnswer):
    """The given items, best first."""

    unknown: tuple[str, ...]
    """Ids that the run does not know."""


class ExplainRequest(Request):
    """Body of ``POST /v1/explain``."""

    user_id: Id
    item_id: Id
    scene: SceneBody | None = None
    shares: StrictBool = True
    """Without, what moved the score is left out, and the answer comes sooner."""


class ShareOut(BaseModel):
    """What one group of evidence added to a score; negative where it spoke against the item."""

    group: str
    """``history``, ``due``, ``graph``, ``likeness``, ``popularity``, ``scene``, ``offer``,
    ``price``, ``wish``, ``other``."""
    value: float
    """In units of the score."""


class PastOut(BaseModel):
    """What an item of the user's past did for a score."""

    item_id: str
    title: str
    times: int
    """How often it was taken."""
    value: float
    """How much lower the score were without it."""


class MovedOut(BaseModel):
    """What a score is made of: ``base`` and all shares add up to ``score``."""

    score: float
    """Of the model and the wish; boosts of a policy are not in it."""
    base: float
    """With none of the evidence."""
    shares: tuple[ShareOut, ...]
    """The most moving first, of whatever sign."""
    past: tuple[PastOut, ...]
    """Past items, the most moving first; what they do overlaps, so these do not add up."""


class ExplainAnswer(ItemAnswer):
    """What speaks for an item to a user."""

    score: float
    probability: float | None
    reason: str
    """One sentence, made of the evidence."""
    evidence: tuple[Evidence, ...]
    """Heaviest first."""
    trace: Trace
    paths: tuple[Walk, ...]
    """Ways through the graph from the user to the item, best first; those whom training did not
    know have none."""
    moved: MovedOut | None = None
    """None where shares were not asked for."""


class UserRequest(Request):
    """``GET /v1/users/{user_id}``."""

    user_id: Id


class EraseUserRequest(Request):
    """``DELETE /v1/users/{user_id}``."""

    user_id: Id
    asked_by: str
    """Name of the API key."""


class PortraitAnswer(BaseModel):
    """What is known of a user by their events; dismissals are not among these."""

    user_id: str
    events: int
    first_at: datetime | None
    last_at: datetime | None
    interests: tuple[Interest, ...]
    habits: tuple[Habit, ...]
    price_band: PriceBand | None
    rhythm: Rhythm | None
    places: tuple[Frequented, ...]


class ErasedAnswer(BaseModel):
    """What an erasure took away; it was logged."""

    events: int
    impressions: int


class SceneRequest(Request):
    """Body of ``POST /v1/scene``."""

    text: Annotated[str, Field(max_length=2_000)] = ""
    """English or Chinese."""
    headers: Annotated[dict[Id, Header], Field(max_length=100)] | None = None
    """Of the shopper's request; None reads those of this one."""
    time: Moment | None = None
    """The clock that the words are read against; None is now."""
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    """ISO 3166 code; None means from the headers, or the shop's own."""


class SpanOut(BaseModel):
    """A stretch of the text and what it became."""

    start: int
    end: int
    text: str
    field: str
    value: str


class IgnoredOut(BaseModel):
    """A header that said nothing usable."""

    header: str
    value: str
    why: str


class SceneAnswer(BaseModel):
    """The scene that words and headers tell of."""

    scene: Scene
    spans: tuple[SpanOut, ...]
    ignored: tuple[IgnoredOut, ...]
