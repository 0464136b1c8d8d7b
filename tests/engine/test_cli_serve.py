"""The operator's commands, as typed: what they say, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from test_publish import seal
from typer.testing import CliRunner, Result

from engine import cli_serve
from engine.cli_serve import numbers_of, seconds_of
from engine.serve.app import create_server
from engine.terminal import Commands

app = typer.Typer(cls=Commands)
for command in (
    cli_serve.serve,
    cli_serve.publish,
    cli_serve.rollback,
    cli_serve.runs,
    cli_serve.drift,
):
    app.command()(command)


@pytest.fixture
def family(tmp_path: Path) -> Path:
    seal(tmp_path / "shop" / "a", 1_000_000)
    seal(tmp_path / "shop" / "b", 2_000_000)
    return tmp_path / "shop"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_publish_list_and_roll_back(family):
    for name in ("a", "b"):
        assert f"Published {name}" in run("publish", family / name).output
    listed = run("runs", family).output
    assert [line for line in listed.splitlines() if "served" in line and " b " in line]
    assert "1970-01-24 03:33" in listed  # 2,000,000 s
    assert "Back to a" in run("rollback", family / "current").output
    again = run("rollback", family)
    assert again.exit_code == 1
    assert "nothing was published before" in again.output


def test_what_cannot_be_published_is_told(family, tmp_path):
    assert run("publish", tmp_path / "nothing").exit_code == 1
    (family / "a" / "content").write_text("other")
    told = run("publish", family / "a")
    assert told.exit_code == 1
    assert "altered" in told.output
    assert run("runs", tmp_path / "nothing").exit_code == 1


def test_a_run_is_checked_before_it_is_served(family):
    (family / "a" / "content").write_text("other")
    told = run("serve", family / "a")
    assert told.exit_code == 1
    assert "altered" in told.output


@pytest.mark.parametrize(("told", "seconds"), [("90m", 5_400), ("24h", 86_400), ("0.5d", 43_200)])
def test_a_span_has_a_unit(told, seconds):
    assert seconds_of(told) == seconds


@pytest.mark.parametrize("told", ["", "24", "h", "0h", "-1h", "1w", "1.2.3h"])
def test_no_other_span_is_taken(told):
    with pytest.raises(typer.BadParameter, match="24h"):
        seconds_of(told)


def test_gpus_are_numbers_each_once():
    assert numbers_of("0") == (0,)
    assert numbers_of("2,0") == (2, 0)
    for wrong in ("", "a", "0,", "0,0", "-1"):
        with pytest.raises(typer.BadParameter, match="0,1"):
            numbers_of(wrong)


def test_workers_take_gpus_in_turn(family, tmp_path):
    url = f"sqlite:///{tmp_path / 'store.db'}"
    server = create_server(family / "a", store_url=url, workers=3, gpus=(2, 0))
    assert [server.device_of(slot) for slot in range(3)] == ["cuda:2", "cuda:0", "cuda:2"]
    plain = create_server(family / "a", store_url=url, workers=2)
    assert [plain.device_of(slot) for slot in range(2)] == ["cpu", "cpu"]


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_is_a_port(family, port):
    told = run("serve", family / "a", "--port", port)
    assert told.exit_code == 2
    assert "--port" in told.output
