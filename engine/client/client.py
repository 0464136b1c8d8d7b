"""The calls of the REST interface as methods."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter

from engine.client.connection import Connection, Query
from engine.scene import Scene
from engine.serve.fields import FiltersBody, RecentEvent
from engine.serve.item_schemas import ItemBody, ItemChangesBody, StoredItemAnswer
from engine.serve.people_schemas import (
    ErasedAnswer,
    ExplainAnswer,
    PortraitAnswer,
    RankAnswer,
    SceneAnswer,
)
from engine.serve.schemas import (
    ItemAnswer,
    ListAnswer,
    ObserveAnswer,
    OptionsAnswer,
    Reasons,
    ShoppersAnswer,
)
from engine.serve.written_schemas import WrittenAnswer
from engine.types import Event, Likeness

_EVENTS = TypeAdapter(tuple[Event, ...])


class Client:
    """A shop's connection to a server. Safe for threads."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect when first asked.

        Args:
            url: Such as ``http://127.0.0.1:8000``.
            key: API key.
            timeout_s: For each answer.
            retries: Times that a call which may be answered twice is sent again, after 429 or
                503 with ``Retry-After``.
            transport: In place of the network.
        """
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)
        self._server = Connection(http, retries)

    def close(self) -> None:
        """Let go of the connection."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def recommend(
        self,
        user_id: str,
        scene: Scene | None = None,
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        new_only: bool = False,
        filters: FiltersBody | None = None,
        events: Sequence[RecentEvent] = (),
        explain: bool = True,
        reasons: Reasons = Reasons.RULES,
    ) -> WrittenAnswer:
        """The best items for a user in a scene; see :meth:`engine.recommend.Engine.recommend`.

        With ``reasons`` written, a language model words them, where the server has one.

        Raises:
            ApiError: The server refused, as from every method here.
        """
        body = _body(
            user_id=user_id,
            scene=scene,
            k=k,
            exclude=list(exclude),
            new_only=new_only,
            filters=filters,
            events=[_json(event) for event in events],
            explain=explain,
            reasons=str(reasons),
        )
        return self._server.ask("POST", "/v1/recommend", WrittenAnswer, body=body)

    def rank(
        self,
        user_id: str,
        item_ids: Sequence[str],
        scene: Scene | None = None,
        *,
        k: int | None = None,
        events: Sequence[RecentEvent] = (),
    ) -> RankAnswer:
        """Given items in the order that suits a user; unknown ids are named."""
        listed = [_json(event) for event in events]
        body = _body(user_id=user_id, item_ids=list(item_ids), scene=scene, k=k, events=listed)
        return self._server.ask("POST", "/v1/rank", RankAnswer, body=body)

    def search(
        self,
        text: str | None = None,
        image: bytes | None = None,
        *,
        k: int = 10,
        user_id: str | None = None,
        scene: Scene | None = None,
        filters: FiltersBody | None = None,
    ) -> ListAnswer:
        """Items that match words, a photo, or both; of a user's taste where one is named."""
        body = _body(text=text, image=image, k=k, user_id=user_id, scene=scene, filters=filters)
        return self._server.ask("POST", "/v1/search", ListAnswer, body=body)

    def similar(
        self,
        item_id: str,
        *,
        k: int = 10,
        likeness: Likeness = Likeness.ALL,
        filters: FiltersBody | None = None,
    ) -> ListAnswer:
        """Items like one item.

        Raises:
            ValueError: The filters have a list of ids in ``only``, which this call cannot carry.
        """
        query: Query = {"k": k, "likeness": str(likeness), **_as_query(filters)}
        return self._server.ask("GET", f"{_item(item_id)}/similar", ListAnswer, query=query)

    def complements(
        self, of: str | Sequence[str] | bytes, *, k: int = 10, filters: FiltersBody | None = None
    ) -> ListAnswer:
        """What goes with an item, a basket of items, or the photo of a room."""
        image = of if isinstance(of, bytes) else None
        ids = None if isinstance(of, bytes) else [of] if isinstance(of, str) else list(of)
        body = _body(item_ids=ids, image=image, k=k, filters=filters)
        return self._server.ask("POST", "/v1/complements", ListAnswer, body=body)

    def observe(self, *events: Event) -> ObserveAnswer:
        """Store events: all, or none. Each gets an id if it has none, so that it counts once."""
        rows = _EVENTS.dump_python(events, mode="json", exclude_none=True)
        named = [{"event_id": uuid.uuid4().hex, **row} for row in rows]
        return self._server.ask("POST", "/v1/events", ObserveAnswer, body=named)

    def item(self, item_id: str) -> ItemAnswer:
        """One item."""
        return self._server.ask("GET", _item(item_id), ItemAnswer)

    def put_item(
        self, item_id: str, item: ItemBody, picture: bytes | None = None
    ) -> StoredItemAnswer:
        """Offer an item, or put another record in the place of its own."""
        body = _with_picture(item, picture)
        return self._server.ask("PUT", _item(item_id), StoredItemAnswer, body=body)

    def patch_item(
        self, item_id: str, changes: ItemChangesBody, picture: bytes | None = None
    ) -> StoredItemAnswer:
        """Change what is named of an item. Never sent twice."""
        body = _with_picture(changes, picture)
        return self._server.ask("PATCH", _item(item_id), StoredItemAnswer, body=body, again=False)

    def remove_item(self, item_id: str) -> None:
        """Withdraw an item."""
        self._server.send("DELETE", _item(item_id))

    def picture(self, item_id: str) -> bytes:
        """The picture of an item."""
        return self._server.send("GET", f"/pictures/{quote(item_id, safe='')}").content

    def user(self, user_id: str) -> PortraitAnswer:
        """A user's portrait."""
        return self._server.ask("GET", _user(user_id), PortraitAnswer)

    def erase_user(self, user_id: str) -> ErasedAnswer:
        """Forget a user."""
        return self._server.ask("DELETE", _user(user_id), ErasedAnswer)

    def explain(self, user_id: str, item_id: str, scene: Scene | None = None) -> ExplainAnswer:
        """What speaks for an item to a user in a scene."""
        body = _body(user_id=user_id, item_id=item_id, scene=scene)
        return self._server.ask("POST", "/v1/explain", ExplainAnswer, body=body)

    def scene(
        self,
        text: str,
        *,
        headers: Mapping[str, str] | None = None,
        time: datetime | None = None,
        country: str | None = None,
    ) -> SceneAnswer:
        """The scene that words and a shopper's headers tell of."""
        body = _body(text=text, headers=dict(headers or {}), time=time, country=country)
        return self._server.ask("POST", "/v1/scene", SceneAnswer, body=body)

    def shoppers(self, limit: int = 50) -> ShoppersAnswer:
        """Users with the most events."""
        return self._server.ask("GET", "/v1/shoppers", ShoppersAnswer, query={"limit": limit})

    def scene_options(self) -> OptionsAnswer:
        """What a scene can be made of, and whose data this is."""
        return self._server.ask("GET", "/v1/scene-options", OptionsAnswer)


def _item(item_id: str) -> str:
    return f"/v1/items/{quote(item_id, safe='')}"


def _user(user_id: str) -> str:
    return f"/v1/users/{quote(user_id, safe='')}"


def _body(**fields: object) -> dict[str, object]:
    """Fields as JSON, without those that are None."""
    return {name: _json(value) for name, value in fields.items() if value is not None}


def _json(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Scene):
        known = value.model_dump(mode="json", exclude={"image"}, exclude_none=True)
        return known if value.image is None else {**known, "image": _json(value.image)}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    return value


def _with_picture(body: ItemChangesBody, picture: bytes | None) -> dict[str, object]:
    known = body.model_dump(mode="json", exclude_unset=True, exclude={"picture"})
    own = picture if picture is not None else body.picture
    return known if own is None else {**known, "picture": _json(own)}


def _as_query(filters: FiltersBody | None) -> dict[str, str | int | list[str]]:
    """Filters as parameters of a query."""
    if filters is None:
        return {}
    if filters.only:
        raise ValueError("similar takes no list of ids in filters.only: use rank for such a list")
    named = filters.model_dump(exclude_defaults=True, exclude={"only"})
    pairs = [f"{name}={value}" for name, value in named.pop("attributes", {}).items()]
    found = {
        name: list(value) if isinstance(value, tuple) else str(value)
        for name, value in named.items()
    }
    return {**found, **({"attributes": pairs} if pairs else {})}
