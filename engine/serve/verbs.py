"""What an engine worker does with each call: the wire on one side, the engine on the other."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import singledispatch
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from engine.recommend import Engine
from engine.recommendation import Answer, Recommendation
from engine.serve.chat_verbs import chat
from engine.serve.item_verbs import patch_item, put_item, remove_item
from engine.serve.people_verbs import erase_user, explain, portrait, rank, scene_of
from engine.serve.policy_verbs import POLICY_VERBS
from engine.serve.schemas import (
    Call,
    ComplementsRequest,
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
    Reasons,
    RecommendRequest,
    SearchRequest,
    ShopperOut,
    ShoppersAnswer,
    ShoppersRequest,
    SimilarRequest,
)
from engine.serve.wire import event_of, filters_of, picture_url, recent_events, slots_of
from engine.serve.written_schemas import SheetedAnswer
from engine.sheets import sheets_of

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
    events = recent_events(engine, call.user_id, call.scene, call.events)
    listed = _timed(
        engine,
        lambda: engine.answer(
            call.user_id,
            call.scene,
            k=call.k,
            exclude=call.exclude,
            new_only=call.new_only,
            filters=filters_of(call.filters),
            events=events,
            explain=call.explain,
        ),
    )
    if call.reasons is Reasons.RULES:
        return listed
    ids = [slot.item.item_id for slot in listed.items]
    return SheetedAnswer(
        **dict(listed), sheets=sheets_of(engine, call.user_id, ids, call.scene, events)
    )


@answer.register
def _(call: SearchRequest, engine: Engine) -> ListAnswer:
    return _timed(
        engine,
        lambda: _unlogged(
            engine.search(
                call.text,
                call.image,
                call.k,
                user_id=call.user_id,
                scene=call.scene,
                filters=filters_of(call.filters),
            )
        ),
    )


@answer.register
def _(call: SimilarRequest, engine: Engine) -> ListAnswer:
    filters = filters_of(call.filters)
    return _timed(
        engine,
        lambda: _unlogged(
            engine.similar(call.item_id, k=call.k, likeness=call.likeness, filters=filters)
        ),
    )


@answer.register
def _(call: ComplementsRequest, engine: Engine) -> ListAnswer:
    of = call.item_ids if call.image is None else call.image
    filters = filters_of(call.filters)
    return _timed(engine, lambda: _unlogged(engine.complements(of, k=call.k, filters=filters)))


@answer.register
def _(call: ItemRequest, engine: Engine) -> ItemAnswer:
    item = engine.item(call.item_id)
    return ItemAnswer(item=item, picture=picture_url(engine, item))


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
    stored = engine.observe([event_of(body, zone, now) for body in call.events])
    return ObserveAnswer(received=len(call.events), stored=stored)


for verb in (
    put_item,
    patch_item,
    remove_item,
    rank,
    explain,
    portrait,
    erase_user,
    scene_of,
    chat,
    *POLICY_VERBS,
):
    answer.register(verb)


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
        items=slots_of(engine, found.recommendations),
    )


def _unlogged(found: Sequence[Recommendation]) -> Answer:
    return Answer(uuid.uuid4().hex, tuple(found))
