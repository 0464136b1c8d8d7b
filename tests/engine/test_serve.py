"""The server as a shop meets it: real processes, real sockets, a real store."""

from __future__ import annotations

import base64
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from live_server import LiveServer, free_port, start_server, workers

from engine.recommend import Engine
from engine.scene import Scene

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(small_run: Path, store: Path) -> Iterator[LiveServer]:
    running = start_server(small_run, store)
    yield running
    assert running.stop() == 0, running.log.read_text()[-2000:]


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx.Client]:
    with server.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def engine(small_run: Path, store: Path, server: LiveServer) -> Engine:
    return Engine.open(small_run, store_url=f"sqlite:///{store / 'store.db'}")


@pytest.fixture(scope="module")
def shopper(engine: Engine) -> str:
    return engine.shoppers(limit=1)[0].user_id


def moment(engine: Engine) -> str:
    return engine.as_of.astimezone(UTC).isoformat()


def posted(client: httpx.Client, path: str, body: object) -> dict:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def ranked(answer: dict) -> list[tuple[int, str]]:
    return [(slot["rank"], slot["item"]["item_id"]) for slot in answer["items"]]


# ---------------------------------------------------------------- one answer


@pytest.mark.parametrize("new_only", [False, True])
@pytest.mark.parametrize("known", [True, False])
def test_rest_gives_the_list_of_the_engine(client, engine, shopper, known, new_only):
    user = shopper if known else "nobody-has-this-id"
    place = engine.places()[0]
    here = engine.recommend(user, Scene(time=engine.as_of, place=place), k=7, new_only=new_only)
    scene = {"time": moment(engine), "place": place}
    body = {"user_id": user, "scene": scene, "k": 7, "new_only": new_only}
    there = posted(client, "/v1/recommend", body)

    assert ranked(there) == [(r.rank, r.item.item_id) for r in here]
    assert [s["score"] for s in there["items"]] == pytest.approx([r.score for r in here], rel=1e-4)
    assert [s["reason"] for s in there["items"]] == [r.reason for r in here]
    for slot, recommendation in zip(there["items"], here, strict=True):
        assert len(slot["evidence"]) == len(recommendation.evidence)
        assert [c["channel"] for c in slot["trace"]["channels"]] == [
            c.channel for c in recommendation.trace.channels
        ]


def test_excluded_items_stay_out(client, engine, shopper):
    body = {"user_id": shopper, "scene": {"time": moment(engine)}, "k": 5}
    first = [item for _, item in ranked(posted(client, "/v1/recommend", body))]
    then = ranked(posted(client, "/v1/recommend", {**body, "exclude": first}))
    assert not {item for _, item in then} & set(first)


def test_similar_and_search_give_the_lists_of_the_engine(client, engine, shopper):
    some = engine.recommend(shopper, Scene(time=engine.as_of), k=1)[0].item
    there = client.get(f"/v1/items/{some.item_id}/similar", params={"k": 4}).json()
    assert ranked(there) == [(r.rank, r.item.item_id) for r in engine.similar(some.item_id, k=4)]
    found = posted(client, "/v1/search", {"text": some.title, "k": 4})
    here = engine.search(text=some.title, k=4)
    assert ranked(found) == [(r.rank, r.item.item_id) for r in here]


def test_an_item_and_the_choices_of_the_page(client, engine):
    shoppers = client.get("/v1/shoppers", params={"limit": 3}).json()["shoppers"]
    assert [s["user_id"] for s in shoppers] == [s.user_id for s in engine.shoppers(limit=3)]
    assert client.get("/v1/places").json()["places"] == list(engine.places())
    options = client.get("/v1/scene-options").json()
    assert datetime.fromisoformat(options["as_of"]) == engine.as_of
    assert options["attribution"] == engine.dataset_settings.attribution
    item = engine.recommend("anyone", Scene(time=engine.as_of), k=1)[0].item
    assert client.get(f"/v1/items/{item.item_id}").json()["item"]["title"] == item.title


# ---------------------------------------------------------------- events


def test_the_next_request_sees_an_acknowledged_event(client, engine, shopper):
    ask = {"user_id": shopper, "scene": {"time": moment(engine)}, "k": 10}
    before = posted(client, "/v1/recommend", ask)
    item = before["items"][0]["item"]["item_id"]
    earlier = datetime.fromtimestamp(engine.as_of.timestamp() - 60, UTC).isoformat()
    event = {"user_id": shopper, "item_id": item, "kind": "dismiss", "timestamp": earlier}
    assert posted(client, "/v1/events", event) == {"received": 1, "stored": 1}

    after = posted(client, "/v1/recommend", ask)
    assert item not in {i for _, i in ranked(after)}
    here = engine.recommend(shopper, Scene(time=engine.as_of), k=10)
    assert ranked(after) == [(r.rank, r.item.item_id) for r in here]


def test_a_repeated_delivery_is_harmless(client, engine):
    item = engine.recommend("anyone", Scene(time=engine.as_of), k=1)[0].item.item_id
    event = {"event_id": "once", "user_id": "repeat", "item_id": item, "kind": "view"}
    assert posted(client, "/v1/events", event) == {"received": 1, "stored": 1}
    assert posted(client, "/v1/events", [event, event]) == {"received": 2, "stored": 0}


def test_a_batch_is_stored_whole_or_not_at_all(client, engine):
    item = engine.recommend("anyone", Scene(time=engine.as_of), k=1)[0].item.item_id
    good = {"event_id": "whole-0", "user_id": "whole", "item_id": item, "kind": "view"}
    for bad, pointer in [
        ({"event_id": "x", "user_id": "whole", "item_id": "no-such", "kind": "view"}, "item_id"),
        ({"event_id": "x", "user_id": "whole", "item_id": item, "kind": "stare"}, "kind"),
    ]:
        response = client.post("/v1/events", json=[good, bad])
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == f"#/1/{pointer}"
    assert posted(client, "/v1/events", good) == {"received": 1, "stored": 1}


# ---------------------------------------------------------------- callers' mistakes

BAD_RECOMMEND = {
    "no user": ("{}", 422, "#/user_id"),
    "empty user": ('{"user_id": ""}', 422, "#/user_id"),
    "user is a number": ('{"user_id": 7}', 422, "#/user_id"),
    "control character": (r'{"user_id": "a\u0000"}', 422, "#/user_id"),
    "lone surrogate": (r'{"user_id": "\ud800"}', 422, "#/user_id"),
    "k is 0": ('{"user_id": "u", "k": 0}', 422, "#/k"),
    "k is 101": ('{"user_id": "u", "k": 101}', 422, "#/k"),
    "k is text": ('{"user_id": "u", "k": "ten"}', 422, "#/k"),
    "k is true": ('{"user_id": "u", "k": true}', 422, "#/k"),
    "k is NaN": ('{"user_id": "u", "k": NaN}', 422, "#/k"),
    "unreadable time": ('{"user_id": "u", "scene": {"time": "soon"}}', 422, "#/scene/time"),
    "time is a number": ('{"user_id": "u", "scene": {"time": 1e18}}', 422, "#/scene/time"),
    "year 1": (
        '{"user_id": "u", "scene": {"time": "0001-01-01T00:00+14:00"}}',
        422,
        "#/scene/time",
    ),
    "too hot": ('{"user_id": "u", "scene": {"temperature": NaN}}', 422, "#/scene/temperature"),
    "photo not base64": ('{"user_id": "u", "scene": {"image": "é"}}', 422, "#/scene/image"),
    "unknown scene field": ('{"user_id": "u", "scene": {"mood": "x"}}', 422, "#/scene/mood"),
    "unknown field": ('{"user_id": "u", "kk": 3}', 422, "#/kk"),
    "a list": ("[]", 422, "#"),
    "malformed": ('{"user_id": "u"', 400, None),
    "not UTF-8": (b'{"user_id": "\xff"}', 400, None),
    "empty": ("", 422, "#"),
    "nested too deep": ("[" * 100_000, 400, None),
}


@pytest.mark.parametrize("case", BAD_RECOMMEND)
def test_a_bad_recommend_names_its_field(client, case):
    body, status, pointer = BAD_RECOMMEND[case]
    content = body.encode() if isinstance(body, str) else body
    response = client.post(
        "/v1/recommend", content=content, headers={"content-type": "application/json"}
    )
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    problem = response.json()
    assert problem["status"] == status
    assert problem["detail"]
    if pointer is not None:
        assert pointer in {e["pointer"] for e in problem["errors"]}


EVENT = '{"user_id": "u", "item_id": "i", "kind": "cart"'
BAD_EVENTS = {
    "unknown kind": (EVENT.replace("cart", "steal") + "}", "#/kind"),
    "NaN value": (EVENT + ', "value": NaN}', "#/value"),
    "infinite value": (EVENT + ', "value": 1e999}', "#/value"),
    "unreadable time": (EVENT + ', "timestamp": "yesterday"}', "#/timestamp"),
    "unknown item": (EVENT + "}", "#/item_id"),
    "in a list": (f'[{EVENT}, "value": "x"}}]', "#/0/value"),
    "empty list": ("[]", "#"),
    "a word": ('"cart"', "#"),
}


@pytest.mark.parametrize("case", BAD_EVENTS)
def test_a_bad_event_names_its_field(client, case):
    body, pointer = BAD_EVENTS[case]
    response = client.post("/v1/events", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == PROBLEM
    assert pointer in {e["pointer"] for e in response.json()["errors"]}


@pytest.mark.parametrize("path", ["/v1/search", "/v1/recommend"])
def test_bytes_that_are_no_picture_are_the_callers_mistake(client, path):
    photo = base64.b64encode(b"these are words").decode()
    search = path == "/v1/search"
    body = {"image": photo} if search else {"user_id": "u", "scene": {"image": photo}}
    response = client.post(path, json=body)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["errors"][0]["pointer"] == ("#/image" if search else "#/scene/image")


def test_other_mistakes_are_problems_too(client):
    text = client.post("/v1/recommend", content="{}", headers={"content-type": "text/plain"})
    assert text.status_code == 415
    assert client.post("/v1/events", content=b"{}").status_code == 415
    assert client.get("/v1/nothing").status_code == 404
    assert client.get("/v1/recommend").status_code == 405
    assert client.get("/v1/items/no-such").status_code == 404
    assert client.get("/v1/items/no-such/similar").status_code == 404
    assert client.post("/v1/search", json={}).status_code == 422
    over = client.get("/v1/shoppers", params={"limit": 0})
    assert over.json()["errors"][0]["parameter"] == "limit"
    for response in (text, over, client.get("/v1/nothing"), client.get("/v1/recommend")):
        assert response.headers["content-type"] == PROBLEM


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_body_over_8_mb_is_refused(client, declared):
    body = b'{"user_id": "' + b"x" * 8_000_000 + b'"}'
    content = body if declared else (body[i : i + 500_000] for i in range(0, len(body), 500_000))
    headers = {"content-type": "application/json"}
    try:
        response = client.post("/v1/recommend", content=content, headers=headers)
    except httpx.WriteError:
        pytest.skip("the refusal came before the body was sent, and the connection was closed")
    assert response.status_code == 413
    assert response.headers["content-type"] == PROBLEM


# ---------------------------------------------------------------- pictures, page, health


def test_a_picture_is_the_file_of_its_item(client, engine):
    answer = posted(
        client, "/v1/recommend", {"user_id": "u", "scene": {"time": moment(engine)}, "k": 20}
    )
    shown = [slot for slot in answer["items"] if slot["picture"] is not None]
    assert shown
    for slot in shown[:5]:
        path = engine.picture_path(slot["item"]["item_id"])
        response = client.get(slot["picture"])
        assert response.status_code == 200
        assert response.content == path.read_bytes()
        assert response.headers["content-type"].startswith("image/")
        assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    "name",
    [
        "../manifest.json",
        "..%2Fmanifest.json",
        "..%2F..%2F..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "....//etc/passwd",
        "no-such-item",
        "%00",
    ],
)
def test_no_picture_path_leaves_the_shop(server, name):
    # A raw request line: clients tidy such paths before they send them.
    with httpx.Client() as plain:
        url = httpx.URL(server.url).copy_with(raw_path=f"/pictures/{name}".encode())
        response = plain.get(url)
    assert response.status_code in {404, 422}
    assert b"root:" not in response.content


def test_the_page_and_its_files_are_served(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("app.js", "api.js", "list.js", "style.css", "icon.svg"):
        assert client.get(f"/page/{name}").status_code == 200
    assert client.get("/page/..%2Fapp.py").status_code == 404


def test_health_tells_the_run(client, engine):
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert health["run_id"] == engine.run_id
    assert (health["workers_ready"], health["workers"]) == (1, 1)


# ---------------------------------------------------------------- sudden death


def test_a_worker_that_dies_is_replaced(server, client, engine):
    [before] = workers(server)
    os.kill(before, signal.SIGKILL)
    give_up_at = time.monotonic() + 120
    while workers(server) in ([], [before]):
        assert time.monotonic() < give_up_at, "no worker came back"
        time.sleep(0.2)
    here = engine.recommend("u", Scene(time=engine.as_of), k=3)
    body = {"user_id": "u", "scene": {"time": moment(engine)}, "k": 3}
    there = posted(client, "/v1/recommend", body)
    assert ranked(there) == [(r.rank, r.item.item_id) for r in here]


class Writer(threading.Thread):
    """Posts one event after another, and keeps the ids that were acknowledged."""

    def __init__(self, url: str, item_id: str, name: str) -> None:
        super().__init__()
        self.url, self.item_id, self.prefix = url, item_id, name
        self.acknowledged: list[dict] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as client:
            for n in range(100_000):
                event = {"event_id": f"{self.prefix}-{n}", "user_id": "writer"}
                event |= {"item_id": self.item_id, "kind": "view"}
                try:
                    response = client.post("/v1/events", json=event)
                except httpx.TransportError:
                    return
                if response.status_code != 200:
                    return
                self.acknowledged.append(event)


def test_every_acknowledged_event_survives_sigkill(small_run, tmp_path):
    port = free_port()
    server = start_server(small_run, tmp_path, port=port)
    try:
        with server.client() as client:
            item = posted(client, "/v1/recommend", {"user_id": "u", "k": 1})["items"][0]["item"]
        for whole_group in (True, False):
            writer = Writer(server.url, item["item_id"], f"kill-{whole_group}")
            writer.start()
            while len(writer.acknowledged) < 40 and writer.is_alive():
                time.sleep(0.01)
            server.kill(whole_group=whole_group)
            writer.join()
            assert len(writer.acknowledged) >= 40

            server = start_again(small_run, tmp_path, port)
            with server.client() as client:
                answer = posted(client, "/v1/events", writer.acknowledged)
            assert answer == {"received": len(writer.acknowledged), "stored": 0}
    finally:
        server.stop()


def start_again(run: Path, folder: Path, port: int) -> LiveServer:
    """Start on the port of a killed server, whose orphans let go of it by themselves."""
    give_up_at = time.monotonic() + 10
    while True:
        try:
            with httpx.Client() as client:
                client.get(f"http://127.0.0.1:{port}/health", timeout=1)
        except httpx.ConnectError:
            return start_server(run, folder, port=port)
        except httpx.TransportError:
            pass
        if time.monotonic() > give_up_at:
            pytest.fail("a killed server still holds its port")
        time.sleep(0.1)
