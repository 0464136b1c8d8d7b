"""``POST /v1/chat`` as JSON and as a stream, and the assistant in the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import planted
import pytest
import typer
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from engine.cli_chat import chat as chat_command
from engine.recommend import Engine
from engine.serve.chat_routes import chat_routes
from engine.serve.chat_schemas import ChatAnswer, ChatRequest
from engine.serve.chat_verbs import chat
from engine.serve.problems import Problem, install_problem_handlers

GARDENER = planted.user_id(1)
SCENE = {"time": planted.CUT.isoformat()}


class Counter:
    """A desk whose one worker sits in the same process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.closed = False

    async def ask(
        self, call: ChatRequest, expected: type[ChatAnswer], *, timeout_s: float
    ) -> ChatAnswer:
        if self.closed:
            raise Problem(status=503, detail="closed").as_exception()
        return chat(call, self._engine)


@pytest.fixture
def counter(shop: Engine) -> Counter:
    return Counter(shop)


@pytest.fixture
def client(counter: Counter) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(chat_routes(counter))  # type: ignore[arg-type]
    install_problem_handlers(app)
    with TestClient(app) as client:
        yield client


def body(message: str, **more: object) -> dict[str, object]:
    return {"user_id": GARDENER, "message": message, "scene": SCENE, **more}


def events(text: str) -> list[tuple[str, dict]]:
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_conversation_travels_with_its_requests(client: TestClient):
    first = client.post("/v1/chat", json=body("garden things under 45")).json()
    assert first["items"]
    assert all(one["item"]["price"] <= 45 for one in first["items"])
    why = client.post(
        "/v1/chat", json=body("why the second?", conversation=first["conversation"])
    ).json()
    assert [one["item"]["item_id"] for one in why["items"]] == [
        first["items"][1]["item"]["item_id"]
    ]


def test_the_stream_tells_the_same_as_the_answer(client: TestClient):
    whole = client.post("/v1/chat", json=body("garden things under 45")).json()
    answer = client.post(
        "/v1/chat", json=body("garden things under 45"), headers={"Accept": "text/event-stream"}
    )
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert told[0] == ("open", {})
    assert [data["item"]["item_id"] for name, data in told if name == "item"] == [
        one["item"]["item_id"] for one in whole["items"]
    ]
    assert [data["text"] for name, data in told if name == "text"] == [whole["text"]]
    name, done = told[-1]
    assert name == "done"
    assert done["conversation"] == whole["conversation"]


def test_a_stream_that_fails_ends_with_the_problem(client: TestClient, counter: Counter):
    counter.closed = True
    answer = client.post("/v1/chat", json=body("garden"), headers={"Accept": "text/event-stream"})
    told = events(answer.text)
    assert [name for name, _ in told] == ["open", "problem"]
    assert told[1][1]["status"] == 503


@pytest.mark.parametrize(
    "wrong",
    [
        {"message": ""},
        {"message": "x" * 1_001},
        {"k": 0},
        {"conversation": {"secrets": 1}},
        {"conversation": {"said": ["x" * 1_001]}},
    ],
)
def test_what_no_call_can_be_is_refused(client: TestClient, wrong: dict[str, object]):
    assert client.post("/v1/chat", json={**body("garden"), **wrong}).status_code == 422


def test_the_terminal_answers_once(planted_run: Path, tmp_path: Path):
    app = typer.Typer()
    app.command()(chat_command)
    store = f"sqlite:///{tmp_path / 'events.sqlite'}"
    result = CliRunner().invoke(
        app, [str(planted_run), "garden things under 45", "--user", GARDENER, "--store-url", store]
    )
    assert result.exit_code == 0, result.output
    assert "I found 5 items" in result.output
    assert "[item-" in result.output


def test_the_terminal_talks_until_goodbye(planted_run: Path, tmp_path: Path):
    app = typer.Typer()
    app.command()(chat_command)
    store = f"sqlite:///{tmp_path / 'events.sqlite'}"
    result = CliRunner().invoke(
        app,
        [str(planted_run), "--store-url", store],
        input="garden\n\ncompare 1 and 2\nbye\nmore\n",
    )
    assert result.exit_code == 0, result.output
    assert "The cheapest is" in result.output
    assert result.output.count("I found") == 1


def test_a_wish_that_nothing_meets_is_answered_with_words(client: TestClient):
    answer = client.post("/v1/chat", json=body("garden things under 0.01"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["items"] == []
    assert answer.json()["text"]


def test_a_long_conversation_goes_on(client: TestClient):
    conversation = {"said": ["garden things"] + ["under 45"] * 49, "basket": []}
    answer = client.post("/v1/chat", json=body("under 40", conversation=conversation)).json()
    assert len(answer["conversation"]["said"]) == 50
    again = client.post("/v1/chat", json=body("more", conversation=answer["conversation"]))
    assert again.status_code == 200, again.text


@pytest.mark.parametrize(
    "broken",
    [{"options": [[]]}, {"price_below": "12"}, {"asked": 1}, {"said": ["x"] * 51}],
)
def test_a_conversation_that_the_server_never_sent_is_refused(
    client: TestClient, broken: dict[str, object]
):
    assert client.post("/v1/chat", json=body("more", conversation=broken)).status_code == 422
