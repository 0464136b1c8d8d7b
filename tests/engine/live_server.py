"""A real server in its own processes, for the tests that speak HTTP to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
STARTUP_S = 180.0


@dataclass(frozen=True, slots=True)
class LiveServer:
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60)

    def kill(self, *, whole_group: bool) -> None:
        """SIGKILL: to the main process alone, or to all of the server's processes."""
        if whole_group:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(
    run: Path, folder: Path, *, port: int | None = None, options: Sequence[str] = ()
) -> LiveServer:
    """Serve ``run`` with its store in ``folder``, and wait until it is healthy."""
    port = port or free_port()
    log = folder / "server.log"
    command = [sys.executable, "-m", "engine.serve", str(run), "--port", str(port)]
    command += ["--store-url", f"sqlite:///{folder / 'store.db'}", *options]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True
        )
    server = LiveServer(process, f"http://127.0.0.1:{port}", log)
    give_up_at = time.monotonic() + STARTUP_S
    while not _healthy(server):
        if process.poll() is not None or time.monotonic() > give_up_at:
            os.killpg(process.pid, signal.SIGKILL)
            raise RuntimeError(f"the server did not come up:\n{log.read_text()[-4000:]}")
        time.sleep(0.2)
    return server


def _healthy(server: LiveServer) -> bool:
    try:
        return httpx.get(f"{server.url}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def health(server: LiveServer) -> dict:
    """What the server tells of itself; nothing of it while it cannot answer."""
    try:
        answer = httpx.get(f"{server.url}/health", timeout=10)
    except httpx.TransportError:
        return {"workers_ready": 0, "each": [], "notice": ""}
    if answer.status_code != 200:
        return {"workers_ready": 0, "each": [], "notice": ""}
    return answer.json()


def workers(server: LiveServer) -> list[int]:
    """Process ids of the workers that answer."""
    return [worker["pid"] for worker in health(server)["each"]]
