"""What an operator does to a server, and what production does to it, while shoppers ask on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import planted
import pytest
from live_server import ROOT, LiveServer, health, start_server, workers
from typer.testing import CliRunner

from engine import cli_experiment
from engine.artifacts import MANIFEST_FILE, Manifest, file_hash, write_json
from engine.dataset import Dataset
from engine.experiments.plan import Plan
from engine.publish import publish

WITHIN_S = 180.0
USERS = [planted.user_id(user) for user in range(8)]


@pytest.fixture(scope="module")
def family(planted_run: Path, planted_shop: Dataset, tmp_path_factory) -> Path:
    """Two runs that differ in their seed; the first is published."""
    folder = tmp_path_factory.mktemp("family") / "shop"
    folder.mkdir()
    shutil.copytree(planted_run, folder / "one", ignore=shutil.ignore_patterns("state"))
    other = planted.CONFIG.model_copy(update={"seed": planted.CONFIG.seed + 1})
    planted.train(planted_shop, folder / "two", other)
    publish(folder / "one")
    return folder


@pytest.fixture
def server(family: Path, tmp_path: Path) -> Iterator[LiveServer]:
    publish(family / "one")
    with serving(family, tmp_path, "--workers", "2") as running:
        eventually(lambda: health(running)["workers_ready"] == 2, "both workers ready")
        yield running


@contextmanager
def serving(run: Path, folder: Path, *options: str) -> Iterator[LiveServer]:
    running = start_server(run, folder, options=options)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            assert running.stop() == 0, running.log.read_text()[-2000:]


@dataclass(eq=False)
class Shopper(threading.Thread):
    """Asks and buys in turn until told to stop; keeps what it was told."""

    server: LiveServer
    number: int
    statuses: Counter[int] = field(default_factory=Counter)
    runs: list[str] = field(default_factory=list)
    bought: list[dict] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()

    def run(self) -> None:
        with self.server.client() as client:
            for turn in range(1_000_000):
                if self.done.is_set():
                    return
                try:
                    self._turn(client, turn)
                except httpx.TransportError as error:
                    self.failed.append(repr(error))

    def _turn(self, client: httpx.Client, turn: int) -> None:
        user = f"{USERS[turn % len(USERS)]}"
        answer = client.post("/v1/recommend", json={"user_id": user, "k": 3})
        self.statuses[answer.status_code] += 1
        if answer.status_code != 200:
            return
        self.runs.append(answer.json()["run_id"])
        event = {
            "event_id": f"{self.number}-{turn}",
            "user_id": f"buyer-{self.number}",
            "item_id": answer.json()["items"][0]["item"]["item_id"],
            "kind": "view",
        }
        stored = client.post("/v1/events", json=event)
        self.statuses[stored.status_code] += 1
        if stored.status_code == 200:
            self.bought.append(event)


@contextmanager
def shoppers(server: LiveServer, n: int = 4) -> Iterator[list[Shopper]]:
    """Traffic; each shopper has been answered at least once before anything else happens."""
    crowd = [Shopper(server, number) for number in range(n)]
    for one in crowd:
        one.start()
    eventually(lambda: all(one.bought for one in crowd), "everybody is answered")
    yield crowd
    for one in crowd:
        one.done.set()
    for one in crowd:
        one.join(WITHIN_S)


def eventually(holds: Callable[[], object], what: str) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < give_up_at, f"never came to pass: {what}"
        time.sleep(0.05)


def served(server: LiveServer) -> list[str]:
    return [worker["run_id"] for worker in health(server)["each"]]


def stored_events(folder: Path) -> set[str]:
    with sqlite3.connect(folder / "store.db") as store:
        return {event_id for (event_id,) in store.execute("SELECT event_id FROM events")}


def run_id(run: Path) -> str:
    return json.loads((run / MANIFEST_FILE).read_text())["run_id"]


# ---------------------------------------------------------------- publication


def test_a_published_run_is_taken_over_and_taken_back_without_a_failed_request(family, server):
    one, two = run_id(family / "one"), run_id(family / "two")
    assert one != two
    with server.client() as client, shoppers(server) as crowd:
        done = client.post("/v1/runs/publish", json={"run": "two"})
        assert (done.status_code, done.json()["run_id"]) == (200, two)
        eventually(lambda: served(server) == [two, two], "both workers serve the second run")
        turns = [len(one_.runs) for one_ in crowd]
        eventually(
            lambda: all(len(s.runs) > n + 2 for s, n in zip(crowd, turns, strict=True)), "traffic"
        )
        assert client.post("/v1/runs/rollback", json={}).json()["run_id"] == one
        eventually(lambda: served(server) == [one, one], "both workers are back")
        runs = client.get("/v1/runs").json()
    assert {run["name"]: run["current"] for run in runs["runs"]} == {"one": True, "two": False}
    assert [done["action"] for done in runs["history"]][-2:] == ["publish", "rollback"]
    for shopper in crowd:
        assert shopper.failed == []
        assert set(shopper.statuses) == {200}
        assert set(shopper.runs) == {one, two}


def test_a_published_run_that_cannot_be_opened_leaves_the_old_one_serving(family, server):
    broken = family / "broken"
    shutil.copytree(family / "one", broken)
    (broken / "dataset.json").write_text("{}")
    sealed = Manifest.verify(family / "one")
    files = {**sealed.files, "dataset.json": file_hash(broken / "dataset.json")}
    write_json(broken / MANIFEST_FILE, asdict(replace(sealed, files=files, run_id="broken")))
    try:
        with server.client() as client, shoppers(server) as crowd:
            assert client.post("/v1/runs/publish", json={"run": "broken"}).status_code == 200
            eventually(lambda: "broken" in health(server)["notice"], "health tells of it")
            assert health(server)["status"] == "degraded"
            client.post("/v1/runs/rollback", json={})
            eventually(lambda: health(server)["notice"] == "", "health is well again")
        assert {s for shopper in crowd for s in shopper.statuses} == {200}
        assert {r for shopper in crowd for r in shopper.runs} == {run_id(family / "one")}
    finally:
        shutil.rmtree(broken)


@pytest.mark.parametrize("name", ["../one", "nothing", "current", ""])
def test_only_a_run_of_the_family_can_be_published(server, name):
    with server.client() as client:
        assert client.post("/v1/runs/publish", json={"run": name}).status_code == 422


def test_a_server_of_a_plain_run_has_nothing_to_publish(planted_run, tmp_path):
    with serving(planted_run, tmp_path) as running, running.client() as client:
        assert client.get("/v1/runs").status_code == 409
        assert client.post("/v1/runs/publish", json={"run": "one"}).status_code == 409


# ---------------------------------------------------------------- experiments


def test_users_of_an_experiment_are_answered_by_the_run_of_their_variant(family, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    ids = {"old": run_id(family / "one"), "new": run_id(family / "two")}
    users = [f"visitor-{i}" for i in range(80)]
    with (
        serving(family, tmp_path, "--workers", "2", "--rules", str(rules)) as running,
        running.client() as client,
    ):
        assert answered_by(client, users[:8]) == {ids["old"]}
        plan = write_plan(rules, {"name": "old"}, {"name": "new", "run": str(family / "two")})
        early = [user for user in map(str, range(20)) if side_of(plan, user) == "new"]
        # Free workers take turns: each has opened the second run, which it does while it answers.
        eventually(lambda: answered_by(client, early) == {ids["new"]}, "the plan holds")
        for user in users:
            shown = shown_to(client, user)
            assert shown["run_id"] == ids[side_of(plan, user)]
            if side_of(plan, user) == "new":
                buy(client, user, shown)
        write_plan(rules, {"name": "old"}, {"name": "new", "run": "no-such-run"})
        eventually(lambda: "no-such-run" in told_problem(client), "what is wrong is told")
        assert answered_by(client, early) == {ids["new"]}  # the plan before holds
    write_plan(rules, {"name": "old"}, {"name": "new", "run": str(family / "two")})
    sides = Counter(side_of(plan, user) for user in (*users, *early))

    def counted() -> dict[str, int]:
        return {arm["name"]: arm["counted"] for arm in reported(family, rules, tmp_path)["arms"]}

    eventually(lambda: counted() == sides, "everyone has had the two seconds")
    told = reported(family, rules, tmp_path)
    arms = {arm["name"]: arm for arm in told["arms"]}
    assert arms["old"]["mean"] == 0
    assert arms["new"]["mean"] == pytest.approx(1 - len(early) / sides["new"])
    assert told["uplifts"][0]["absolute"]["low"] > 0


def side_of(plan: Plan, user: str) -> str:
    return plan.assigned(user, datetime.now(UTC))["runs"]


def write_plan(folder: Path, *variants: dict) -> Plan:
    """Who bought within two seconds of the first list counts."""
    plan = {
        "name": "runs",
        "variants": list(variants),
        "metric": {"kind": "purchase", "outcome_days": 2 / 86_400},
    }
    draft = folder / "draft"
    draft.write_text(json.dumps({"experiments": [plan]}))
    draft.replace(folder / "experiments.yaml")
    return Plan.model_validate({"experiments": [plan]})


def shown_to(client: httpx.Client, user: str) -> dict:
    answer = client.post("/v1/recommend", json={"user_id": user, "k": 2})
    assert answer.status_code == 200, answer.text
    return answer.json()


def answered_by(client: httpx.Client, users: list[str]) -> set[str]:
    return {shown_to(client, user)["run_id"] for user in users}


def told_problem(client: httpx.Client) -> str:
    return client.get("/v1/experiments").json()["problem"] or ""


def buy(client: httpx.Client, user: str, shown: dict) -> None:
    event = {
        "user_id": user,
        "item_id": shown["items"][0]["item"]["item_id"],
        "kind": "purchase",
        "timestamp": datetime.now(UTC).isoformat(),
        "request_id": shown["request_id"],
    }
    assert client.post("/v1/events", json=event).json()["stored"] == 1


def reported(family: Path, rules: Path, folder: Path) -> dict:
    command = ["report", family, "runs", "--plan", rules / "experiments.yaml", "--json"]
    store = ["--store-url", f"sqlite:///{folder / 'store.db'}"]
    done = CliRunner().invoke(cli_experiment.app, [str(part) for part in (*command, *store)])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)[0]


# ---------------------------------------------------------------- the command


def test_the_command_finds_a_port_and_keeps_to_its_safety_file(planted_run, tmp_path):
    key = hashlib.sha256(b"secret").hexdigest()
    safety = tmp_path / "safety.yaml"
    safety.write_text(json.dumps({"keys": [{"name": "a", "sha256": key, "scopes": ["read"]}]}))
    command = [sys.executable, "-c", "from engine.cli import app; app()", "serve", planted_run]
    command += ["--port", 0, "--safety", safety, "--store-url", f"sqlite:///{tmp_path}/store.db"]
    running = subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        url = re.search(r"http://\S+", running.stdout.readline()).group()
        eventually(lambda: answers(url), "the server is healthy")
        page = httpx.get(f"{url}/operator")
        assert (page.status_code, page.headers["location"]) == (307, "./#operator")
        assert httpx.get(f"{url}/v1/shoppers").status_code == 401
        with_key = {"Authorization": "Bearer secret"}
        assert httpx.get(f"{url}/v1/shoppers", headers=with_key).status_code == 200
    finally:
        running.terminate()
        assert running.wait(WITHIN_S) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


# ---------------------------------------------------------------- sudden death


def test_a_killed_worker_fails_no_request_and_loses_no_event(server, tmp_path):
    with shoppers(server) as crowd:
        for _ in range(3):
            before = workers(server)
            os.kill(before[0], signal.SIGKILL)
            eventually(
                lambda before=before: len(now := workers(server)) == 2 and before[0] not in now,
                "the worker is replaced",
            )
    for shopper in crowd:
        assert shopper.failed == []
        assert set(shopper.statuses) == {200}
    bought = {event["event_id"] for shopper in crowd for event in shopper.bought}
    assert bought <= stored_events(tmp_path)


def test_a_killed_http_process_is_replaced_and_the_workers_stay(server, tmp_path):
    before = workers(server)
    with shoppers(server) as crowd:
        for _ in range(5):
            [http] = [p for p in children(server.process.pid) if p not in python_children(server)]
            os.kill(http, signal.SIGKILL)
            eventually(lambda: sorted(workers(server)) == sorted(before), "the same workers answer")
        turns = [len(shopper.bought) for shopper in crowd]
        eventually(
            lambda: all(len(s.bought) > n for s, n in zip(crowd, turns, strict=True)),
            "everybody is answered again",
        )
    bought = {event["event_id"] for shopper in crowd for event in shopper.bought}
    assert bought <= stored_events(tmp_path)


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def python_children(server: LiveServer) -> list[int]:
    """Python's own, of which one forks the workers, and LitServe's queue manager."""
    own = [p for p in children(server.process.pid) if b"from multiprocessing." in command(p)]
    manager = min(p for p in children(server.process.pid) if p not in own)
    return [*own, manager]


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_nothing_outlives_a_killed_main_process(family, tmp_path):
    running = start_server(family, tmp_path, options=["--workers", "2"])
    [nursery] = [p for p in children(running.process.pid) if b"forkserver" in command(p)]
    all_of_them = [*children(running.process.pid), *children(nursery)]
    assert set(workers(running)) <= set(all_of_them)
    running.kill(whole_group=False)
    eventually(lambda: not any(alive(p) for p in all_of_them), "all processes are gone")


def test_workers_of_a_killed_nursery_are_replaced(server, tmp_path):
    [nursery] = [p for p in children(server.process.pid) if b"forkserver" in command(p)]
    before = workers(server)
    os.kill(nursery, signal.SIGKILL)
    eventually(
        lambda: len(now := workers(server)) == 2 and not set(now) & set(before), "two new workers"
    )


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---------------------------------------------------------------- drain


def test_sigterm_answers_what_was_accepted_writes_what_was_shown_and_ends(family, tmp_path):
    with serving(family, tmp_path, "--drain-s", "5") as running:
        with shoppers(running, n=6) as crowd:
            started = time.monotonic()
            running.process.terminate()
            assert running.process.wait(WITHIN_S) == 0
            took_s = time.monotonic() - started
        assert took_s < 5 + 5 + 5  # calls in hand, the worker's leave, the rest
    for shopper in crowd:
        assert set(shopper.statuses) <= {200, 503}
        assert all("ReadTimeout" not in failure for failure in shopper.failed)
    bought = {event["event_id"] for shopper in crowd for event in shopper.bought}
    assert bought <= stored_events(tmp_path)
    with sqlite3.connect(tmp_path / "store.db") as store:
        [(shown,)] = store.execute("SELECT count(*) FROM impressions")
    assert shown >= sum(len(shopper.runs) for shopper in crowd)


# ---------------------------------------------------------------- overload, metrics


def test_a_flood_is_refused_fast_and_what_was_accepted_is_kept(family, tmp_path):
    with serving(family, tmp_path, "--queue", "3", "--batch", "1") as running:
        refused: list[float] = []
        accepted: list[str] = []

        def flood(number: int) -> None:
            with running.client() as client:
                for turn in range(30):
                    event_id = f"{number}-{turn}"
                    body = {"event_id": event_id, "user_id": "u", "item_id": item, "kind": "view"}
                    started = time.perf_counter()
                    answer = client.post("/v1/events", json=[body])
                    if answer.status_code == 200:
                        accepted.append(event_id)
                    else:
                        assert answer.status_code == 503
                        assert answer.headers["Retry-After"] == "1"
                        refused.append(time.perf_counter() - started)

        with running.client() as client:
            first = client.post("/v1/recommend", json={"user_id": "u", "k": 1}).json()
            item = first["items"][0]["item"]["item_id"]
        threads = [threading.Thread(target=flood, args=(n,)) for n in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WITHIN_S)
        assert len(accepted) + len(refused) == 24 * 30
        assert refused
        assert set(accepted) <= stored_events(tmp_path)
        with running.client() as client:
            assert client.post("/v1/recommend", json={"user_id": "u", "k": 1}).status_code == 200
            assert metric(client, 'vitrine_refused_total{why="busy"}') >= len(refused)


def metric(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    found = [line.rpartition(" ")[2] for line in lines if line.startswith(name + " ")]
    assert len(found) == 1, f"{name} in {len(found)} lines"
    return float(found[0])


def test_metrics_count_what_every_worker_did(family, server):
    with server.client() as client:
        shown = [
            client.post("/v1/recommend", json={"user_id": user, "k": 4}).json() for user in USERS
        ]
        assert client.post("/v1/recommend", json={"user_id": USERS[0], "k": 0}).status_code == 422
        ok = 'vitrine_requests_total{endpoint="POST /v1/recommend",status="200"}'
        bad = 'vitrine_requests_total{endpoint="POST /v1/recommend",status="422"}'
        assert metric(client, ok) == len(USERS)
        assert metric(client, bad) == 1
        assert metric(client, 'vitrine_request_seconds_count{endpoint="POST /v1/recommend"}') == 9
        for stage in ("queue", "engine"):
            counted = f'vitrine_stage_seconds_count{{call="recommend",stage="{stage}"}}'
            assert metric(client, counted) == len(USERS)
        channels = Counter(
            hit["channel"]
            for answer in shown
            for slot in answer["items"]
            for hit in slot["trace"]["channels"]
        )
        for channel, slots in channels.items():
            assert metric(client, f'vitrine_slots_total{{channel="{channel}"}}') == slots
        assert metric(client, "vitrine_workers") == 2
        assert metric(client, "vitrine_line_calls") == 0
        assert metric(client, f'vitrine_run_info{{run_id="{run_id(family / "one")}"}}') == 1
        answered = [worker["answered"] for worker in health(server)["each"]]
        assert all(answered), "one of the workers never got a call"
