"""The command line, as a person types it."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.dataset import Dataset

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "ingest",
    "encode",
    "tune-encoder",
    "train",
    "update",
    "evaluate",
    "compare",
    "recommend",
    "similar",
    "complements",
    "search",
    "graph",
    "serve",
    "demo",
    "tune",
    "policy",
    "experiment",
    "publish",
    "rollback",
    "runs",
    "drift",
    "chat",
    "mcp",
}
CONTROL = "\x1b"


def vitrine(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def in_process_of_its_own(
    *arguments: str | Path, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from engine.cli import app; app()", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd or ROOT, env=environment(), capture_output=True, text=True, timeout=300
    )


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}


def write_csv(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def group() -> typer.core.TyperGroup:
    found = typer.main.get_command(app)
    assert isinstance(found, typer.core.TyperGroup)
    return found


# --- help


def examples() -> Iterator[tuple[str, list[str]]]:
    """Words of the group or command that answers, and the example."""
    for name, command in group().commands.items():
        parts = getattr(command, "commands", {})
        told = [command, *parts.values()]
        for line in "\n\n".join(one.epilog for one in told if one.epilog).split("\n\n"):
            yield name, shlex.split(line.removeprefix("Example: "))


def test_the_commands_are_those_of_the_readme_and_each_shows_an_example():
    assert set(group().commands) == COMMANDS
    assert {name for name, _ in examples()} == COMMANDS
    for name in COMMANDS:
        shown = vitrine(name, "--help")
        assert shown.exit_code == 0
        assert f"Example: vitrine {name}" in shown.output


@pytest.mark.parametrize(("name", "words"), list(examples()), ids=lambda value: " ".join(value))
def test_the_examples_parse(name, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rules = ("runs/shop/state/policy.yaml", "runs/shop/state/experiments.yaml", "spring.yaml")
    for file in ("shop.yaml", "photo.jpg", "room.jpg", *rules):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()

    assert words[:2] == ["vitrine", name]
    command, rest = group().commands[name], words[2:]
    parts = getattr(command, "commands", {})
    if parts:
        command, rest = parts[rest[0]], rest[1:]
    command.make_context(name, rest)  # raises where an option is wrong


# --- errors


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["recommend", "no-run", "ann"], 1, "no-run is not a run"),
        (["evaluate", "no-data", "no-run"], 2, "no-data is not a dataset"),
        (["serve", "no-run"], 1, "no-run is not a run"),
        (["train", "no-data", "run"], 2, "no-data is not a dataset"),
        (["ingest", "no-mapping.yaml", "out"], 2, "no-mapping.yaml"),
        (["ingest", "out", "--items", "none.csv"], 2, "none.csv"),
        (["ingest", "out"], 2, "no file of items or of events"),
        (["ingest", "out", "--items", "i.csv", "--time-zone", "Mars"], 2, "Europe/London"),
        (["recommend", "no-run", "ann", "--time", "soon"], 2, "2017-12-22T18:30"),
        (["recommend", "no-run", "ann", "--query", ""], 2, "query"),
        (["train", "no-data", "run", "--config", "typo.yaml"], 2, "epoch"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_known_error_is_one_line_and_an_exit_code(arguments, code, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "typo.yaml").write_text("graph: {epoch: 3}\n")

    result = vitrine(*arguments)

    assert result.exit_code == code
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ingest", "a", "b", "c"], "expected [MAPPING.yaml] OUT"),
        (["search", "no-run"], "neither words nor a photo"),
        (["recommend", "no-run", "ann", "-k", "0"], "-k"),
        (["search", "no-run", "--image", "none.jpg"], "none.jpg"),
        (["demo", "--households", "0"], "--households"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_says_what_was_expected(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = vitrine(*arguments)

    assert result.exit_code == 2
    assert said in re.sub(r"[│\s]+", " ", result.stderr)


def test_the_shell_sees_the_exit_code_and_no_traceback(tmp_path):
    refused = in_process_of_its_own("recommend", "no-run", "ann", cwd=tmp_path)

    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "Traceback" not in refused.stderr
    assert CONTROL not in refused.stderr


def test_debug_shows_the_traceback(tmp_path):
    refused = in_process_of_its_own("--debug", "recommend", "no-run", "ann", cwd=tmp_path)

    assert refused.returncode == 1
    assert "Traceback" in refused.stderr
    assert "ManifestError" in refused.stderr


# --- another shop's files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kiosk: everyone buys one kind of thing, again and again."""
    folder = tmp_path_factory.mktemp("kiosk")
    kinds = ("tea", "bread", "soap", "wool")
    items = [
        {"sku": f"{kind}-{i}", "name": f"{kind.title()} number {i}", "category": kind, "price": i}
        for kind in kinds
        for i in range(1, 31)
    ]
    items.append({"sku": "tea-1", "name": "Twice", "category": "tea", "price": 1})
    write_csv(folder / "items.csv", items)
    rng = np.random.default_rng(0)
    start = datetime(2024, 1, 1, 12, tzinfo=UTC)
    events = [
        {
            "customer": f"customer-{user}",
            "sku": f"{kinds[user % 4]}-{rng.integers(1, 31)}",
            "time": (start + timedelta(days=int(day), hours=user % 8)).isoformat(),
            "order": f"{user}-{day}",
        }
        for user in range(40)
        for day in range(user % 5, 120, 5)
        for _ in range(2)
    ]
    events.append({"customer": "x", "sku": "gone", "time": start.isoformat(), "order": "y"})
    events.append({"customer": "x", "sku": "tea-2", "time": "yesterday", "order": "y"})
    write_csv(folder / "sales.csv", events)
    return folder


def test_ingest_by_flags_counts_what_it_turns_away(files, tmp_path):
    read = ["--items", files / "items.csv", "--events", files / "sales.csv"]

    result = vitrine("ingest", tmp_path / "shop", *read, "--kind", "purchase", "--currency", "EUR")

    assert result.exit_code == 0, result.output
    dataset = Dataset.open(tmp_path / "shop")
    assert dataset.settings.name == "shop"
    assert dataset.items.height == 120
    assert dataset.events.height == 2 * 40 * 24
    rejects = pl.read_parquet(tmp_path / "shop" / "rejects.parquet")
    assert rejects.select("table", "line", "reason").rows() == [
        ("items", 122, "duplicate item_id"),
        ("events", 1922, "unknown item"),
        ("events", 1923, "timestamp is not a time"),
    ]
    assert "unknown item" in result.output


def test_ingest_by_mapping_takes_other_files_from_flags(files, tmp_path):
    (tmp_path / "shop.yaml").write_text(
        "settings: {name: Kiosk, time_zone: Europe/Paris}\n"
        "items: {files: elsewhere.csv}\n"
        "events:\n"
        "  files: elsewhere.csv\n"
        "  columns: {user_id: customer, item_id: sku, timestamp: time, session_id: order}\n"
        "  constants: {kind: purchase}\n"
    )
    read = ["--items", files / "items.csv", "--events", files / "sales.csv"]

    result = vitrine("ingest", tmp_path / "shop.yaml", tmp_path / "shop", *read)

    assert result.exit_code == 0, result.output
    dataset = Dataset.open(tmp_path / "shop")
    assert dataset.settings.name == "Kiosk"
    assert dataset.events["session_id"].n_unique() == 40 * 24


def test_files_to_recommendations(files, tmp_path):
    """Ingest, train, evaluate and recommend; the planted habit is found."""
    read = ["--items", files / "items.csv", "--events", files / "sales.csv", "--kind", "purchase"]
    assert vitrine("ingest", tmp_path / "shop", *read).exit_code == 0
    config = tmp_path / "quick.yaml"
    config.write_text("graph: {epochs: 1}\nrerank: {weeks: 6, max_requests: 200, epochs: 2}\n")
    run = tmp_path / "runs" / "shop"

    trained = vitrine(
        "train", tmp_path / "shop", run, "--config", config, "--hold-out-weeks", "2", "--seed", "3"
    )
    figures = tmp_path / "figures.json"
    report = tmp_path / "reports" / "shop.html"
    measured = vitrine("evaluate", tmp_path / "shop", run, "--json", figures, "--report", report)
    answered = vitrine("recommend", run, "customer-1", "-k", "5", "--json")

    assert trained.exit_code == 0, trained.output
    assert CONTROL not in trained.output
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["settings"]["seed"] == 3
    cut = datetime(2024, 4, 30, tzinfo=UTC) - timedelta(weeks=2)  # the last sale is on April 29
    assert manifest["as_of_unix_s"] == cut.timestamp()
    assert measured.exit_code == 0, measured.output
    assert json.loads(figures.read_text())["table"]["rows"][0]["all_items"]["n_users"] == 40
    assert f"vitrine evaluate {tmp_path / 'shop'} {run}" in report.read_text("utf-8")
    assert answered.exit_code == 0, answered.output
    assert {slot["item"]["categories"][0] for slot in json.loads(answered.stdout)} == {"bread"}


def test_train_takes_one_end_of_training(files, tmp_path):
    assert vitrine("ingest", tmp_path / "shop", "--items", files / "items.csv").exit_code == 0

    both = vitrine(
        "train", tmp_path / "shop", tmp_path / "run", "--as-of", "2024-02-01", "--hold-out-weeks", 1
    )
    nothing = vitrine("train", tmp_path / "shop", tmp_path / "run")

    assert both.exit_code == 2
    assert "expected one of them" in re.sub(r"[│\s]+", " ", both.stderr)
    assert nothing.exit_code == 2
    assert "has no events" in nothing.stderr


# --- a trained run


def test_recommend_is_what_the_engine_says(small_run):
    from engine import Engine, Scene

    scene = Scene(time="2017-12-05T18:30")
    with Engine.open(small_run) as engine:
        shopper = engine.shoppers(limit=1)[0].user_id
        expected = engine.recommend(shopper, scene, k=4)

    as_json = vitrine(
        "recommend", small_run, shopper, "--time", "2017-12-05T18:30", "-k4", "--json"
    )
    as_table = vitrine("recommend", small_run, shopper, "--time", "2017-12-05T18:30", "-k4")

    found = json.loads(as_json.stdout)
    assert [slot["item"]["item_id"] for slot in found] == [r.item.item_id for r in expected]
    assert [slot["score"] for slot in found] == pytest.approx([r.score for r in expected])
    assert [slot["reason"] for slot in found] == [r.reason for r in expected]
    for slot in expected:
        assert slot.item.item_id in as_table.stdout


def test_similar_and_search_find_things(small_run):
    milk = json.loads(vitrine("search", small_run, "milk", "-k", "3", "--json").stdout)
    assert all("milk" in slot["item"]["title"].lower() for slot in milk)

    of = milk[0]["item"]["item_id"]
    like_it = json.loads(vitrine("similar", small_run, of, "-k", "3", "--json").stdout)
    assert len(like_it) == 3
    assert of not in {slot["item"]["item_id"] for slot in like_it}

    unknown = vitrine("similar", small_run, "product-none")
    assert unknown.exit_code == 2
    assert "product-none" in unknown.stderr


def test_a_photo_that_is_none_is_bad_input(small_run, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"not a picture")

    refused = vitrine("search", small_run, "--image", tmp_path / "photo.jpg")

    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: --image: ")


def test_serve_refuses_an_address_that_is_not_of_this_machine(small_run):
    refused = vitrine("serve", small_run, "--host", "example.com")

    assert refused.exit_code == 2
    assert "example.com" in refused.stderr


def test_serve_refuses_a_port_that_is_taken(small_run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = vitrine("serve", small_run, "--port", port)

    assert refused.exit_code == 2
    assert f"{port} cannot be listened on" in re.sub(r"[│\s]+", " ", refused.stderr)


# --- the demo


def demo_until(line: str, folder: Path) -> tuple[int, str, str]:
    """Run the demo and press Ctrl-C when it prints a line; its exit code and what it said."""
    command = [sys.executable, "-c", "from engine.cli import app; app()"]
    command += ["demo", "--households", "150", "--no-serve"]
    command += ["--folder", str(folder / "run"), "--data", str(folder / "data")]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    assert process.stdout is not None
    for text in process.stdout:
        said.append(" ".join(text.split()))
        if said[-1] == line:
            process.send_signal(signal.SIGINT)
            break
    rest, complaints = process.communicate(timeout=120)
    return process.returncode, "\n".join(said) + rest, complaints


def test_the_demo_resumes_after_ctrl_c(small_dataset, tmp_path):
    code, said, complaints = demo_until("encode begins", tmp_path)

    assert code == 130
    assert "dataset begins" in said
    assert "Run again: it resumes." in complaints
    assert "Traceback" not in complaints
    assert not (tmp_path / "run").exists()

    code, said, _ = demo_until("dataset cached", tmp_path)
    assert code == 130
    assert "dataset begins" not in said


def test_half_a_dataset_is_made_again(small_dataset, tmp_path):
    from engine.demo.run import demo_dataset
    from engine.stages import Silent

    folder = tmp_path / "data-150"
    shutil.copytree(small_dataset, folder)
    begun: list[bool] = []

    class Listener(Silent):
        def begin(self, stage: str, *, cached: bool) -> None:
            begun.append(cached)

    whole = demo_dataset(tmp_path / "data", Listener(), households=150)
    (folder / "events.parquet").write_bytes(b"")
    again = demo_dataset(tmp_path / "data", Listener(), households=150)

    assert begun == [True, False]
    assert again.hash == whole.hash == Dataset.open(small_dataset).hash


# --- the package


def test_importing_engine_loads_nothing_heavy():
    code = "import engine, sys; print(*sorted({'torch', 'polars', 'numpy'} & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split() == []


def test_the_public_names_are_sorted_and_there():
    import engine

    assert engine.__all__ == sorted(engine.__all__)
    for name in engine.__all__:
        assert getattr(engine, name).__name__ == name
    assert set(engine.__all__) <= set(dir(engine))
    with pytest.raises(AttributeError, match="Shop"):
        engine.Shop  # noqa: B018


def test_the_wheel_holds_the_page_and_the_data(tmp_path):
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("setuptools is older than 77: pip install 'setuptools>=77'")
    source = tmp_path / "source"
    leave = shutil.ignore_patterns("__pycache__")
    for package in ("engine", "encoders", "graph", "retrieval"):
        shutil.copytree(ROOT / package, source / package, ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", source)
    (source / "README.md").touch()
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path]

    subprocess.run([sys.executable, "-m", "pip", *build, source], check=True)

    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    suffixes = {".py", ".typed", ".json", ".txt", ".yaml", ".safetensors", ".html", ".css", ".js"}
    expected = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.*")
        if path.suffix in suffixes | {".svg"} and "build" not in path.parts
    }
    packaged = {name for name in expected if "/" in name and ".egg-info" not in name}
    assert packaged <= held, packaged - held
    assert "engine/serve/page/index.html" in held
    assert "engine/demo/complete_journey.yaml" in held
