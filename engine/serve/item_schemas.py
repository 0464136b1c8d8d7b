"""Changes of items over the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StrictBool, StringConstraints, model_validator

from engine.serve.fields import Id, Photo, Price, Request
from engine.serve.schemas import ItemAnswer

MAX_PICTURE_BYTES = 5_000_000
_TEXT = r"^[^\x00]*$"

Title = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$")
]
Prose = Annotated[str, StringConstraints(max_length=10_000, pattern=_TEXT)]
Picture = Annotated[Photo, Field(max_length=MAX_PICTURE_BYTES)]
PictureUrl = Annotated[
    str, StringConstraints(min_length=8, max_length=2_000, pattern=r"^https?://[!-~]+$")
]


class ItemChangesBody(Request):
    """Body of ``PATCH /v1/items/{item_id}``: what is not named stays."""

    title: Title | None = None
    description: Prose | None = None
    categories: Annotated[tuple[Id, ...], Field(max_length=20)] = ()
    """Path, most general first."""
    brand: Id | None = None
    price: Price | None = None
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] | None = None
    attributes: Annotated[dict[Id, Id], Field(max_length=200)] = Field(default_factory=dict)
    available: StrictBool = True
    picture: Picture | None = None
    """At most 5 MB; what is shown and what the item is found by."""
    picture_url: PictureUrl | None = None
    """Fetched once, and only from an origin that the server's safety settings list."""

    @model_validator(mode="after")
    def _one_picture(self) -> ItemChangesBody:
        if self.picture is not None and self.picture_url is not None:
            raise ValueError("give picture or picture_url, not both")
        if "title" in self.model_fields_set and self.title is None:
            raise ValueError("title cannot be taken away")
        return self


class ItemBody(ItemChangesBody):
    """Body of ``PUT /v1/items/{item_id}``: the whole item. A picture that is not sent stays."""

    title: Title


class PutItemRequest(Request):
    """``PUT /v1/items/{item_id}``."""

    item_id: Id
    body: ItemBody


class PatchItemRequest(Request):
    """``PATCH /v1/items/{item_id}``."""

    item_id: Id
    body: ItemChangesBody


class RemoveItemRequest(Request):
    """``DELETE /v1/items/{item_id}``."""

    item_id: Id


class StoredItemAnswer(ItemAnswer):
    """An item as it is now."""

    created: bool
    """Whether it is new, or back after it was withdrawn."""


class DoneAnswer(BaseModel):
    """What became of a call that answers nothing else."""

    changed: bool
