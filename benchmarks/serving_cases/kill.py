"""kill -9 under load, again and again: nothing acknowledged may be lost, and it must come back."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from benchmarks.serving_cases.events import batch_of
from benchmarks.serving_cases.servers import Served, served

WRITERS = 4
LEAST_BETWEEN = 20
"""Events that are acknowledged between two kills."""


@dataclass(frozen=True, slots=True)
class Killed:
    """What the kills did."""

    workers: int
    servers: int
    acknowledged: int
    lost: int
    back_s_p50: float
    back_s_max: float
    """From the kill of the server to the next acknowledged event."""
    worker_back_s_p50: float
    worker_back_s_max: float
    """From the kill of a worker until there are as many as before, warm."""
    failed_by_workers: int
    """Requests that a worker's death failed."""


@dataclass(slots=True)
class Crowd:
    """Threads that post events, and ask for lists, all the time."""

    server: Served
    item: str
    acknowledged: set[str] = field(default_factory=set)
    failed: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        """Post one event after another until told to stop."""
        with httpx.Client(base_url=self.server.url, timeout=30) as client:
            while not self.done.is_set():
                try:
                    self._post(client)
                except httpx.TransportError:
                    self.failed += 1
                    time.sleep(0.05)

    def _post(self, client: httpx.Client) -> None:
        while not self.done.is_set():
            event_id = uuid.uuid4().hex
            answer = client.post(
                "/v1/events",
                content=batch_of([event_id], self.item),
                headers={"Content-Type": "application/json"},
            )
            if answer.status_code == 200:
                self.acknowledged.add(event_id)
            else:
                self.failed += 1
            client.post("/v1/recommend", json={"user_id": "u", "k": 5})


def kill_under_load(run: Path, *, times: int, server_every: int = 5) -> Killed:
    """Kill ``times`` times: the whole server first and every so often, else a worker."""
    with served(run, "--workers", "2") as server:
        crowd = Crowd(server, _an_item(server))
        threads = [threading.Thread(target=crowd.write, daemon=True) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        back_s: list[float] = []
        worker_back_s: list[float] = []
        failed_by_workers = 0
        for number in range(times):
            _until_acknowledged(crowd, len(crowd.acknowledged) + LEAST_BETWEEN)
            failed = crowd.failed
            if number % server_every == 0:
                back_s.append(_kill_server(server, crowd))
            else:
                worker_back_s.append(_kill_worker(server, crowd))
                failed_by_workers += crowd.failed - failed
        crowd.done.set()
        for thread in threads:
            thread.join(60)
        lost = len(crowd.acknowledged - server.stored_events())
    return Killed(
        len(worker_back_s),
        len(back_s),
        len(crowd.acknowledged),
        lost,
        *_median_and_most(back_s),
        *_median_and_most(worker_back_s),
        failed_by_workers,
    )


def _kill_server(server: Served, crowd: Crowd) -> float:
    started = time.perf_counter()
    server.kill()
    server.start()
    _until_acknowledged(crowd, len(crowd.acknowledged) + 1)
    return time.perf_counter() - started


def _kill_worker(server: Served, crowd: Crowd) -> float:
    """And wait until there are two again."""
    started = time.perf_counter()
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    while victim in (now := server.workers()) or len(now) < 2:
        time.sleep(0.1)
    took_s = time.perf_counter() - started
    _until_acknowledged(crowd, len(crowd.acknowledged) + 1)
    return took_s


def _median_and_most(seconds: Sequence[float]) -> tuple[float, float]:
    return (float(np.median(seconds)), max(seconds)) if seconds else (0.0, 0.0)


def _until_acknowledged(crowd: Crowd, n: int) -> None:
    give_up_at = time.monotonic() + 120
    while len(crowd.acknowledged) < n:
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"no event was acknowledged for 120 s: {crowd.server.log}")
        time.sleep(0.01)


def _an_item(server: Served) -> str:
    answer = httpx.post(f"{server.url}/v1/recommend", json={"user_id": "u", "k": 1}, timeout=60)
    return str(answer.json()["items"][0]["item"]["item_id"])
