"""Events: how soon the next list shows one, and how many a second are kept for good."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.serving_cases.load import Caller, Told
from benchmarks.serving_cases.servers import Served, served
from benchmarks.serving_cases.throughput import bodies_of

BATCH = 500


@dataclass(frozen=True, slots=True)
class Visible:
    """From an event to the list that shows it."""

    stored_ms_p99: float
    """From posting the event to its acknowledgement."""
    seen_ms_p50: float
    seen_ms_p99: float
    """From posting the event to the next list, received."""
    unseen: int
    """Lists that did not know of an acknowledged event."""


def event_visible(run: Path, *, workers: int, rounds: int) -> Visible:
    """A shopper waves the first item of a list away; the next list must not hold it."""
    bodies = bodies_of(run)
    with served(run, "--workers", str(workers)) as server:
        return asyncio.run(_rounds(server.port, bodies, rounds))


async def _rounds(port: int, bodies: list[str], rounds: int) -> Visible:
    caller, told = Caller(port), Told()
    stored, seen, unseen = [], [], 0
    for number in range(rounds):
        body = bodies[number % len(bodies)]
        first = _items(await caller.post("/v1/recommend", body, told))[0]
        asked = json.loads(body)
        event = _dismissal(asked["user_id"], first, asked["scene"]["time"])
        started = time.perf_counter()
        status, _ = await caller.post("/v1/events", event, told)
        at = time.perf_counter()
        after = _items(await caller.post("/v1/recommend", body, told))
        seen.append(time.perf_counter() - started)
        stored.append(at - started)
        unseen += status != 200 or first in after
    await caller.close()
    p50, p99 = np.percentile(seen, [50, 99]) * 1e3
    return Visible(float(np.percentile(stored, 99)) * 1e3, float(p50), float(p99), unseen)


def _items(answer: tuple[int, bytes]) -> list[str]:
    status, body = answer
    if status != 200:
        raise RuntimeError(f"got status {status}: {body[:500]!r}")
    return [slot["item"]["item_id"] for slot in json.loads(body)["items"]]


def _dismissal(user_id: str, item_id: str, time_: str) -> str:
    return json.dumps(
        {"user_id": user_id, "item_id": item_id, "kind": "dismiss", "timestamp": time_}
    )


def durable_per_s(run: Path, *, seconds: float, writers: int = 4) -> tuple[float, int]:
    """Events a second in batches, over HTTP into SQLite, and how many of them were lost."""
    with served(run) as server:
        acknowledged, elapsed_s = asyncio.run(_write(server, seconds, writers))
        lost = len(acknowledged - server.stored_events())
    return len(acknowledged) / elapsed_s, lost


async def _write(server: Served, seconds: float, writers: int) -> tuple[set[str], float]:
    first = Caller(server.port)
    item = _items(await first.post("/v1/recommend", '{"user_id": "u", "k": 1}', Told()))[0]
    await first.close()
    acknowledged: set[str] = set()
    started = time.perf_counter()

    async def write(writer: int) -> None:
        caller, told = Caller(server.port), Told()
        while time.perf_counter() - started < seconds:
            ids = [uuid.uuid4().hex for _ in range(BATCH)]
            status, _ = await caller.post("/v1/events", batch_of(ids, item), told)
            if status == 200:
                acknowledged.update(ids)
        await caller.close()

    await asyncio.gather(*(write(n) for n in range(writers)))
    return acknowledged, time.perf_counter() - started


def batch_of(ids: list[str], item_id: str) -> str:
    """Views of one item by many shoppers, as the body of ``POST /v1/events``."""
    return json.dumps(
        [
            {"event_id": one, "user_id": f"bench-{one[:3]}", "item_id": item_id, "kind": "view"}
            for one in ids
        ]
    )
