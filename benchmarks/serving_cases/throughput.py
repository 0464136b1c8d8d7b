"""HTTP against the engine in process, and LitServe with batching against a bare FastAPI app."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving_cases.load import Load, closed_loop, recommend_bodies
from benchmarks.serving_cases.servers import ENVIRONMENT, Served, bare_fastapi, served
from engine.recommend import Engine
from engine.scene import Scene

CONNECTIONS = 16
SHOPPERS = 200
WARM_S = 3
PATH = "/v1/recommend"


@dataclass(frozen=True, slots=True)
class Compared:
    """One way of serving the engine, at 1 and at 16 connections."""

    name: str
    alone: Load
    busy: Load


def http_against_process(run: Path, *, workers: int, seconds: int) -> tuple[Load, float]:
    """HTTP at 16 connections, and lists a second of as many processes without HTTP."""
    with served(run, "--workers", str(workers)) as server:
        busy = _measure(server, bodies_of(run), CONNECTIONS, seconds)
    return busy, in_process_per_s(run, processes=workers, seconds=seconds)


def compare(run: Path, *, workers: int, seconds: int) -> Iterator[Compared]:
    """LitServe with batches, LitServe without, FastAPI as a shop would write it."""
    bodies, w = bodies_of(run), str(workers)
    for name, options in (("LitServe, batches of 4", "4"), ("LitServe, one by one", "1")):
        with served(run, "--workers", w, "--batch", options) as server:
            yield _both(name, server, bodies, seconds)
    for processes in sorted({1, workers}):
        with bare_fastapi(run, processes) as server:
            yield _both(f"FastAPI, {processes} process(es)", server, bodies, seconds)


def bodies_of(run: Path) -> list[str]:
    """A request for each of the busiest shoppers, at the end of what the run learned."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'store.sqlite'}"
        with Engine.open(run, store_url=url) as engine:
            users = [shopper.user_id for shopper in engine.shoppers(limit=SHOPPERS)]
            return recommend_bodies(users, engine.as_of.isoformat())


def in_process_per_s(run: Path, *, processes: int, seconds: int) -> float:
    """Logged lists a second, without a server, by as many processes as a server has workers."""
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{Path(folder) / 'store.sqlite'}"
        command = [sys.executable, "-m", __name__, str(run), store, str(seconds)]
        started = [
            subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT}
            )
            for _ in range(processes)
        ]
        return sum(float(one.communicate()[0]) for one in started)


def _both(name: str, server: Served, bodies: Sequence[str], seconds: int) -> Compared:
    return Compared(
        name,
        _measure(server, bodies, 1, seconds),
        _measure(server, bodies, CONNECTIONS, seconds),
    )


def _measure(server: Served, bodies: Sequence[str], connections: int, seconds: int) -> Load:
    closed_loop(server.url, PATH, bodies, connections=connections, seconds=WARM_S)
    return closed_loop(server.url, PATH, bodies, connections=connections, seconds=seconds)


def main() -> None:
    """One process of :func:`in_process_per_s`: prints its lists a second."""
    import torch

    torch.set_num_threads(1)
    run, store, seconds = sys.argv[1:]
    with Engine.open(run, store_url=store) as engine:
        users = [shopper.user_id for shopper in engine.shoppers(limit=SHOPPERS)]
        scene = Scene(time=engine.as_of)
        for user in users[:20]:
            engine.answer(user, scene)
        # All processes count over the same wall clock, or one would have the machine to itself.
        begin = (time.time() // 5 + 2) * 5
        time.sleep(max(0.0, begin - time.time()))
        n, end = 0, time.perf_counter() + float(seconds)
        while time.perf_counter() < end:
            engine.answer(users[n % len(users)], scene)
            n += 1
    print(n / float(seconds))


if __name__ == "__main__":
    main()
