"""A server in processes of its own, on a copy of a run whose store it may fill."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

READY_WITHIN_S = 180.0
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONWARNINGS": "ignore"}
MB = 1_000_000


@dataclass(slots=True)
class Served:
    """A running server; :meth:`start` again after a kill."""

    command: tuple[str, ...]
    port: int
    store: Path
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start, and wait until it is ready; the seconds that this took."""
        started = time.perf_counter()
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                stdout=out,
                stderr=out,
                start_new_session=True,
                env={**os.environ, **ENVIRONMENT},
            )
        while not self.ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the server stopped: {self.log.read_text()[-2000:]}")
            if time.perf_counter() - started > READY_WITHIN_S:
                raise RuntimeError(f"not ready in {READY_WITHIN_S:g} s: {self.log}")
            time.sleep(0.05)
        return time.perf_counter() - started

    def ready(self) -> bool:
        """Whether shoppers may be sent to it."""
        try:
            return httpx.get(f"{self.url}/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """SIGKILL to all of its processes at once."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        """As an operator stops it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)

    def workers(self) -> list[int]:
        """Process ids of the engine workers."""
        return [one["pid"] for one in httpx.get(f"{self.url}/health", timeout=30).json()["each"]]

    def resident_mb(self) -> float:
        """Memory of all its processes; what they share is counted once (PSS)."""
        if self.process is None:
            return 0.0
        main = psutil.Process(self.process.pid)
        total = 0
        for one in (main, *main.children(recursive=True)):
            try:
                total += one.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        return total / MB

    def stored_events(self) -> set[str]:
        """Ids of the events that lie in the store."""
        with sqlite3.connect(self.store) as store:
            return {event_id for (event_id,) in store.execute("SELECT event_id FROM events")}


@contextmanager
def served(run: Path, *options: str) -> Iterator[Served]:
    """``python -m engine.serve`` on a run, ready, with a fresh store."""
    with _folder() as folder:
        store = folder / "store.sqlite"
        command = (sys.executable, "-m", "engine.serve", str(run), "--store-url")
        yield from _running(folder, store, (*command, f"sqlite:///{store}", *options))


@contextmanager
def bare_fastapi(run: Path, processes: int) -> Iterator[Served]:
    """The same engine behind a FastAPI app of 30 lines, under uvicorn."""
    with _folder() as folder:
        store = folder / "store.sqlite"
        os.environ |= {"BENCH_RUN": str(run), "BENCH_STORE": f"sqlite:///{store}"}
        app = "benchmarks.serving_cases.bare_app:make_app"
        command = (sys.executable, "-m", "uvicorn", "--factory", app, "--log-level", "warning")
        yield from _running(folder, store, (*command, "--workers", str(processes)))


@contextmanager
def copy_of(run: Path) -> Iterator[Path]:
    """A copy that may be written to, without the events of others."""
    with _folder() as folder:
        copied = folder / "run"
        shutil.copytree(run.resolve(), copied, ignore=shutil.ignore_patterns("state"))
        yield copied


def _running(folder: Path, store: Path, command: Sequence[str]) -> Iterator[Served]:
    port = _free_port()
    server = Served((*command, "--port", str(port)), port, store, folder / "server.log")
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-") as folder:
        yield Path(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
