"""What an engine worker does with calls about users, reasons and scenes."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict
from datetime import UTC, datetime

from engine.errors import DataError
from engine.explaining import explain_items
from engine.recommend import Engine
from engine.recommendation import Walk
from engine.scene import Scene
from engine.scene_headers import HeaderScene, scene_from_headers
from engine.scene_parse import read_scene
from engine.serve.people_schemas import (
    ErasedAnswer,
    EraseUserRequest,
    ExplainAnswer,
    ExplainRequest,
    IgnoredOut,
    MovedOut,
    PastOut,
    PortraitAnswer,
    RankAnswer,
    RankRequest,
    SceneAnswer,
    SceneRequest,
    ShareOut,
    SpanOut,
    UserRequest,
)
from engine.serve.wire import picture_url, recent_events, slots_of
from engine.walks import explain_paths


def rank(call: RankRequest, engine: Engine) -> RankAnswer:
    """Put given items in the order of a user."""
    started = time.perf_counter()
    events = recent_events(engine, call.user_id, call.scene, call.events)
    found = engine.rank(call.user_id, call.item_ids, call.scene, call.k, events)
    took_ms = (time.perf_counter() - started) * 1_000
    return RankAnswer(
        request_id=uuid.uuid4().hex,
        run_id=engine.run_id,
        took_ms=round(took_ms, 2),
        items=slots_of(engine, found.recommendations),
        unknown=found.unknown,
    )


def explain(call: ExplainRequest, engine: Engine) -> ExplainAnswer:
    """Say what speaks for an item to a user."""
    found = engine.explain(call.user_id, call.item_id, call.scene)
    return ExplainAnswer(
        item=found.item,
        picture=picture_url(engine, found.item),
        score=found.score,
        probability=found.probability,
        reason=found.reason,
        evidence=found.evidence,
        trace=found.trace,
        paths=_paths(engine, call.user_id, call.item_id),
        moved=_moved(engine, call) if call.shares else None,
    )


def portrait(call: UserRequest, engine: Engine) -> PortraitAnswer:
    """Portray a user."""
    return PortraitAnswer.model_validate(engine.portrait(call.user_id), from_attributes=True)


def erase_user(call: EraseUserRequest, engine: Engine) -> ErasedAnswer:
    """Forget a user."""
    erased = engine.erase_user(call.user_id, by=call.asked_by)
    return ErasedAnswer(events=erased.events, impressions=erased.impressions)


def scene_of(call: SceneRequest, engine: Engine) -> SceneAnswer:
    """Read a scene from words and headers; what the words say comes first."""
    settings, zone = engine.dataset_settings, engine.run.zone
    now = call.time or datetime.now(UTC)
    now = now.replace(tzinfo=zone) if now.tzinfo is None else now.astimezone(zone)
    told = scene_from_headers(call.headers or {}, now, call.country)
    reading = read_scene(
        call.text,
        now=told.scene.time or now,
        country=told.scene.country or settings.country,
        locale=told.scene.locale,
    )
    return SceneAnswer(
        scene=_joined(told, reading.scene),
        spans=tuple(SpanOut(**asdict(span)) for span in reading.spans),
        ignored=tuple(IgnoredOut(**asdict(one)) for one in told.ignored),
    )


def _moved(engine: Engine, call: ExplainRequest) -> MovedOut:
    """What made the score: exact shares, and the past items that mattered."""
    (told,) = explain_items(engine, call.user_id, [call.item_id], call.scene)
    return MovedOut(
        score=told.split.score,
        base=told.split.base,
        shares=tuple(ShareOut(group=s.group.value, value=s.value) for s in told.shares),
        past=tuple(PastOut(**asdict(one)) for one in told.past),
    )


def _paths(engine: Engine, user_id: str, item_id: str) -> tuple[Walk, ...]:
    """None for a run of before the names of the nodes were kept."""
    try:
        return explain_paths(engine.run, engine.known_as(user_id), item_id)
    except DataError:
        return ()


def _joined(told: HeaderScene, read: Scene) -> Scene:
    by_headers = told.scene.model_dump(exclude_none=True)
    by_words = read.model_dump(exclude_none=True)
    attributes = {**told.scene.attributes, **read.attributes}
    return Scene.model_validate({**by_headers, **by_words, "attributes": attributes})
