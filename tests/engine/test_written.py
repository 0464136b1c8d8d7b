"""Written reasons over HTTP: checked, counted, streamed, and never waited for by a worker."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import planted
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from live_server import start_server

from engine.errors import DataError, MissingExtraError
from engine.explain.sheet import Deed
from engine.llm.settings import ModelSettings, settings_from_environment
from engine.recommend import Engine
from engine.scene import Scene
from engine.serve.event_stream import EVENT_STREAM
from engine.serve.problems import install_problem_handlers
from engine.serve.schemas import ListAnswer, RecommendRequest
from engine.serve.scribe import MOST_AT_ONCE, Scribe
from engine.serve.verbs import answer
from engine.serve.written_routes import recommend_routes
from engine.sheets import sheets_of

COOK = planted.user_id(0)
SCENE = {"time": planted.CUT.isoformat()}
SETTINGS = ModelSettings(
    model="fake", timeout_s=5, retries=0, usd_per_million_in=1, usd_per_million_out=2
)
HABIT_TIMES = planted.WEEKS_BEFORE
TRUE, FALSE = f"You have bought it {HABIT_TIMES} times.", "You have bought it 99 times."


class Counter:
    """A desk whose one worker sits in the same process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ask(self, call: RecommendRequest, expected: type[ListAnswer]) -> ListAnswer:
        found = answer(call, self._engine)
        return expected.model_validate_json(found.model_dump_json())

    async def ask_for_list(self, call: RecommendRequest) -> ListAnswer:
        return await self.ask(call, ListAnswer)


def client_of(engine: Engine, scribe: Scribe) -> TestClient:
    app = FastAPI()
    app.include_router(recommend_routes(Counter(engine), scribe))  # type: ignore[arg-type]
    install_problem_handlers(app)
    return TestClient(app)


def says(*answers: str) -> Scribe:
    model = GenericFakeChatModel(messages=iter([AIMessage(text) for text in answers]))
    return Scribe(SETTINGS, lambda _: model)


def body(**more: object) -> dict[str, object]:
    return {"user_id": COOK, "scene": SCENE, "k": 2, "reasons": "written", **more}


def habits(engine: Engine) -> set[str]:
    return {r.item.item_id for r in engine.recommend(COOK, Scene(time=planted.CUT), k=2)}


def test_the_planted_list_begins_with_the_habit(shop: Engine):
    assert habits(shop) == planted.habit_of(0), "or the sentences of these tests are not true"


def test_a_true_sentence_goes_out_and_a_false_one_is_replaced_and_counted(shop: Engine):
    scribe = says(f"1. {TRUE}\n2. {FALSE}")
    with client_of(shop, scribe) as client:
        plain = client.post("/v1/recommend", json=body(reasons="rules")).json()
        written = client.post("/v1/recommend", json=body()).json()
    first, second = written["items"]
    assert (first["reason"], first["reason_by"], first["replaced"]) == (TRUE, "model", None)
    assert (second["reason_by"], second["replaced"]) == ("rules", "untraced")
    assert second["reason"] == plain["items"][1]["reason"]
    assert written["writing"] == {"by_model": 1, "from_cache": 0, "by_rules": 1, "note": None}
    assert [s["item"] for s in written["items"]] == [s["item"] for s in plain["items"]]
    tally = scribe.tally()
    assert tally.rejected == {"untraced": 1}
    assert tally.sources == {"model": 1, "rules": 1}
    assert tally.usage.calls == 1
    assert tally.usage.usd > 0


def test_what_was_written_is_not_asked_for_again(shop: Engine):
    scribe = says(f"1. {TRUE}\n2. {TRUE}")
    with client_of(shop, scribe) as client:
        for _ in range(2):
            written = client.post("/v1/recommend", json=body()).json()
    assert written["writing"]["from_cache"] == 2
    assert [slot["reason"] for slot in written["items"]] == [TRUE, TRUE]
    assert scribe.tally().usage.calls == 1


def test_without_a_model_rules_write_and_the_answer_says_how_to_have_one(shop: Engine):
    with client_of(shop, Scribe(None)) as client:
        written = client.post("/v1/recommend", json=body()).json()
        plain = client.post("/v1/recommend", json=body(reasons="rules")).json()
    assert "VITRINE_LLM" in written["writing"]["note"]
    assert written["writing"]["by_rules"] == 2
    assert [s["reason"] for s in written["items"]] == [s["reason"] for s in plain["items"]]


def test_a_model_that_cannot_be_opened_is_told_of_and_not_opened_again(shop: Engine):
    opened = []

    def fail(settings: ModelSettings) -> BaseChatModel:
        opened.append(settings)
        raise MissingExtraError("langchain", "llm")

    scribe = Scribe(SETTINGS, fail)
    with client_of(shop, scribe) as client:
        found = [client.post("/v1/recommend", json=body()).json() for _ in range(2)]
    assert all("langchain" in one["writing"]["note"] for one in found)
    assert all(one["items"][0]["reason"] for one in found)
    assert len(opened) == 1
    assert scribe.tally().rejected == {"failed": 2}


def test_the_stream_has_the_list_first_and_then_each_sentence(shop: Engine):
    with client_of(shop, says(f"2. {TRUE}\n1. {FALSE}")) as client:
        sent = client.post("/v1/recommend", json=body(), headers={"Accept": EVENT_STREAM})
    told = [block.split("\n") for block in sent.text.strip().split("\n\n")]
    names = [name.removeprefix("event: ") for name, _ in told]
    assert names == ["open", "list", "reason", "reason", "done"]
    data = [json.loads(line.removeprefix("data: ")) for _, line in told]
    assert [one["rank"] for one in data[2:4]] == [2, 1], "as they are written"
    assert [one["reason_by"] for one in data[2:4]] == ["model", "rules"]
    assert data[3]["reason"] == data[1]["items"][0]["reason"]
    assert data[4]["by_model"] == 1


def test_more_lists_than_places_have_the_sentences_of_the_rules(shop: Engine):
    scribe = says(f"1. {TRUE}\n2. {TRUE}")
    for _ in range(MOST_AT_ONCE):
        assert scribe._places.acquire(blocking=False)
    with client_of(shop, scribe) as client:
        busy = client.post("/v1/recommend", json=body()).json()
        for _ in range(MOST_AT_ONCE):
            scribe._places.release()
        free = client.post("/v1/recommend", json=body()).json()
    assert {slot["replaced"] for slot in busy["items"]} == {"busy"}
    assert free["writing"]["by_model"] == 2
    assert scribe.tally().rejected == {"busy": 2}


@pytest.mark.parametrize("wrong", [{"reasons": "poems"}, {"explain": False}, {"reasons": 1}])
def test_what_cannot_be_asked_for_is_refused(shop: Engine, wrong: dict[str, object]):
    with client_of(shop, Scribe(None)) as client:
        assert client.post("/v1/recommend", json=body(**wrong)).status_code == 422


def test_sheets_hold_what_the_reasons_say(shop: Engine):
    ids = [*planted.habit_of(0)]
    for sheet in sheets_of(shop, COOK, ids, Scene(time=planted.CUT)):
        own = next(deed for deed in sheet.deeds if deed.thing is None)
        assert own == Deed("buy", None, HABIT_TIMES, own.days_since, own.every_days, often=True)
        assert own.every_days == pytest.approx(7, abs=1)
    shop.erase_user(COOK)
    shop._forgotten._look_at = 0.0
    assert all(sheet.new for sheet in sheets_of(shop, COOK, ids, Scene(time=planted.CUT)))


def test_settings_come_from_the_environment_or_a_file_that_it_names(tmp_path: Path):
    assert settings_from_environment({}) is None
    assert settings_from_environment({"VITRINE_LLM": "local"}) == ModelSettings(model="local")
    file = tmp_path / "llm.yaml"
    file.write_text("model: openai:gpt-5-mini\ntimeout_s: 3\nusd_per_million_in: 0.25\n")
    found = settings_from_environment({"VITRINE_LLM": str(file)})
    assert found == ModelSettings(model="openai:gpt-5-mini", timeout_s=3, usd_per_million_in=0.25)
    file.write_text("model: local\nspeed: 3\n")
    with pytest.raises(DataError, match="speed"):
        settings_from_environment({"VITRINE_LLM": str(file)})


# ---------------------------------------------------------------- a real server, a model's server


class _Provider(BaseHTTPRequestHandler):
    """Speaks as OpenAI's server does, slowly, and says one thing."""

    pause_s = 0.5

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", EVENT_STREAM)
        self.end_headers()
        time.sleep(self.pause_s)
        self._send({"role": "assistant", "content": f"1. {TRUE}\n2. "})
        self._send({"content": FALSE})
        usage = {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320}
        self._send({}, finish_reason="stop")
        self._send(None, usage=usage)
        self.wfile.write(b"data: [DONE]\n\n")

    def _send(self, delta: dict | None, finish_reason: str | None = None, **more: Any) -> None:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
        chunk = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "m",
            "choices": [] if delta is None else choices,
            **more,
        }
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_a_server_has_its_lists_written_and_meters_what_that_took(
    planted_run: Path, tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
):
    settings = tmp_path / "llm.yaml"
    settings.write_text(f"model: {provider}\nusd_per_million_in: 1000\n")
    monkeypatch.setenv("VITRINE_LLM", str(settings))
    running = start_server(planted_run, tmp_path)
    try:
        with running.client() as http:
            written = http.post("/v1/recommend", json=body()).json()
            again = http.post("/v1/recommend", json=body()).json()
            meters = http.get("/metrics").text
    finally:
        assert running.stop() == 0, running.log.read_text()[-2000:]
    assert [slot["reason_by"] for slot in written["items"]] == ["model", "rules"]
    # Asked again of the second item alone, the model's first line is about that one.
    assert [slot["reason_by"] for slot in again["items"]] == ["cache", "model"]
    lines = dict(line.rsplit(" ", 1) for line in meters.splitlines() if line[0] != "#")
    assert float(lines['vitrine_written_sentences_total{by="model"}']) == 2
    assert float(lines['vitrine_rejected_sentences_total{why="untraced"}']) == 1
    assert float(lines['vitrine_cache_lookups_total{cache="sentences",outcome="hit"}']) == 1
    assert float(lines['vitrine_model_tokens_total{way="in"}']) >= 300
    assert float(lines["vitrine_model_usd_total"]) >= 0.3
    assert float(lines['vitrine_model_calls_total{outcome="answered"}']) == 2
    answered = 'vitrine_requests_total{endpoint="POST /v1/recommend",status="200"}'
    assert float(lines[answered]) == 2
