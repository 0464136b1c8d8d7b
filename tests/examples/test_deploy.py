"""What the deployment examples say is true of this repository; nothing here starts a container."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from engine.cli import app
from engine.serve.line import Line
from engine.serve.line_settings import LineSettings
from engine.serve.meters import Meters

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "deploy"


def documents(name: str) -> list[dict]:
    return [doc for doc in yaml.safe_load_all((FOLDER / name).read_text("utf-8")) if doc]


def options_of(command: str) -> set[str]:
    found = get_command(app).commands[command]  # type: ignore[attr-defined]
    return {option for parameter in found.params for option in parameter.opts}


def served() -> dict[str, list[str]]:
    """The arguments with which each file starts the server."""
    [compose] = documents("compose.yaml")
    deployment = next(d for d in documents("kubernetes.yaml") if d["kind"] == "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    image = re.search(r"^CMD (\[.*\])$", (FOLDER / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert image is not None
    return {
        "compose": compose["services"]["server"]["command"],
        "kubernetes": container["args"],
        "dockerfile": yaml.safe_load(image[1]),
    }


@pytest.mark.parametrize("file", ["compose", "kubernetes", "dockerfile"])
def test_the_server_is_started_with_options_that_it_has(file):
    command, *arguments = served()[file]
    assert command == "serve"
    given = {one.partition("=")[0] for one in arguments if one.startswith("--")}
    assert given
    assert given <= options_of("serve")


def test_the_nightly_job_runs_commands_that_exist():
    job = next(d for d in documents("kubernetes.yaml") if d["kind"] == "CronJob")
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    lines = re.findall(r"^vitrine (\w+) (.*)$", container["args"][0], re.MULTILINE)
    assert [command for command, _ in lines] == ["update", "publish"]
    for command, rest in lines:
        assert set(re.findall(r"--[a-z-]+", rest)) <= options_of(command)
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_probes_ask_for_routes_that_exist():
    paths = {"/ready", "/health"}
    deployment = next(d for d in documents("kubernetes.yaml") if d["kind"] == "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    assert {container[probe]["httpGet"]["path"] for probe in probes} == paths
    source = (ROOT / "engine" / "serve" / "ready.py").read_text("utf-8")
    assert {path for path in paths if f'"{path}"' in source} == paths
    assert "/ready" in (FOLDER / "Dockerfile").read_text("utf-8")


def test_files_and_images_that_are_named_are_there():
    [compose] = documents("compose.yaml")
    build = compose["services"]["server"]["build"]
    assert (FOLDER / build["context"] / build["dockerfile"]).resolve() == FOLDER / "Dockerfile"
    for volume in compose["services"]["prometheus"]["volumes"]:
        if volume.startswith("./"):
            assert (FOLDER / volume.split(":")[0]).is_file()
    [prometheus] = documents("prometheus.yml")
    assert [(FOLDER / name).is_file() for name in prometheus["rule_files"]] == [True]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (FOLDER / "Dockerfile").read_text(), re.M)
    for names in copied:
        for name in names.split():
            assert (ROOT / name).exists(), name


def test_alerts_ask_for_metrics_that_are_given():
    line = Line(LineSettings(), lambda uid: None)
    meters = Meters(line, 1)
    assert b'vitrine_refused_total{why="busy"}' in meters.text()
    meters.requests.labels("POST /v1/recommend", "200")
    meters.seconds.labels("POST /v1/recommend")
    given = set(re.findall(r"^(vitrine_\w+)", meters.text().decode(), re.MULTILINE))
    given.add("vitrine_drift_psi")  # from the first `vitrine drift` on
    line.close()
    line.remove_folder()
    [alerts] = documents("alerts.yml")
    [group] = alerts["groups"]
    assert len(group["rules"]) == len({rule["alert"] for rule in group["rules"]})
    for rule in group["rules"]:
        asked = set(re.findall(r"vitrine_\w+", rule["expr"]))
        assert asked
        assert asked <= given, rule["alert"]
