"""A day of traffic in minutes: what the server's memory does."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.serving_cases.events import batch_of
from benchmarks.serving_cases.load import Caller, Told
from benchmarks.serving_cases.servers import Served, served
from benchmarks.serving_cases.throughput import PATH, bodies_of

WARM_SHARE = 0.25
"""Of the time; what memory does until then is warming up."""
SAMPLE_S = 2.0
CONNECTIONS = 8
NEW_USER_EVERY, EVENT_EVERY, WORDS_EVERY = 7, 4, 5
WORDS = ("birthday cake", "something light for lunch", "barbecue", "coffee", "for the baby")


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a soak did to memory."""

    requests: int
    wrong: dict[int, int]
    """Answers that were no 200, by status."""
    warm_mb: float
    end_mb: float
    growth: float
    """Share, from the end of the warm-up to the end; both the median of a tenth of the time."""


def soak(run: Path, *, workers: int, minutes: float) -> Soaked:
    """Lists for known and new shoppers, with words and without, and events, around the clock."""
    bodies = bodies_of(run)
    with served(run, "--workers", str(workers)) as server:
        told, samples = asyncio.run(_day(server, bodies, minutes * 60))
    tenth = max(1, len(samples) // 10)
    warm = float(np.median(samples[int(len(samples) * WARM_SHARE) :][:tenth]))
    end = float(np.median(samples[-tenth:]))
    wrong = {status: n for status, n in told.statuses.items() if status != 200}
    return Soaked(told.statuses.total(), wrong, warm, end, end / warm - 1)


async def _day(server: Served, bodies: list[str], seconds: float) -> tuple[Told, list[float]]:
    told, samples = Told(), list[float]()
    item = await _item(server.port, bodies[0])
    started = time.perf_counter()

    async def shop(first: int) -> None:
        caller, number = Caller(server.port), first
        while (elapsed := time.perf_counter() - started) < seconds:
            hours = timedelta(hours=24 * elapsed / seconds)
            if number % EVENT_EVERY == 0:
                event = batch_of([uuid.uuid4().hex], item)
                await caller.post("/v1/events", event, told)
            else:
                body = _changed(bodies[number % len(bodies)], number, hours)
                await caller.post(PATH, body, told)
            number += CONNECTIONS
        await caller.close()

    async def watch() -> None:
        while True:
            samples.append(await asyncio.to_thread(server.resident_mb))
            await asyncio.sleep(SAMPLE_S)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(shop(n) for n in range(CONNECTIONS)))
    watching.cancel()
    return told, samples


def _changed(body: str, number: int, later: timedelta) -> str:
    """The request at another hour, at times by somebody new, at times with words."""
    asked = json.loads(body)
    at = datetime.fromisoformat(asked["scene"]["time"]) + later
    asked["scene"]["time"] = at.isoformat()
    if number % NEW_USER_EVERY == 0:
        asked["user_id"] = f"new-{number}"
    if number % WORDS_EVERY == 0:
        asked["scene"]["query"] = WORDS[number % len(WORDS)]
    return json.dumps(asked)


async def _item(port: int, body: str) -> str:
    caller = Caller(port)
    _, answer = await caller.post(PATH, body, Told())
    await caller.close()
    return str(json.loads(answer)["items"][0]["item"]["item_id"])
