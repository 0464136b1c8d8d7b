"""The assistant over the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from engine.serve.fields import Id, Photo, Price, Request, SceneBody
from engine.serve.schemas import RecommendedItem

Said = Annotated[str, Field(max_length=1_000)]
Name = Annotated[str, Field(max_length=1_000)]
CategoryPath = Annotated[tuple[Name, ...], Field(min_length=1, max_length=30)]


class ConversationBody(BaseModel):
    """What the last answer carried, sent back as it came: the server remembers nothing itself."""

    model_config = ConfigDict(extra="forbid")

    said: Annotated[tuple[Said, ...], Field(max_length=50)] = ()
    shown: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    seen: Annotated[tuple[Id, ...], Field(max_length=200)] = ()
    basket: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    options: Annotated[tuple[CategoryPath, ...], Field(max_length=10)] = ()
    chosen: Annotated[tuple[Name, ...], Field(max_length=30)] = ()
    price_below: Price | None = None
    price_above: Price | None = None
    asked: StrictBool = False


class ChatRequest(Request):
    """Body of ``POST /v1/chat``."""

    user_id: Id
    message: Annotated[str, Field(min_length=1, max_length=1_000)]
    conversation: ConversationBody = ConversationBody()
    scene: SceneBody | None = None
    image: Photo | None = None
    k: Annotated[int, Field(strict=True, ge=1, le=20)] = 5


class StepOut(BaseModel):
    """A step of the way to the answer."""

    what: str
    left: int
    """Candidates that were left after it."""


class ChatAnswer(BaseModel):
    """An answer: words, items that exist, and what the next request sends back."""

    text: str
    intent: str
    items: tuple[RecommendedItem, ...]
    question: str | None
    options: tuple[str, ...]
    way: tuple[StepOut, ...]
    by_model: bool
    """Whether a language model chose the tools."""
    conversation: ConversationBody
