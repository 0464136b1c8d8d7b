"""The commands about policies and experiments, and what the server answers about them."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import planted
import pytest
import typer
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from engine import cli_experiment, cli_policy
from engine.errors import RunError
from engine.experiments.plan import Plan
from engine.experiments.routing import Engines
from engine.policy.file import write_policy
from engine.policy_rules import Policy
from engine.recommend import Engine
from engine.scene import Scene
from engine.serve.policy_routes import POLICY, PREVIEW, policy_routes
from engine.serve.policy_schemas import (
    ExperimentRequest,
    ExperimentsRequest,
    PolicyRequest,
    PreviewRequest,
    PutPolicyRequest,
)
from engine.serve.verbs import answer
from engine.store import EventStore
from engine.terminal import Commands
from engine.types import Event, EventKind

ROOT = Path(__file__).parents[2]
VISIT = Scene(time=planted.CUT + timedelta(days=3))
USER = planted.user_id(4)
PLAN = """\
experiments:
  - name: limits
    variants:
      - {name: control}
      - {name: one, policy: one.yaml}
    metric: {kind: click, outcome_days: 0.000001}
"""

app = typer.Typer(cls=Commands)
app.add_typer(cli_policy.app, name="policy")
app.add_typer(cli_experiment.app, name="experiment")


def run_command(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def shop(loaded, tmp_path):
    """An engine that explores and experiments, with a store and rules of its own."""
    write_policy(Policy(name="one", max_per_group=1), tmp_path / "one.yaml")
    (tmp_path / "experiments.yaml").write_text(PLAN)
    write_policy(
        Policy.model_validate({"name": "drawn", "exploration": {"epsilon": 0.5, "pool": 5}}),
        tmp_path / "policy.yaml",
    )
    store = EventStore.open(f"sqlite:///{tmp_path / 'store.db'}")
    with Engine(loaded, store, rules=tmp_path) as engine:
        yield engine


def serve_some(engine: Engine, n: int = 80) -> None:
    """Everyone clicks on the first item, if they are in the variant ``one``."""
    for i in range(n):
        shown = engine.answer(f"user-{i}", VISIT, k=3)
        variants = engine.house.plan().assigned(f"user-{i}", datetime.now(UTC))
        if variants["limits"] == "one":
            first = shown.recommendations[0].item.item_id
            act = Event(f"user-{i}", first, EventKind.CLICK, datetime.now(UTC))
            engine.observe([replace(act, request_id=shown.request_id)])
    engine._log.close()
    time.sleep(0.1)  # until the 86 ms are over in which what they do counts


def test_the_schema_is_written(tmp_path):
    out = tmp_path / "policy.schema.json"
    assert str(out.name) in run_command("policy", "schema", "--out", out).replace("\n", "")
    assert json.loads(out.read_text()) == json.loads(run_command("policy", "schema"))


def test_a_policy_is_checked(tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("name: spring\nmax_per_group: 2\n")
    bad.write_text("name: spring\nmax_pergroup: 2\n")
    assert "Good: spring-" in run_command("policy", "check", good)
    run_command("policy", "check", bad, code=2)


def test_a_preview_shows_both_lists(planted_run, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("caps: [{name: shelf, category: Kitchen, most: 1}]\n")
    url = f"sqlite:///{tmp_path / 'store.db'}"
    shown = run_command(
        "policy", "preview", planted_run, USER, policy, "--time", "2024-04-11", "--store-url", url
    )
    assert "before" in shown
    assert "new" in shown


def test_an_estimate_is_made_from_the_log_and_refused_without(planted_run, shop, tmp_path):
    serve_some(shop, 30)
    target = tmp_path / "target.yaml"
    target.write_text("exploration: {epsilon: 0.2, pool: 5}\n")
    url = f"sqlite:///{tmp_path / 'store.db'}"
    asked = ("policy", "estimate", planted_run, target, "--depth", "1", "--store-url", url)
    found = json.loads(run_command(*asked, "--json"))
    sides = [shop.house.plan().assigned(f"user-{i}", datetime.now(UTC)) for i in range(30)]
    assert found["n_lists"] == sides.count({"limits": "control"})  # the others draw nothing
    assert 0.0 <= found["snips"]["estimate"] <= 1.0
    assert found["effective_lists"] <= found["n_lists"]
    assert "doubly robust" in run_command(*asked)
    empty = f"sqlite:///{tmp_path / 'empty.db'}"
    run_command(*asked[:-1], empty, code=2)
    run_command(*asked, "--kind", "look", code=2)


def test_an_experiment_is_reported(shop, planted_run, tmp_path):
    serve_some(shop)
    plan, url = tmp_path / "experiments.yaml", f"sqlite:///{tmp_path / 'store.db'}"
    asked = ("experiment", "report", planted_run, "--plan", plan, "--store-url", url)
    (report,) = json.loads(run_command(*asked, "--json"))
    control, one = report["arms"]
    assert (control["mean"], one["mean"]) == (0.0, 1.0)
    assert control["exposed"] + one["exposed"] == 80
    assert report["uplifts"][0]["absolute"]["estimate"] == 1.0
    assert report["uplifts"][0]["relative"] is None
    table = run_command(*asked, "limits")
    assert "+1.0000" in table
    run_command(*asked, "no-such", code=2)


def test_a_user_is_assigned(shop, tmp_path):
    plan = tmp_path / "experiments.yaml"
    assert "Good: limits" in run_command("experiment", "check", plan)
    said = run_command("experiment", "assign", plan, "ann")
    assert said.strip() in ("limits: control", "limits: one")


# What the server's workers answer


def test_the_policy_is_told_changed_and_tried(shop):
    told = answer(PolicyRequest(), shop)
    assert (told.source, told.problem, told.policy.name) == ("file", None, "drawn")
    rules = Policy(name="two", max_per_group=1)
    tried = answer(PreviewRequest(user_id="ann", policy=rules, scene=None, k=5), shop)
    assert tried.version_before == told.version
    assert tried.version_after == rules.version
    before, after = ([r.item.item_id for r in listed] for listed in (tried.before, tried.after))
    assert set(tried.entered) == set(after) - set(before)
    assert set(tried.left) == set(before) - set(after)
    assert answer(PutPolicyRequest(policy=rules), shop).version == rules.version
    assert answer(PolicyRequest(), shop).policy == rules


def test_experiments_are_told_and_reported(shop):
    told = answer(ExperimentsRequest(), shop)
    assert [e.name for e in told.experiments] == ["limits"]
    assert answer(ExperimentRequest(name="limits"), shop).arms[0].exposed == 0
    serve_some(shop)
    report = answer(ExperimentRequest(name="limits"), shop)
    assert report.uplifts[0].absolute.estimate == 1.0
    assert json.loads(report.model_dump_json())["arms"][1]["mean"] == 1.0


class OwnDesk:
    """Answers calls in this process, as a worker would."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def ask(self, call, expected):
        found = answer(call, self.engine)
        assert isinstance(found, expected)
        return found


def test_the_routes_take_and_give_what_they_say(shop):
    web = FastAPI()
    web.include_router(policy_routes(OwnDesk(shop)))
    client = TestClient(web)
    told = client.get("/v1/policy").json()
    assert told["policy"]["exploration"]["epsilon"] == 0.5
    again = client.put("/v1/policy", json=told["policy"])  # what is told can be put
    assert (again.status_code, again.json()) == (200, told)
    wrong = client.put("/v1/policy", json={"max_per_gruop": 1})
    assert wrong.status_code == 422
    assert wrong.json()["detail"][0]["loc"] == ["body", "max_per_gruop"]
    tried = client.post("/v1/policy/preview", json={"user_id": "ann", "policy": {}, "k": 4})
    assert [len(tried.json()[side]) for side in ("before", "after")] == [4, 4]
    assert client.get("/v1/policy/schema").json()["title"] == "Policy"
    assert client.get("/v1/experiments").json()["experiments"][0]["name"] == "limits"
    assert client.get("/v1/experiments/limits").json()["uplifts"] == []
    for example in (*POLICY.values(),):
        Policy.model_validate(example["value"])
    for example in PREVIEW.values():
        PreviewRequest.model_validate(example["value"])


# Between runs


def test_users_of_a_variant_with_a_run_are_answered_by_it(loaded, tmp_path):
    (tmp_path / "experiments.yaml").write_text(
        "experiments:\n  - name: runs\n    variants: [{name: old}, {name: new, run: ../new}]\n"
    )
    other = replace(loaded, manifest=replace(loaded.manifest, run_id="another"))
    url = f"sqlite:///{tmp_path / 'store.db'}"
    opened = []

    def open_run(path: Path) -> Engine:
        opened.append(path)
        return Engine(other, EventStore.open(url), rules=tmp_path)

    with (
        Engine(loaded, EventStore.open(url), rules=tmp_path) as usual,
        Engines(usual, open_run) as engines,
    ):
        for i in range(20):
            engines.of(f"user-{i}").answer(f"user-{i}", VISIT, k=2)
        assert [engine.run_id for engine in engines] == [loaded.manifest.run_id, "another"]
        assert engines.knowing([planted.item_id(1)]) is usual
    assert opened == [tmp_path / "../new"]
    with EventStore.open(url) as store:
        lists = list(store.shown.between(datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC)))
    assert {(one.variants["runs"], one.model) for one in lists} == {
        ("old", loaded.manifest.run_id),
        ("new", "another"),
    }


def test_a_plan_holds_once_its_runs_are_open(loaded, tmp_path):
    url, plan = f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "experiments.yaml"
    other = replace(loaded, manifest=replace(loaded.manifest, run_id="another"))

    def open_run(path: Path) -> Engine:
        if path.name != "new":
            raise RunError(f"{path}: no run")
        return Engine(other, EventStore.open(url), rules=tmp_path)

    def write(run: str) -> None:
        plan.write_text(
            f"experiments:\n  - name: {run}\n    variants: [{{name: a, run: {run}}}, {{name: b}}]\n"
        )

    with (
        Engine(loaded, EventStore.open(url), rules=tmp_path) as usual,
        Engines(usual, open_run) as engines,
    ):
        ids = [f"user-{i}" for i in range(20)]
        assert {engines.of(user).run_id for user in ids} == {loaded.manifest.run_id}
        write("gone")
        engines.look()
        assert {engines.of(user).run_id for user in ids} == {loaded.manifest.run_id}
        assert usual.house.plan().experiments == ()  # so no list is logged with its variants
        assert "no run" in usual.house.experiments_file.problem
        write("new")
        engines.look()
        assert {engines.of(user).run_id for user in ids} == {loaded.manifest.run_id, "another"}
        assert {engine.house.plan().experiments[0].name for engine in engines} == {"new"}
        assert usual.house.experiments_file.problem is None


# What is written is true


@pytest.mark.parametrize(("page", "model"), [("policy.md", Policy), ("experiments.md", Plan)])
def test_the_example_of_the_docs_can_be_used_and_names_every_key(page, model):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    used = model.model_validate(yaml.safe_load(example))
    assert used.model_fields_set == set(model.model_fields)
