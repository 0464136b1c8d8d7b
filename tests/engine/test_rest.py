"""The whole REST interface against a real server: as documented, as described, and abused."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import yaml
from live_server import LiveServer, start_server
from PIL import Image

from benchmarks.serving_cases.fuzz import fuzz
from engine.client import (
    ApiError,
    Client,
    Event,
    EventKind,
    FiltersBody,
    ItemBody,
    ItemChangesBody,
    Likeness,
    RecentEvent,
    Scene,
)
from engine.pseudonyms import Pseudonyms
from engine.recommend import Engine
from engine.serve.examples import ITEM, OTHER_ITEM
from engine.serve.safety import Safety
from engine.store import EventStore

PAGE = (Path(__file__).parents[2] / "docs" / "rest.md").read_text(encoding="utf-8")
SECRET = "somebody-whom-no-log-may-name"
KEYS = {"till": ["events"], "shop": ["read"], "office": ["admin"], "desk": ["items", "read"]}
PSEUDONYM_KEY = b"0123456789abcdef"


def png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (48, 48), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rest")


@pytest.fixture(scope="module")
def server(small_run: Path, store: Path) -> Iterator[LiveServer]:
    running = start_server(small_run, store)
    yield running
    assert running.stop() == 0, running.log.read_text()[-2000:]


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with server.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[Client]:
    with Client(server.url, timeout_s=60) as opened:
        yield opened


@pytest.fixture(scope="module")
def engine(small_run: Path, store: Path, server: LiveServer) -> Iterator[Engine]:
    with Engine.open(small_run, store_url=f"sqlite:///{store / 'store.db'}") as opened:
        yield opened


@pytest.fixture(scope="module")
def shopper(engine: Engine) -> str:
    return engine.shoppers(limit=1)[0].user_id


def ids(found) -> list[str]:
    slots = found.items if hasattr(found, "items") else found
    return [slot.item.item_id for slot in slots]


# ---------------------------------------------------------------- as documented


@pytest.mark.parametrize("block", re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
def test_every_curl_of_the_page_works(server: LiveServer, block: str):
    calls = block.replace("localhost:8000", server.url.removeprefix("http://"))
    shell = 'curl() { command curl --fail-with-body -sS "$@"; }\nset -e\n' + calls
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_names_every_call(http: httpx.Client):
    for path in http.get("/openapi.json").json()["paths"]:
        root = re.sub(r"^(/v1/(?:runs|policy|experiments)).*", r"\1", path)
        assert f"`{root}`" in PAGE or f" {root}`" in PAGE, path


def test_the_settings_of_the_page_are_settings(tmp_path: Path):
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "safety.yaml").write_text(text)
    found = Safety.read(tmp_path / "safety.yaml")
    assert [key.name for key in found.keys] == ["shop", "office"]
    assert set(yaml.safe_load(text)) <= set(Safety.model_fields)


def examples(document: dict) -> Iterator[tuple[str, str, object]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            for example in content.get("application/json", {}).get("examples", {}).values():
                yield method, path, example["value"]


def test_every_example_of_the_description_works(http: httpx.Client):
    document = http.get("/openapi.json").json()
    ours = [e for e in examples(document) if not re.match("/v1/(policy|experiments|runs)", e[1])]
    assert len(ours) >= 15
    for method, path, body in ours:
        asked = path.replace("{item_id}", "example-1").replace("{user_id}", "visitor-1")
        response = http.request(method, asked, json=body)
        assert response.is_success, f"{method} {path} {body}: {response.text}"


def test_the_description_declares_every_problem(http: httpx.Client):
    document = http.get("/openapi.json").json()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            declared = {s for s in operation["responses"] if s[0] == "4"}
            if path.startswith("/v1/"):
                assert {"401", "403", "429"} <= declared, (method, path)
            if "requestBody" in operation:
                assert {"400", "413", "415", "422"} <= declared, (method, path)
            if "{item_id}" in path or "{user_id}" in path:
                assert {"404", "422"} <= declared, (method, path)
            for status in declared:
                content = operation["responses"][status]["content"]
                assert set(content) == {"application/problem+json"}, (method, path, status)


# ---------------------------------------------------------------- abused


def test_no_call_breaks_the_server_or_its_description(server: LiveServer):
    found = fuzz(server.url, 12)
    assert found.cases > 150
    assert found.violations == {}
    assert found.server_errors == 0


@pytest.mark.parametrize(
    "path",
    [
        "/v1/items/..%2F..%2Fmanifest.json",
        "/v1/items/%2Fetc%2Fpasswd",
        "/v1/items/'%20OR%201=1;--",
        "/v1/users/'%20OR%20'1'='1",
        "/v1/users/%252e%252e%252fetc",
        "/v1/items/x%27);DROP%20TABLE%20events;--/similar",
    ],
)
def test_a_path_is_an_id_and_nothing_else(server: LiveServer, path: str):
    with httpx.Client(timeout=60) as plain:
        response = plain.get(httpx.URL(server.url).copy_with(raw_path=path.encode()))
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert b"root:" not in response.content


def test_words_that_are_code_are_words(client: Client, store: Path):
    nasty = ["'; DROP TABLE events; --", '"><script>alert(1)</script>', "{{7*7}}", "${jndi:x}"]
    for text in nasty:
        assert client.search(text, k=2).items is not None
        assert client.scene(text).spans
        event = Event(text, ITEM, EventKind.VIEW, right_now(), event_id=text, session_id=text)
        assert client.observe(event).stored == 1
        assert client.user(text).events == 1
        assert client.erase_user(text).events == 1
    with EventStore.open(f"sqlite:///{store / 'store.db'}") as opened:
        assert opened.users() >= 0, "the table is still there"


def right_now() -> datetime:
    return datetime.now(UTC)


def test_no_url_of_a_request_is_fetched(http: httpx.Client):
    asked: list[str] = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    trap = ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    threading.Thread(target=trap.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{trap.server_port}/a.png"
    item = {"title": "Trap"}
    for method, path, body, pointer in [
        ("PUT", "/v1/items/trap", {**item, "picture_url": url}, "#/picture_url"),
        ("PUT", "/v1/items/trap", {**item, "picture": url}, "#/picture"),
        ("PUT", "/v1/items/trap", {**item, "image": url}, "#/image"),
        ("POST", "/v1/search", {"image": url}, "#/image"),
        ("POST", "/v1/complements", {"image": url}, "#/image"),
        ("POST", "/v1/recommend", {"user_id": "u", "scene": {"image": url}}, "#/scene/image"),
    ]:
        response = http.request(method, path, json=body)
        assert response.status_code == 422, response.text
        assert [e["pointer"] for e in response.json()["errors"]] == [pointer]
    trap.shutdown()
    assert asked == []


# ---------------------------------------------------------------- lists


def test_filters_conditions_and_reasons(client: Client, engine: Engine, shopper: str):
    scene = Scene(time=engine.as_of)
    cheap = client.recommend(shopper, scene, filters=FiltersBody(max_price=2.0), explain=False)
    assert cheap.items
    assert all(slot.item.price is not None and slot.item.price <= 2.0 for slot in cheap.items)
    assert {(slot.reason, slot.evidence) for slot in cheap.items} == {("", ())}
    known = ids(client.recommend(shopper, scene, k=5))
    assert known == ids(engine.recommend(shopper, scene, k=5))
    only = client.recommend(shopper, scene, filters=FiltersBody(only=tuple(known[:2])))
    assert set(ids(only)) == set(known[:2])


def test_an_unknown_user_is_answered_by_the_events_of_the_request(client: Client, engine: Engine):
    scene = Scene(time=engine.as_of)
    stranger = ids(client.recommend("stranger", scene))
    events = [RecentEvent(item_id=ITEM, kind=EventKind.PURCHASE)]
    told = client.recommend("stranger", scene, events=events)
    assert ids(told) != stranger
    assert any("you" in slot.reason.lower() for slot in told.items)
    assert ids(client.recommend("stranger", scene)) == stranger, "nothing was stored"
    with pytest.raises(ApiError) as caught:
        client.recommend("u", events=[RecentEvent(item_id="nil", kind=EventKind.VIEW)])
    assert caught.value.problem.errors[0].pointer == "#/events/0/item_id"


def test_rank_and_explain_say_what_the_engine_says(client: Client, engine: Engine, shopper: str):
    scene = Scene(time=engine.as_of)
    here = engine.recommend(shopper, scene, k=6)
    there = client.rank(shopper, [*reversed(ids(here)), "nil"], scene)
    assert there.unknown == ("nil",)
    scores = {r.item.item_id: r.score for r in here}
    for slot in there.items:
        assert slot.score == pytest.approx(scores[slot.item.item_id], abs=1e-3)
    why = client.explain(shopper, here[0].item.item_id, scene)
    assert (why.reason, why.evidence) == (here[0].reason, here[0].evidence)
    with pytest.raises(ApiError) as caught:
        client.explain(shopper, "nil")
    assert (caught.value.status, caught.value.problem.errors[0].pointer) == (422, "#/item_id")


def test_what_is_asked_of_items(client: Client, engine: Engine):
    like = client.similar(ITEM, k=4, likeness=Likeness.READS)
    assert ids(like) == ids(engine.similar(ITEM, k=4, likeness="reads"))
    assert ids(client.complements(ITEM, k=4)) == ids(engine.complements(ITEM, k=4))
    both = [ITEM, OTHER_ITEM]
    assert ids(client.complements(both, k=4)) == ids(engine.complements(both, k=4))
    for ask in (client.item, client.similar, client.picture):
        with pytest.raises(ApiError) as caught:
            ask("nil")
        assert caught.value.status == 404
    with pytest.raises(ApiError) as caught:
        client.complements([ITEM, "nil"])
    assert caught.value.problem.errors[0].pointer == "#/item_ids/1"


def test_a_personal_search_is_that_of_the_engine(client: Client, engine: Engine, shopper: str):
    scene, cheap = Scene(time=engine.as_of), FiltersBody(max_price=3.0)
    found = client.search("milk", k=5, user_id=shopper, scene=scene, filters=cheap)
    here = engine.search("milk", k=15, user_id=shopper, scene=scene)
    assert ids(found)
    assert all(slot.item.price <= 3.0 for slot in found.items)
    plain = ids(client.search("milk", k=15))
    assert ids(client.search("milk", k=15, user_id=shopper, scene=scene)) == ids(here) != plain


def test_a_scene_is_read_from_words_and_headers(client: Client, http: httpx.Client):
    found = client.scene(
        "raining, birthday present, under 30",
        headers={"X-Timezone": "Asia/Tokyo", "Accept-Language": "ja", "CF-IPCountry": "nowhere"},
    )
    scene = found.scene
    assert (scene.weather, scene.occasion, scene.price_max) == ("rain", "birthday", 30)
    assert scene.locale == "ja"
    assert scene.time is not None
    assert scene.time.utcoffset().total_seconds() == 9 * 3600
    assert [i.header for i in found.ignored] == ["cf-ipcountry"]
    text = "raining, birthday present, under 30"
    assert all(text[s.start : s.end] == s.text for s in found.spans)
    own = http.post("/v1/scene", json={"text": ""}, headers={"Accept-Language": "de-AT"})
    assert own.json()["scene"]["locale"] == "de-AT"


# ---------------------------------------------------------------- items


def test_an_item_is_found_by_the_next_call_and_gone_at_once(client: Client):
    body = ItemBody(title="Zinc Watering Can", categories=("Garden", "Cans"), price=21.5)
    assert client.put_item("can/1", body, png("slategray")).created
    assert ids(client.search("zinc watering can", k=1)) == ["can/1"]
    assert client.picture("can/1") == png("slategray")

    changed = client.patch_item("can/1", ItemChangesBody(price=19.0))
    assert (changed.created, changed.item.price, changed.item.title) == (
        False,
        19.0,
        "Zinc Watering Can",
    )
    replaced = client.put_item("can/1", ItemBody(title="Copper Watering Can"))
    assert (replaced.created, replaced.item.price, replaced.item.categories) == (False, None, ())
    assert client.picture("can/1") == png("slategray"), "a picture that is not sent stays"

    client.remove_item("can/1")
    client.remove_item("can/1")  # withdrawn already: it stays so
    assert "can/1" not in ids(client.search("copper watering can", k=20))
    with pytest.raises(ApiError) as caught:
        client.patch_item("can/1", ItemChangesBody(price=1.0))
    assert caught.value.status == 409
    assert client.put_item("can/1", body).created, "offered again"
    with pytest.raises(ApiError) as caught:
        client.remove_item("nil")
    assert caught.value.status == 404


BAD_ITEMS = {
    "no title": ({"price": 1}, "#/title"),
    "blank title": ({"title": "  "}, "#/title"),
    "a price below 0": ({"title": "a", "price": -1}, "#/price"),
    "a price that is none": ({"title": "a", "price": "cheap"}, "#/price"),
    "an unknown field": ({"title": "a", "colour": "red"}, "#/colour"),
    "a currency that is none": ({"title": "a", "currency": "euro"}, "#/currency"),
    "words for a picture": (
        {"title": "a", "picture": base64.b64encode(b"words").decode()},
        "#/picture",
    ),
    "two pictures": (
        {"title": "a", "picture": "aGk=", "picture_url": "https://a.example/b.png"},
        "#",
    ),
}


@pytest.mark.parametrize("case", BAD_ITEMS)
def test_a_bad_item_names_its_field(http: httpx.Client, case: str):
    body, pointer = BAD_ITEMS[case]
    response = http.put("/v1/items/bad", json=body)
    assert response.status_code == 422, response.text
    assert pointer in [e["pointer"] for e in response.json()["errors"]]
    assert http.get("/v1/items/bad").status_code == 404


def test_a_picture_over_the_limit_is_refused(http: httpx.Client):
    picture = base64.b64encode(b"\0" * 5_000_001).decode()
    response = http.put("/v1/items/bad", json={"title": "a", "picture": picture})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/picture"


# ---------------------------------------------------------------- users


def test_a_user_comes_is_portrayed_and_forgotten(client: Client, store: Path):
    events = [Event(SECRET, ITEM, EventKind.PURCHASE, right_now()) for _ in range(3)]
    assert client.observe(*events).stored == 3
    client.recommend(SECRET, k=2)
    found = client.user(SECRET)
    assert found.events == 3
    assert found.interests[0].share == 1.0
    assert client.erase_user(SECRET).events == 3
    with pytest.raises(ApiError) as caught:
        client.user(SECRET)
    assert caught.value.status == 404
    with EventStore.open(f"sqlite:///{store / 'store.db'}") as opened:
        line = opened.erasures.since(0)[-1]
        assert (line.by, line.erased.events) == ("anonymous", 3)
        assert line.digest == opened.erasures.digest(SECRET)


def test_a_portrait_is_that_of_the_engine(client: Client, engine: Engine, shopper: str):
    there, here = client.user(shopper), engine.portrait(shopper)
    assert (there.events, there.interests, there.rhythm) == (
        here.events,
        here.interests,
        here.rhythm,
    )


# ---------------------------------------------------------------- keys, pseudonyms, logs


@pytest.fixture(scope="module")
def guarded(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with keys, pseudonyms, and one origin that pictures may come from."""
    folder = tmp_path_factory.mktemp("guarded")

    class Pictures(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved.png":
                self.send_response(302)
                self.send_header("Location", "/kettle.png")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            huge = b"\0" * 6_000_000
            self.wfile.write(huge if self.path == "/huge.png" else png("peru"))

        def log_message(self, *_: object) -> None:
            return

    origin = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    (folder / "pseudonym.key").write_bytes(PSEUDONYM_KEY)
    keys = [
        {"name": n, "sha256": hashlib.sha256(n.encode()).hexdigest(), "scopes": s}
        for n, s in KEYS.items()
    ]
    settings = {
        "keys": keys,
        "pseudonym_key": "pseudonym.key",
        "image_origins": [f"http://127.0.0.1:{origin.server_port}"],
    }
    (folder / "safety.yaml").write_text(yaml.safe_dump(settings))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITRINE_SAFETY", str(folder / "safety.yaml"))
        patch.setenv("ORIGIN_FOR_THE_TEST", settings["image_origins"][0])
        running = start_server(small_run, folder)
        yield running
        assert running.stop() == 0
        origin.shutdown()


def test_each_key_opens_what_it_is_for(guarded: LiveServer):
    event = Event("ann@mail", ITEM, EventKind.VIEW, right_now())
    ask = {
        "till": lambda c: c.observe(event),
        "shop": lambda c: c.user("ann@mail"),
        "desk": lambda c: c.put_item("sku-1", ItemBody(title="Kettle")),
        "office": lambda c: c.erase_user("ann@mail"),
    }
    for name, scopes in KEYS.items():
        with Client(guarded.url, key=name, timeout_s=60) as client:
            for owner, call in ask.items():
                if "admin" in scopes or set(KEYS[owner]) & set(scopes):
                    continue
                with pytest.raises(ApiError) as caught:
                    call(client)
                assert caught.value.status == 403, (name, owner)
    for name, call in ask.items():
        with Client(guarded.url, key=name, timeout_s=60) as client:
            call(client)
    with Client(guarded.url) as nobody, pytest.raises(ApiError) as caught:
        nobody.recommend("u")
    assert caught.value.status == 401


def test_behind_the_desk_users_have_pseudonyms(guarded: LiveServer):
    name = Pseudonyms(PSEUDONYM_KEY).of("bob@mail")
    event = Event("bob@mail", ITEM, EventKind.VIEW, right_now())
    with Client(guarded.url, key="office", timeout_s=60) as client:
        client.observe(event)
        client.recommend("bob@mail", k=1)
        assert client.user("bob@mail").user_id == name
        assert client.user(name).events == 1
    folder = guarded.log.parent
    with EventStore.open(f"sqlite:///{folder / 'store.db'}") as store:
        assert len(store.history(name)) == 1
    time.sleep(1.0)  # the list that was shown is written
    for file in folder.glob("store.db*"):
        assert b"bob@mail" not in file.read_bytes()


def test_pictures_come_from_listed_origins_alone(guarded: LiveServer):
    origin = os.environ["ORIGIN_FOR_THE_TEST"]
    with Client(guarded.url, key="desk", timeout_s=60) as client:
        client.put_item("sku-2", ItemBody(title="Kettle", picture_url=f"{origin}/kettle.png"))
        assert client.picture("sku-2") == png("peru")
        port = origin.rsplit(":", 1)[1]
        for url in (
            f"{origin}/moved.png",
            f"{origin}/huge.png",
            f"http://localhost:{port}/kettle.png",
            f"http://user@127.0.0.1:{port}/kettle.png",
            f"{origin}@evil.example/kettle.png",
            "http://127.0.0.1:1/kettle.png",
            "http://169.254.169.254/latest/meta-data",
            "https://127.0.0.1/kettle.png",
        ):
            with pytest.raises(ApiError) as caught:
                client.patch_item("sku-2", ItemChangesBody(picture_url=url))
            assert caught.value.problem.errors[0].pointer == "#/picture_url", url


def test_no_log_line_names_a_user(server: LiveServer, http: httpx.Client, guarded: LiveServer):
    for path in (f"/v1/users/{SECRET}", f"/v1/nothing/{SECRET}", f"/v1/users/{SECRET}%00"):
        http.get(path)
    http.post("/v1/recommend", json={"user_id": SECRET, "scene": {"image": "aGk="}})
    http.post("/v1/recommend", content=f'{{"user_id": "{SECRET}"')
    http.post("/v1/events", json={"user_id": SECRET, "item_id": "nil", "kind": "view"})
    http.delete(f"/v1/users/{SECRET}")
    for log in (server.log, guarded.log):
        text = log.read_text()
        assert SECRET not in text
        assert "@mail" not in text
