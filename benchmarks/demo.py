"""The demo's figures: quality against the best baseline, latency against the bare kernels.

    python -m benchmarks.demo [RUN]

Needs a run that ``make demo`` made: its evaluation is read, its latency measured here. Latencies
are of one request at a time; the kernels (the raw FAISS call and the bare forward pass) see the
same inputs in the same loop, so that their ratio does not depend on the machine's mood.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import torch

from benchmarks import pages
from benchmarks.cases import RESULTS, Case, markdown, measured, write
from engine import Engine, Scene
from engine.scoring import Asked, prepare

COMMAND = "make bench-demo"
REQUESTS = 300
WARM_UP = 30
THREADS = 1


def main() -> None:
    """Measure, write ``results/demo.json``, print the table."""
    run = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")
    cases = [*_quality(run), *_latency(run), *_http(run), *_minutes(run)]
    write("demo", cases)
    pages.main()
    print(markdown("demo"))


def _quality(run: Path) -> Iterator[Case]:
    run_id = json.loads((run / "manifest.json").read_text("utf-8"))["run_id"]
    folder = run.with_name(f"{run.name}-evaluation")
    figures = json.loads((folder / f"{run_id}.json").read_text("utf-8"))
    table = (folder / f"{run_id}.md").read_text("utf-8")
    RESULTS.joinpath("demo_table.md").write_text(table, "utf-8")
    for case, key, target in (
        ("ndcg10_all_ratio", "all_ratio", ">= 1.15"),
        ("ndcg10_new_ratio", "new_ratio", ">= 1.25"),
    ):
        yield measured(case, figures[key]["estimate"], "x", target, command=COMMAND)
        for bound in ("low", "high"):
            yield measured(f"{case}_{bound}", figures[key][bound], "x", command=COMMAND)


def _latency(run: Path) -> Iterator[Case]:
    torch.set_num_threads(THREADS)
    whole, kernels = [], []
    with Engine.open(run) as engine:
        for i, (user, scene) in enumerate(_asked(engine)):
            started = time.perf_counter()
            engine.recommend(user, scene, k=10)
            took = time.perf_counter() - started
            bare = _kernels(engine, user, scene)
            if i >= WARM_UP:
                whole.append(took)
                kernels.append(bare)
    ms, bare_ms = 1e3 * np.array(whole), 1e3 * np.array(kernels)
    ratio = float(np.median(ms) / np.median(bare_ms))
    yield measured("recommend_kernel_ratio", ratio, "x", "<= 1.5", command=COMMAND)
    p50, p99 = np.percentile(ms, [50, 99])
    yield measured("recommend_p50_ms", float(p50), "ms", "<= 3", command=COMMAND)
    yield measured("recommend_p99_ms", float(p99), "ms", "<= 8", command=COMMAND)


def _asked(engine: Engine) -> list[tuple[str, Scene]]:
    rng = np.random.default_rng(0)
    users = engine.run.vocabulary.users
    places = engine.places()[:20]
    n = REQUESTS + WARM_UP
    chosen = rng.integers(0, len(users), n)
    hours = rng.integers(8, 21, n)
    return [
        (
            users.id(int(u)),
            Scene(time=engine.as_of + timedelta(hours=int(h)), place=places[i % len(places)]),
        )
        for i, (u, h) in enumerate(zip(chosen, hours, strict=True))
    ]


def _kernels(engine: Engine, user: str, scene: Scene) -> float:
    """Seconds of the raw FAISS search and the bare forward pass of one request."""
    run = engine.run
    ready = prepare(run, Asked(user, engine.moment_of(scene), ()))
    n = 2 * run.config.candidates.graph
    started = time.perf_counter()
    run.by_taste.search(ready.user_vector[None], n)
    with torch.inference_mode():
        run.model(ready.batch)
    return time.perf_counter() - started


def _http(run: Path) -> Iterator[Case]:
    with Engine.open(run) as engine:
        asked = [
            {
                "user_id": user,
                "scene": {"time": scene.time.isoformat(), "place": scene.place},
                "k": 10,
            }
            for user, scene in _asked(engine)
            if scene.time is not None
        ]
    with _server(run) as url, httpx.Client(base_url=url, timeout=30) as client:
        took = []
        for body in asked:
            started = time.perf_counter()
            client.post("/v1/recommend", json=body).raise_for_status()
            took.append(time.perf_counter() - started)
    p99 = float(np.percentile(1e3 * np.array(took[WARM_UP:]), 99))
    yield measured("http_p99_ms", p99, "ms", "<= 40", command=COMMAND)


@contextlib.contextmanager
def _server(run: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.serve", str(run), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                    break
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _minutes(run: Path) -> Iterator[Case]:
    """Minutes of every stage of the demo, as the run that made it took them."""
    log = run.with_name(f"{run.name}-seconds.json")
    seconds = json.loads(log.read_text("utf-8"))
    for stage, took in seconds.items():
        yield measured(f"seconds_{stage}", took, "s", command="make demo")
    total = sum(seconds.values()) / 60
    yield measured("demo_train_minutes", total, "min", "<= 12", command="make demo")


if __name__ == "__main__":
    main()
