"""Calls that may be given to a second worker when the first died over them."""

from __future__ import annotations

import uuid

from engine.serve.schemas import Call, EventBody, ObserveRequest


def repeatable(call: Call) -> Call:
    """The call, such that answering it twice does no more than answering it once.

    An event without an id gets one: a worker may have stored it and died before it said so.
    """
    if not isinstance(call, ObserveRequest):
        return call
    return call.model_copy(update={"events": tuple(_named(event) for event in call.events)})


def _named(event: EventBody) -> EventBody:
    if event.event_id is not None:
        return event
    return event.model_copy(update={"event_id": uuid.uuid4().hex})
