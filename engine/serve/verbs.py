"""What an engine worker does with each call: the wire on one side, the engine on the other."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import singledispatch
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from engine.recommend import Engine
from engine.recommendation import Answer, Recommendation
from engine.serve.schemas import (
    Call,
    ComplementsRequest,
    EventBody,
    HealthAnswer,
    HealthRequest,
    ItemAnswer,
    ItemRequest,
    ListAnswer,
    ObserveAnswer,
    ObserveRequest,
    OptionsAnswer,
    OptionsRequest,
    PictureAnswer,
    PictureRequest,
    RecommendedItem,
    RecommendRequest,
    SearchRequest,
    ShopperOut,
    ShoppersAnswer,
    ShoppersRequest,
    SimilarRequest,
)
from engine.types import Event, Item

OCCASIONS = (
    "barbecue",
    "birthday",
    "breakfast",
    "christmas",
    "dinner party",
    "game night",
    "halloween",
    "new baby",
    "picnic",
    "school lunch",
    "thanksgiving",
)


@singledispatch
def answer(call: Call, engine: Engine) -> BaseModel:
    """Answer one call.

    Raises:
        VitrineError: The call names something that the run does not hold.
    """
    raise TypeError(f"no verb answers {type(call).__name__}")


@answer.register
def _(call: RecommendRequest, engine: Engine) -> ListAnswer:
    return _timed(
        engine,
        lambda: engine.answer(
            call.user_id, call.scene, k=call.k, exclude=call.exclude, new_only=call.new_only
        ),
    )


@answer.register
def _(call: SearchRequest, engine: Engine) -> ListAnswer:
    return _timed(
        engine, lambda: _unlogged(engine.search(text=call.text, image=call.image, k=call.k))
    )


@answer.register
def _(call: SimilarRequest, engine: Engine) -> ListAnswer:
    return _timed(
        engine, lambda: _unlogged(engine.similar(call.item_id, k=call.k, likeness=call.likeness))
    )


@answer.register
def _(call: ComplementsRequest, engine: Engine) -> ListAnswer:
    of = call.item_ids if call.image is None else call.image
    return _timed(engine, lambda: _unlogged(engine.complements(of, k=call.k)))


@answer.register
def _(call: ItemRequest, engine: Engine) -> ItemAnswer:
    item = engine.item(call.item_id)
    return ItemAnswer(item=item, picture=_picture_url(engine, item))


@answer.register
def _(call: PictureRequest, engine: Engine) -> PictureAnswer:
    path = engine.picture_path(call.item_id)
    return PictureAnswer(path=None if path is None else str(path.resolve()))


@answer.register
def _(call: ShoppersRequest, engine: Engine) -> ShoppersAnswer:
    return ShoppersAnswer(
        shoppers=tuple(
            ShopperOut(user_id=s.user_id, events=s.events, summary=s.summary)
            for s in engine.shoppers(limit=call.limit)
        )
    )


@answer.register
def _(call: OptionsRequest, engine: Engine) -> OptionsAnswer:
    settings = engine.dataset_settings
    return OptionsAnswer(
        run_id=engine.run_id,
        name=settings.name,
        time_zone=settings.time_zone,
        as_of=engine.as_of.astimezone(ZoneInfo(settings.time_zone)),
        places=tuple(engine.places()),
        occasions=OCCASIONS,
        attribution=settings.attribution,
        terms=settings.terms,
    )


@answer.register
def _(call: ObserveRequest, engine: Engine) -> ObserveAnswer:
    zone = ZoneInfo(engine.dataset_settings.time_zone)
    now = datetime.now(UTC)
    stored = engine.observe([_event(body, zone, now) for body in call.events])
    return ObserveAnswer(received=len(call.events), stored=stored)


@answer.register
def _(call: HealthRequest, engine: Engine) -> HealthAnswer:
    engine.store.log_impressions()  # writes no row, but takes the write lock as a row would
    return HealthAnswer(
        status="ok", run_id=engine.run_id, store="writable", workers_ready=0, workers=0
    )


def _timed(engine: Engine, ask: Callable[[], Answer]) -> ListAnswer:
    started = time.perf_counter()
    found = ask()
    took_ms = (time.perf_counter() - started) * 1_000
    return ListAnswer(
        request_id=found.request_id,
        run_id=engine.run_id,
        took_ms=round(took_ms, 2),
        items=tuple(_slot(engine, r) for r in found.recommendations),
    )


def _unlogged(found: Sequence[Recommendation]) -> Answer:
    return Answer(uuid.uuid4().hex, tuple(found))


def _slot(engine: Engine, recommendation: Recommendation) -> RecommendedItem:
    return RecommendedItem(
        item=recommendation.item,
        picture=_picture_url(engine, recommendation.item),
        rank=recommendation.rank,
        score=recommendation.score,
        probability=recommendation.probability,
        reason=recommendation.reason,
        evidence=recommendation.evidence,
        trace=recommendation.trace,
    )


def _picture_url(engine: Engine, item: Item) -> str | None:
    if item.image is not None and item.image.startswith(("https://", "http://")):
        return item.image
    if engine.picture_path(item.item_id) is None:
        return None
    return f"/pictures/{quote(item.item_id, safe='')}"


def _event(body: EventBody, zone: ZoneInfo, now: datetime) -> Event:
    moment = body.timestamp or now
    return Event(
        user_id=body.user_id,
        item_id=body.item_id,
        kind=body.kind,
        timestamp=moment.replace(tzinfo=zone) if moment.tzinfo is None else moment,
        event_id=body.event_id,
        value=body.value,
        session_id=body.session_id,
        place=body.place,
        request_id=body.request_id,
    )
