"""Five times what it can answer, for a while: what is refused, what is kept, how it recovers."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving_cases.events import batch_of
from benchmarks.serving_cases.load import Caller, Told, closed_loop, open_loop
from benchmarks.serving_cases.servers import Served, served
from benchmarks.serving_cases.throughput import CONNECTIONS, PATH, bodies_of

TIMES = 5
EVENT_EVERY = 5
"""One request in five is an event."""
MOST_CONNECTIONS = 800
RECOVERED = 2.0
"""Times the usual p50."""


@dataclass(frozen=True, slots=True)
class Overloaded:
    """What a flood did."""

    capacity_per_s: float
    answered: int
    refused: int
    """503 or 429."""
    broken: int
    """Anything else: other statuses, connections that broke."""
    unsent: int
    """What the client did not send, as all of its connections waited for an answer."""
    refusal_ms_p99: float
    answer_ms_p99: float
    growth_mb: float
    """Of the memory, from before the flood to its peak."""
    recovered_s: float
    lost: int
    """Acknowledged events that are not in the store."""


def overload(run: Path, *, workers: int, seconds: float) -> Overloaded:
    """Find the capacity, ask five times that, look at what is left."""
    bodies = bodies_of(run)
    with served(run, "--workers", str(workers)) as server:
        usual = closed_loop(server.url, PATH, bodies, connections=CONNECTIONS, seconds=4)
        calm = asyncio.run(_calm_ms(server.port, bodies))
        told, acknowledged, unsent, growth_mb = asyncio.run(
            _flood(server, bodies, usual.per_s * TIMES, seconds)
        )
        recovered_s = asyncio.run(_recovery(server.port, bodies, calm * RECOVERED))
        lost = len(acknowledged - server.stored_events())
    refused = told.statuses[503] + told.statuses[429]
    return Overloaded(
        usual.per_s,
        told.statuses[200],
        refused,
        told.statuses.total() - told.statuses[200] - refused,
        unsent,
        told.percentile_ms(99, 503, 429),
        told.percentile_ms(99, 200),
        growth_mb,
        recovered_s,
        lost,
    )


async def _flood(
    server: Served, bodies: list[str], per_s: float, seconds: float
) -> tuple[Told, set[str], int, float]:
    told, acknowledged = Told(), set[str]()
    item = await _an_item(server.port)
    before_mb, peak_mb = server.resident_mb(), 0.0

    async def ask(caller: Caller, number: int) -> None:
        if number % EVENT_EVERY:
            await caller.post(PATH, bodies[number % len(bodies)], told)
            return
        event_id = uuid.uuid4().hex
        status, _ = await caller.post("/v1/events", batch_of([event_id], item), told)
        if status == 200:
            acknowledged.add(event_id)

    async def watch() -> None:
        nonlocal peak_mb
        while True:
            peak_mb = max(peak_mb, await asyncio.to_thread(server.resident_mb))
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    unsent = await open_loop(
        ask, port=server.port, per_s=per_s, seconds=seconds, most=MOST_CONNECTIONS
    )
    watching.cancel()
    return told, acknowledged, unsent, peak_mb - before_mb


async def _calm_ms(port: int, bodies: list[str]) -> float:
    caller, told = Caller(port), Told()
    for body in bodies[:40]:
        await caller.post(PATH, body, told)
    await caller.close()
    return told.percentile_ms(50, 200)


async def _recovery(port: int, bodies: list[str], within_ms: float) -> float:
    """Seconds until five lists in a row take no longer than that."""
    caller, started, in_a_row = Caller(port), time.perf_counter(), 0
    while in_a_row < 5:
        told = Told()
        await caller.post(PATH, bodies[in_a_row], told)
        quick = told.statuses[200] and told.percentile_ms(50, 200) <= within_ms
        in_a_row = in_a_row + 1 if quick else 0
        if time.perf_counter() - started > 60:
            break
    await caller.close()
    return time.perf_counter() - started


async def _an_item(port: int) -> str:
    caller = Caller(port)
    _, body = await caller.post(PATH, '{"user_id": "u", "k": 1}', Told())
    await caller.close()
    return str(json.loads(body)["items"][0]["item"]["item_id"])
