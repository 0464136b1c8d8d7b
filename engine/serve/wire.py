"""Between the wire and the engine: bodies to records, records to answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

from engine.filters import Filters
from engine.recommend import Engine
from engine.recommendation import Recommendation
from engine.scene import Scene
from engine.serve.fields import FiltersBody, RecentEvent
from engine.serve.schemas import EventBody, RecommendedItem
from engine.types import Event, Item

JUST_BEFORE = timedelta(seconds=1)


def filters_of(body: FiltersBody | None) -> Filters | None:
    """The conditions of a body."""
    return None if body is None else Filters(**dict(body))


def event_of(body: EventBody, zone: ZoneInfo, now: datetime) -> Event:
    """An event to be stored; its time is the shop's local time where it names no zone."""
    event = _event(body, body.user_id, zone, body.timestamp or now)
    return replace(event, event_id=body.event_id, request_id=body.request_id)


def recent_events(
    engine: Engine, user_id: str, scene: Scene | None, bodies: Sequence[RecentEvent]
) -> list[Event]:
    """The events of a request; those without a time lie just before its moment, in order."""
    if not bodies:
        return []
    zone = engine.run.zone
    now = (scene or Scene()).at(zone).astimezone(UTC)
    return [
        _event(body, user_id, zone, body.timestamp or now - JUST_BEFORE * (len(bodies) - at))
        for at, body in enumerate(bodies)
    ]


def _event(body: RecentEvent, user_id: str, zone: ZoneInfo, at: datetime) -> Event:
    return Event(
        user_id=user_id,
        item_id=body.item_id,
        kind=body.kind,
        timestamp=at.replace(tzinfo=zone) if at.tzinfo is None else at,
        value=body.value,
        session_id=body.session_id,
        place=body.place,
    )


def slots_of(
    engine: Engine, recommendations: Sequence[Recommendation]
) -> tuple[RecommendedItem, ...]:
    """The slots of a list."""
    return tuple(
        RecommendedItem(
            item=one.item,
            picture=picture_url(engine, one.item),
            rank=one.rank,
            score=one.score,
            probability=one.probability,
            reason=one.reason,
            evidence=one.evidence,
            trace=one.trace,
        )
        for one in recommendations
    )


def picture_url(engine: Engine, item: Item) -> str | None:
    """Where a page finds the picture of an item."""
    if item.image is not None and item.image.startswith(("https://", "http://")):
        return item.image
    if not engine.has_picture(item):
        return None
    return f"/pictures/{quote(item.item_id, safe='')}"
