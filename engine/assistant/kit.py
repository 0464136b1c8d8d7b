"""The tools as models and other agents see them: a name, what it does, typed arguments, words back.

Answers are short: how many candidates are left, and the first few with id and price. The
candidates themselves stay on the bus.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.assistant.phrases import Phrases
from engine.assistant.tools import Tools
from engine.assistant.wanted import Wanted, understand
from engine.errors import VitrineError
from engine.explain.wording import shorten, tidy

TOLD = 5
TITLE_CHARS = 80
MAX_PHOTO_CHARS = 8_000_000

Words = Annotated[str, Field(min_length=1, max_length=300)]
Price = Annotated[float, Field(ge=0, le=1e9)]
Ids = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=10)
]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchArguments(_Arguments):
    """What to look for, and what it must keep to."""

    words: Words = Field(description="What kind of thing, such as 'red wine' or 'gift for a dad'")
    min_price: Price | None = None
    max_price: Price | None = None
    without: list[Words] = Field(default=[], description="Words that must not be in a title")


class PhotoArguments(_Arguments):
    """A photo to look for, and words that say what of it."""

    words: Words | None = Field(default=None, description="What else it should be, such as 'red'")
    photo: Annotated[str, Field(min_length=4, max_length=MAX_PHOTO_CHARS)] | None = Field(
        default=None, description="A picture file in base64; without it, the shopper's own photo"
    )
    min_price: Price | None = None
    max_price: Price | None = None
    without: list[Words] = Field(default=[], description="Words that must not be in a title")


class SceneArguments(_Arguments):
    """The moment to recommend for."""

    scene: Words = Field(description="Such as 'Friday evening, friends come, barbecue'")


class NarrowArguments(_Arguments):
    """Further conditions for what was found; all of those given must hold."""

    category: Words | None = None
    brand: Words | None = None
    min_price: Price | None = None
    max_price: Price | None = None
    without: list[Words] = Field(default=[], description="Words that must not be in a title")


class SortArguments(_Arguments):
    """Order by price."""

    dearest_first: bool = False


class ItemsArguments(_Arguments):
    """Items by id."""

    item_ids: Ids


class NoArguments(_Arguments):
    """Nothing."""


@dataclass(slots=True)
class Session:
    """One shopper's tools while a model works with them."""

    tools: Tools
    wanted: Wanted
    basket: list[str] = field(default_factory=list)
    photo: bytes | None = None
    """That the shopper's message came with."""
    saw_photo: bool = False
    """Whether a tool looked for what is like it."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of the kit."""

    name: str
    about: str
    arguments: type[_Arguments]
    run: Callable[[Session, Any], str]


def call_tool(session: Session, name: str, arguments: object) -> str:
    """Call a tool by name; whatever is wrong with the call is told, not raised.

    Returns:
        What the tool tells; "error: ..." where the call could not be carried out.
    """
    tool = KIT.get(name)
    if tool is None:
        return f"error: no tool {name!r}; expected one of {', '.join(KIT)}"
    try:
        checked = tool.arguments.model_validate(arguments)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}"
            for one in error.errors()
        )
        return f"error: {wrong}"
    try:
        return tool.run(session, checked)
    except (VitrineError, ValueError) as error:
        return f"error: {error}"


def _told(session: Session) -> str:
    """What is on the bus, in a few words."""
    found = session.tools.bus.found
    lines = [
        f"[{one.item.item_id}] {shorten(tidy(one.item.title), TITLE_CHARS)}"
        f", {'no price' if one.item.price is None else f'{one.item.price:.2f}'}"
        for one in found[:TOLD]
    ]
    return "\n".join([f"{len(found)} candidates", *lines])


def _search(session: Session, given: SearchArguments) -> str:
    engine = session.tools.engine
    wanted = understand(given.words, session.tools.shelf, country=engine.dataset_settings.country)
    wanted = replace(wanted, words=wanted.words or given.words)
    session.wanted = _with(wanted, given, session)
    session.tools.find(session.wanted)
    return _told(session)


def _photo(session: Session, given: PhotoArguments) -> str:
    photo = session.photo if given.photo is None else _decoded(given.photo)
    if photo is None:
        raise ValueError("there is no photo: the shopper sent none, and the argument is empty")
    engine = session.tools.engine
    words = given.words or ""
    wanted = understand(words, session.tools.shelf, country=engine.dataset_settings.country)
    session.wanted = _with(wanted, given, session)
    session.tools.find(session.wanted, image=photo)
    session.saw_photo = session.saw_photo or given.photo is None
    return _told(session)


def _decoded(photo: str) -> bytes:
    try:
        return base64.b64decode(photo, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("photo: expected the bytes of a picture file in base64") from error


def _recommend(session: Session, given: SceneArguments) -> str:
    engine = session.tools.engine
    wanted = understand(given.scene, session.tools.shelf, country=engine.dataset_settings.country)
    session.wanted = replace(wanted, words=None)
    session.tools.find(session.wanted)
    return _told(session)


def _narrow(session: Session, given: NarrowArguments) -> str:
    tools = session.tools
    if given.min_price is not None or given.max_price is not None:
        low, high = given.min_price or 0.0, given.max_price
        tools.bus.keep(
            lambda item: (
                item.price is not None
                and low <= item.price
                and (high is None or item.price <= high)
            ),
            "price",
        )
    if given.brand is not None:
        wanted = given.brand.casefold()
        tools.bus.keep(lambda item: (item.brand or "").casefold() == wanted, given.brand)
    if given.category is not None:
        name = given.category.casefold()
        tools.bus.keep(
            lambda item: any(name in part.casefold() for part in item.categories), given.category
        )
    tools.refuse(_with(Wanted("", session.wanted.scene), given, session))
    return _told(session)


def _with(
    wanted: Wanted, given: SearchArguments | PhotoArguments | NarrowArguments, session: Session
) -> Wanted:
    """A wish with the bounds and refusals of a call."""
    low, high = given.min_price, given.max_price
    if low is not None and high is not None and low > high:
        raise ValueError(f"got min_price {low:g} above max_price {high:g}, expected them in order")
    bounds = {
        name: price
        for name, price in (("price_min", low), ("price_max", high))
        if price is not None
    }
    refused = (
        understand(f"not {', not '.join(given.without)}", session.tools.shelf)
        if given.without
        else None
    )
    return replace(
        wanted,
        scene=wanted.scene.model_copy(update=bounds),
        not_words=wanted.not_words | (refused.not_words if refused else frozenset()),
        not_brands=wanted.not_brands | (refused.not_brands if refused else frozenset()),
    )


def _sort(session: Session, given: SortArguments) -> str:
    session.tools.sort_by_price(dearest_first=given.dearest_first)
    return _told(session)


def _goes_with(session: Session, given: ItemsArguments) -> str:
    session.tools.goes_with(given.item_ids)
    return _told(session)


def _similar(session: Session, given: ItemsArguments) -> str:
    session.tools.similar(given.item_ids[0])
    return _told(session)


def _why(session: Session, given: ItemsArguments) -> str:
    found = session.tools.why(given.item_ids, session.wanted.scene)
    return "\n".join(f"[{one.item.item_id}] {one.reason}" for one in found) or "no such items"


def _compare(session: Session, given: ItemsArguments) -> str:
    found = session.tools.why(given.item_ids, session.wanted.scene)
    return Phrases(chinese=False).pair(found) or "no such items"


def _portrait(session: Session, given: NoArguments) -> str:
    return Phrases(chinese=False).portrait(session.tools.portrait())


def _take(session: Session, given: ItemsArguments) -> str:
    items = [session.tools.item(item_id) for item_id in given.item_ids]
    session.basket = list(dict.fromkeys([*session.basket, *(item.item_id for item in items)]))
    return _basket(session, NoArguments())


def _basket(session: Session, given: NoArguments) -> str:
    items = [session.tools.item(item_id) for item_id in session.basket]
    return Phrases(chinese=False).basket(items)


_TOOLS = (
    Tool("search", "Find items by words; begins a new set.", SearchArguments, _search),
    Tool("search_by_photo", "Find what is like a photo; begins a new set.", PhotoArguments, _photo),
    Tool("recommend", "Find items for a moment; begins a new set.", SceneArguments, _recommend),
    Tool("narrow", "Keep only candidates that meet conditions.", NarrowArguments, _narrow),
    Tool("sort_by_price", "Order the candidates by price.", SortArguments, _sort),
    Tool("goes_with", "Find what goes with items; begins a new set.", ItemsArguments, _goes_with),
    Tool("similar", "Find what is like an item; begins a new set.", ItemsArguments, _similar),
    Tool("why", "Say why items suit the shopper.", ItemsArguments, _why),
    Tool("compare", "Compare items: price, brand, category, reason.", ItemsArguments, _compare),
    Tool("portrait", "Say what the shopper mostly takes.", NoArguments, _portrait),
    Tool("add_to_basket", "Put items into the basket.", ItemsArguments, _take),
    Tool("show_basket", "Say what is in the basket.", NoArguments, _basket),
)  # fmt: skip
KIT = {tool.name: tool for tool in _TOOLS}
"""Tools by name."""
