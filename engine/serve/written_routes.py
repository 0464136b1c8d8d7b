"""``POST /v1/recommend``: a list with the reasons of the rules, or with written ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Body, HTTPException, Request, Response

from engine.explain.writers import Source, Task, Written
from engine.serve import examples
from engine.serve.desk import Desk
from engine.serve.event_stream import AS_A_STREAM, OPENED, event, streamed, wants_stream
from engine.serve.problems import problem_of
from engine.serve.schemas import ListAnswer, Reasons, RecommendRequest
from engine.serve.scribe import Scribe
from engine.serve.written_schemas import (
    ReasonWritten,
    SheetedAnswer,
    Writing,
    WrittenAnswer,
    WrittenSlot,
)


def recommend_routes(desk: Desk, scribe: Scribe) -> APIRouter:
    """The list that most calls ask for."""
    router = APIRouter(prefix="/v1", tags=["lists"])

    @router.post("/recommend", response_model=WrittenAnswer, responses=AS_A_STREAM)
    async def recommend(
        body: Annotated[RecommendRequest, Body(openapi_examples=examples.RECOMMEND)],
        request: Request,
    ) -> WrittenAnswer | Response:
        """The best items for a user in a scene, each with its reason.

        With ``"reasons": "written"`` the configured language model words them, all in one call, and
        each sentence is checked against what is known. ``Accept: text/event-stream`` then gets
        the list at once, and the sentences as they are written.
        """
        if body.reasons is Reasons.RULES:
            return await desk.ask_for_list(body)
        if wants_stream(request):
            return streamed(_events(desk, scribe, body))
        return await _whole(desk, scribe, body)

    return router


async def _whole(desk: Desk, scribe: Scribe, body: RecommendRequest) -> WrittenAnswer:
    """The list, when all its sentences are there."""
    listed, tasks = await _listed(desk, scribe, body)
    found = [written async for written in scribe.write(tasks, _locale(body))]
    return _worded(listed, found, scribe.trouble)


async def _events(desk: Desk, scribe: Scribe, body: RecommendRequest) -> AsyncIterator[str]:
    """``open``, ``list`` with the reasons of the rules, each ``reason``, and ``done``.

    ``problem`` ends the stream where there is no list.
    """
    yield OPENED
    try:
        listed, tasks = await _listed(desk, scribe, body)
    except HTTPException as error:
        yield event("problem", problem_of(error))
        return
    yield event("list", listed)
    found = []
    async for written in scribe.write(tasks, _locale(body)):
        found.append(written)
        slot = listed.items[written.at]
        told = ReasonWritten(
            rank=slot.rank,
            item_id=slot.item.item_id,
            reason=written.text,
            reason_by=written.source,
            replaced=written.why,
        )
        yield event("reason", told)
    yield event("done", _writing(found, len(listed.items), scribe.trouble))


async def _listed(
    desk: Desk, scribe: Scribe, body: RecommendRequest
) -> tuple[WrittenAnswer, tuple[Task, ...]]:
    """The list with the reasons of the rules, and what a model is asked to word."""
    if scribe.trouble is not None:
        plain = body.model_copy(update={"reasons": Reasons.RULES})
        return _by_rules(await desk.ask(plain, ListAnswer)), ()
    sheeted = await desk.ask(body, SheetedAnswer)
    reasons = (slot.reason for slot in sheeted.items)
    tasks = tuple(Task(*pair) for pair in zip(sheeted.sheets, reasons, strict=True))
    return _by_rules(sheeted), tasks


def _by_rules(listed: ListAnswer) -> WrittenAnswer:
    slots = tuple(WrittenSlot(**dict(slot)) for slot in listed.items)
    return WrittenAnswer(
        request_id=listed.request_id, run_id=listed.run_id, took_ms=listed.took_ms, items=slots
    )


def _worded(listed: WrittenAnswer, found: Sequence[Written], trouble: str | None) -> WrittenAnswer:
    slots = list(listed.items)
    for one in found:
        update = {"reason": one.text, "reason_by": one.source, "replaced": one.why}
        slots[one.at] = slots[one.at].model_copy(update=update)
    writing = _writing(found, len(slots), trouble)
    return listed.model_copy(update={"items": tuple(slots), "writing": writing})


def _writing(found: Sequence[Written], n: int, trouble: str | None) -> Writing:
    by_model = sum(one.source is Source.MODEL for one in found)
    from_cache = sum(one.source is Source.CACHE for one in found)
    return Writing(
        by_model=by_model, from_cache=from_cache, by_rules=n - by_model - from_cache, note=trouble
    )


def _locale(body: RecommendRequest) -> str | None:
    return None if body.scene is None else body.scene.locale
