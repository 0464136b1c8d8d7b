"""Load: closed-loop by wrk, open-loop by a small client over plain sockets."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

WRK = """
local bodies = {}
for line in io.lines("%(bodies)s") do bodies[#bodies + 1] = line end
local n = 0
request = function()
  n = n %% #bodies + 1
  return wrk.format("POST", "%(path)s", {["Content-Type"] = "application/json"}, bodies[n])
end
done = function(summary, latency, requests)
  io.write(string.format(
    '\\n{"requests":%%d,"us":%%d,"p50":%%d,"p99":%%d,"wrong":%%d,"lost":%%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.status, summary.errors.timeout + summary.errors.read + summary.errors.connect))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a closed loop of wrk measured."""

    per_s: float
    p50_ms: float
    p99_ms: float
    wrong: int
    """Answers that were no 200."""
    lost: int
    """Requests without an answer."""


def closed_loop(
    url: str, path: str, bodies: Sequence[str], *, connections: int, seconds: int
) -> Load:
    """Each connection asks again as soon as it is answered.

    Raises:
        SystemExit: wrk is not installed.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory() as name:
        listed, script = Path(name) / "bodies", Path(name) / "post.lua"
        listed.write_text("\n".join(bodies))
        script.write_text(WRK % {"bodies": listed, "path": path})
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
        told = subprocess.run(
            [*command, "-s", str(script), url], capture_output=True, text=True, check=True
        )
    found = json.loads(told.stdout.strip().splitlines()[-1])
    return Load(
        found["requests"] / found["us"] * 1e6,
        found["p50"] / 1e3,
        found["p99"] / 1e3,
        found["wrong"],
        found["lost"],
    )


def recommend_bodies(users: Sequence[str], time: str, k: int = 10) -> list[str]:
    """One request a user, all at a moment of the shop."""
    return [json.dumps({"user_id": user, "k": k, "scene": {"time": time}}) for user in users]


@dataclass(slots=True)
class Told:
    """What became of requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    """0 is a connection that broke."""
    seconds: dict[int, list[float]] = field(default_factory=dict)

    def note(self, status: int, seconds: float) -> None:
        """Count one answer."""
        self.statuses[status] += 1
        self.seconds.setdefault(status, []).append(seconds)

    def percentile_ms(self, share: float, *statuses: int) -> float:
        """Of the answers with those statuses; 0 if there was none."""
        taken = [s for status in statuses for s in self.seconds.get(status, [])]
        return float(np.percentile(taken, share)) * 1e3 if taken else 0.0


class Caller:
    """One keep-alive connection, connected again when it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: str, told: Told) -> tuple[int, bytes]:
        """Status and body of the answer; 0 where the connection broke."""
        started = time.perf_counter()
        try:
            status, content = await self._ask("POST", path, body.encode())
        except (OSError, asyncio.IncompleteReadError, ValueError):
            await self.close()
            status, content = 0, b""
        told.note(status, time.perf_counter() - started)
        return status, content

    async def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in answer.split("\r\n")[1:] if ": " in line)
        content = await self._reader.readexactly(int(fields.get("content-length", 0)))
        status = int(answer.split(" ", 2)[1])
        if fields.get("connection") == "close":
            await self.close()
        return status, content


async def open_loop(
    ask: Callable[[Caller, int], Awaitable[None]],
    *,
    port: int,
    per_s: float,
    seconds: float,
    most: int,
) -> int:
    """Ask at a rate that does not wait for answers.

    Args:
        ask: Gets a connection and the number of the request.
        port: Of the server.
        per_s: Requests a second.
        seconds: For how long.
        most: Connections at most; a request that finds none free is not sent.

    Returns:
        How many were not sent.
    """
    free = [Caller(port) for _ in range(most)]
    tasks: set[asyncio.Task[None]] = set()
    unsent, started = 0, time.perf_counter()

    async def one(caller: Caller, number: int) -> None:
        await ask(caller, number)
        free.append(caller)

    number = 0
    while (elapsed := time.perf_counter() - started) < seconds:
        while number < elapsed * per_s:
            if free:
                task = asyncio.create_task(one(free.pop(), number))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            else:
                unsent += 1
            number += 1
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)
    for caller in free:
        await caller.close()
    return unsent
