"""What the client sends, what it sends again, and what it makes of a refusal."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from engine.client import (
    ApiError,
    Client,
    Event,
    EventKind,
    FiltersBody,
    ItemBody,
    ItemChangesBody,
    Reasons,
    Scene,
)

LIST = {"request_id": "r", "run_id": "run", "took_ms": 1.0, "items": []}
STORED = {"item": {"item_id": "a", "title": "A"}, "picture": None, "created": False}


class Server:
    """Answers as it is told, one answer after the other, and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def body(self, at: int = -1) -> dict:
        return json.loads(self.asked[at].content)

    def client(self, **options: object) -> Client:
        return Client("http://shop", transport=httpx.MockTransport(self), **options)


def busy(status: int, **headers: str) -> httpx.Response:
    problem = {"status": status, "detail": "later"}
    return httpx.Response(status, headers=headers, json=problem)


def answered(body: object = LIST, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


EVENT = Event("ann", "tea", EventKind.VIEW, datetime(2024, 5, 1, tzinfo=UTC))
AGAIN: dict[str, tuple[Callable[[Client], object], object]] = {
    "recommend": (lambda c: c.recommend("u"), LIST),
    "similar": (lambda c: c.similar("a"), LIST),
    "put": (lambda c: c.put_item("a", ItemBody(title="A")), STORED),
    "delete": (lambda c: c.remove_item("a"), None),
    "events": (lambda c: c.observe(EVENT), {"received": 1, "stored": 1}),
}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("name", AGAIN)
def test_what_may_be_answered_twice_is_sent_again(name: str, status: int):
    call, body = AGAIN[name]
    last = httpx.Response(204) if body is None else answered(body)
    server = Server(busy(status, **{"Retry-After": "0"}), last)
    with server.client() as client:
        call(client)
    first, second = server.asked
    assert first.content == second.content, "an event keeps the id that it was given"


def test_a_patch_is_sent_once():
    server = Server(busy(503, **{"Retry-After": "0"}), answered(STORED))
    with server.client() as client, pytest.raises(ApiError, match="503: later"):
        client.patch_item("a", ItemChangesBody(price=1.0))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "refusal", [busy(503), busy(503, **{"Retry-After": "soon"}), busy(500), busy(422), busy(404)]
)
def test_without_a_time_to_come_again_nothing_is_sent_again(refusal: httpx.Response):
    server = Server(refusal)
    with server.client() as client, pytest.raises(ApiError) as caught:
        client.recommend("u")
    assert len(server.asked) == 1
    assert caught.value.status == refusal.status_code


def test_retries_come_to_an_end():
    server = Server(busy(429, **{"Retry-After": "0"}))
    with server.client(retries=3) as client, pytest.raises(ApiError):
        client.scene_options()
    assert len(server.asked) == 4


def test_an_error_carries_the_fields_at_fault():
    problem = {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "two things",
        "errors": [{"detail": "too many", "pointer": "#/k"}, {"detail": "odd", "parameter": "q"}],
    }
    with Server(answered(problem, 422)).client() as client, pytest.raises(ApiError) as caught:
        client.search("x")
    assert str(caught.value) == "422: #/k: too many; q: odd"
    assert caught.value.problem.errors[0].pointer == "#/k"


def test_a_page_of_a_proxy_is_an_error_too():
    server = Server(httpx.Response(502, text="<html>Bad Gateway</html>"))
    with server.client() as client, pytest.raises(ApiError, match="502: <html>"):
        client.user("u")


def test_ids_are_quoted_and_the_key_is_sent():
    server = Server(answered(STORED))
    with server.client(key="secret") as client:
        client.item("a/../b?c#d é")
    assert server.asked[0].url.raw_path == b"/v1/items/a%2F..%2Fb%3Fc%23d%20%C3%A9"
    assert server.asked[0].headers["authorization"] == "Bearer secret"


def test_bodies_are_what_was_said_and_no_more():
    server = Server(answered())
    with server.client() as client:
        scene = Scene(time=datetime(2024, 5, 1, 18, 30), query="tea", image=b"\x89PNG")
        client.recommend("u", scene, filters=FiltersBody(max_price=3.0))
        sent = server.body()
        assert sent["scene"] == {
            "time": "2024-05-01T18:30:00",
            "query": "tea",
            "attributes": {},
            "image": base64.b64encode(b"\x89PNG").decode(),
        }
        assert sent["filters"] == {"max_price": 3.0}
        client.search("tea")
        assert server.body() == {"text": "tea", "k": 10}
        client.complements(b"\x89PNG")
        assert server.body() == {"image": "iVBORw==", "k": 10}
        client.complements("a")
        assert server.body() == {"item_ids": ["a"], "k": 10}


def test_each_event_gets_an_id_and_keeps_its_own():
    server = Server(answered({"received": 2, "stored": 2}))
    with server.client() as client:
        own = Event("ann", "tea", EventKind.CART, EVENT.timestamp, event_id="mine")
        client.observe(EVENT, own)
    first, second = server.body()
    assert len(first["event_id"]) == 32
    assert second["event_id"] == "mine"
    assert first["timestamp"] == "2024-05-01T00:00:00Z"


def test_what_is_taken_away_from_an_item_is_said():
    server = Server(answered(STORED))
    with server.client() as client:
        client.patch_item("a", ItemChangesBody(brand=None, price=2.0), picture=b"abc")
    assert server.body() == {"brand": None, "price": 2.0, "picture": "YWJj"}


def test_filters_of_similar_travel_in_the_query():
    server = Server(answered())
    filters = FiltersBody(brands=("A&B", "C"), max_price=3.5, attributes={"colour": "red"})
    server.client().similar("tea", filters=filters)
    query = server.asked[-1].url.params
    assert query.get_list("brands") == ["A&B", "C"]
    assert float(query["max_price"]) == 3.5
    assert query.get_list("attributes") == ["colour=red"]
    with pytest.raises(ValueError, match="rank"):
        server.client().similar("tea", filters=FiltersBody(only=("a",)))


def test_who_wrote_the_reasons_is_asked_and_told():
    slot = {"by_model": 0, "from_cache": 0, "by_rules": 0, "note": "no model"}
    server = Server(answered({**LIST, "writing": slot}))
    found = server.client().recommend("ann", reasons=Reasons.WRITTEN)
    assert server.body()["reasons"] == "written"
    assert found.writing is not None
    assert found.writing.note == "no model"
