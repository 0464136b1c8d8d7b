"""What the ends of the line say arrives as it was said; what is no message is refused."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from fastapi import HTTPException
from hypothesis import given
from hypothesis import strategies as st

from engine.serve.fields import SceneBody
from engine.serve.item_schemas import ItemChangesBody, PatchItemRequest
from engine.serve.messages import FRAME, Answered, Hello, Spent, Written, framed, unframed
from engine.serve.problems import body_problem
from engine.serve.schemas import EventBody, ObserveRequest, RecommendRequest
from engine.types import EventKind


def sent(message):
    frame = framed(message)
    assert FRAME.unpack(frame[: FRAME.size]) == (len(frame) - FRAME.size,)
    return unframed(frame[FRAME.size :])


@given(st.integers(0, 9), st.integers(1, 99_999), st.text(), st.floats(0, 2e9))
def test_a_greeting_arrives(slot, pid, run_id, since_unix_s):
    hello = Hello(slot, pid, run_id, since_unix_s)
    assert sent(hello) == hello


@given(
    st.binary(min_size=1, max_size=300),
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),
    st.text("abc ü", min_size=1),
)
def test_a_call_arrives_with_its_photo_its_moment_and_its_words(photo, time, query):
    scene = SceneBody.model_construct(_fields_set={"image", "time", "query"})
    scene = scene.model_copy(update={"image": photo, "time": time, "query": query})
    call = RecommendRequest(user_id="ann", k=3).model_copy(update={"scene": scene})
    events = (EventBody(user_id="ann", item_id="x", kind=EventKind.CART, timestamp=time),)
    calls = (("1", call), ("2", ObserveRequest(events=events, listed=True)))
    (_, first), second = sent(calls)
    assert first.scene.image == photo
    assert first.scene.time == time
    assert (first.k, first.user_id) == (3, "ann")
    assert second == calls[1]


def test_a_change_names_what_it_names_and_no_more():
    calls = (("1", PatchItemRequest(item_id="x", body=ItemChangesBody(price=None))),)
    ((_, call),) = sent(calls)
    assert call.body.model_fields_set == {"price"}


def test_an_answer_and_a_problem_arrive():
    spent = Spent((("engine", 0.25),), (("graph", 3),), 2)
    answered = Answered("1", Written(b'{"a": "\\n"}\n'), spent)
    assert sent(answered) == answered
    error = body_problem(422, "no such place", "scene", "place").as_exception()
    failed = sent(Answered("2", error, Spent()))
    assert isinstance(failed.output, HTTPException)
    assert failed.output.status_code == 422
    assert failed.output.detail == json.loads(json.dumps(error.detail))


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("engine.serve.lifeline", "die_with_parent"), ("engine.scene", "Scene")],
)
def test_only_schemas_of_the_server_are_calls(module, name):
    body = b"C" + json.dumps([["1", module, name, "{}"]]).encode()
    with pytest.raises(ValueError, match="expected a schema of this server's"):
        unframed(body)


def test_what_is_no_message_is_refused():
    with pytest.raises(ValueError, match="message of kind b'X'"):
        unframed(b"X{}")
