"""The server's processes: started, replaced when they die, swapped to a new run, drained.

The main process watches. One process speaks HTTP; the workers hold an engine each. What LitServe
0.2.19 does by itself is not enough here: it looks for dead workers every two seconds and never for
a dead HTTP process, cannot tell those who wait for a dead worker (they wait in another process),
and stops workers in the middle of what they do.
"""

from __future__ import annotations

import copy
import logging
import math
import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from socket import socket
from typing import Any

import litserve.server  # type: ignore[import-untyped]
from litserve import LitServer
from litserve.loops import inference_worker  # type: ignore[import-untyped]
from litserve.utils import WorkerSetupStatus  # type: ignore[import-untyped]

from engine.errors import RunError
from engine.publish import current_run
from engine.serve.line import Line
from engine.serve.line_settings import LineSettings
from engine.serve.nursery import nursery
from engine.serve.recommend_api import RecommendAPI

# LitServe offers tools over MCP as soon as any `mcp` is installed, and of version 2 it cannot
# import what it wants; the server offers none through it.
litserve.server._MCP_AVAILABLE = False

LOG = logging.getLogger(__name__)
WATCH_EVERY_S = 0.1
HTTP_PAUSE_S = 0.5
"""After a start of the HTTP process: one that cannot start must not keep a core busy."""
LONGEST_PAUSE_S = 30.0
"""Between two starts of a worker that keeps dying."""
LEAVE_WITHIN_S = 10.0
"""A worker that was told to stop and has not by then is killed."""
NOTICE = "swap"


@dataclass(frozen=True, slots=True)
class Successor:
    """A worker of a newly published run, on its way."""

    process: BaseProcess
    run: Path


@dataclass(slots=True)
class Place:
    """One of the workers that there should be, and the process that is it."""

    process: BaseProcess
    run: Path
    started_s: float = field(default_factory=time.monotonic)
    failures: int = 0
    not_before_s: float = 0.0
    successor: Successor | None = None


class Server(LitServer):  # type: ignore[misc]
    """LitServe's server with a line of its own, and somebody who watches its processes."""

    inference_workers: list[BaseProcess]

    def __init__(
        self,
        api: RecommendAPI,
        *,
        workers: int,
        family: Path | None,
        settings: LineSettings,
        drain_s: float,
        gpus: Sequence[int] = (),
        middlewares: Sequence[Any] = (),
    ) -> None:
        super().__init__(
            api,
            accelerator="cuda" if gpus else "cpu",
            devices=list(gpus) or "auto",
            workers_per_device=math.ceil(workers / max(len(gpus), 1)),
            restart_workers=True,
            timeout=settings.timeout_s,
            middlewares=list(middlewares),
        )
        self.api = api
        self.family = family
        self.wanted = workers
        self.uvicorn_graceful_timeout = drain_s
        self.draining = multiprocessing.get_context("fork").Event()
        self.line = Line(settings, lambda uid: self.response_buffer.pop(uid, None))
        self.places: list[Place] = []
        self.leaving: list[tuple[BaseProcess, float]] = []
        self.refused: Path | None = None
        """A published run that could not be opened."""
        self.at_start: list[Callable[[], None]] = []
        """What else is to be started in the main process."""
        self.at_end: list[Callable[[], None]] = []
        """What else is to be stopped with it."""
        self._nursery = nursery()
        self._restart_http: Callable[[], dict[int, BaseProcess]] | None = None

    def notice(self) -> str:
        """What went wrong with the last swap; empty if nothing did."""
        return str(self.workers_setup_status.get(NOTICE, ""))

    def device_of(self, slot: int) -> str:
        """Where a worker's encoder computes: ``cpu``, or a GPU such as ``cuda:1``."""
        device = self._inference_workers_config_for_api(self.api.api_path)[slot]
        return device if isinstance(device, str) else device[0]

    def _init_manager(self, num_api_servers: int) -> Any:  # noqa: ANN401 - LitServe's manager
        manager = super()._init_manager(num_api_servers)
        self.litapi_request_queues[self.api.api_path] = self.line
        self._transport = self.line
        return manager

    def launch_inference_worker(self, lit_api: RecommendAPI) -> list[BaseProcess]:
        """All workers."""
        return [self.launch_single_inference_worker(lit_api, at) for at in range(self.wanted)]

    def launch_single_inference_worker(self, lit_api: RecommendAPI, worker_id: int) -> BaseProcess:
        """One worker; LitServe's own would import everything again."""
        self.workers_setup_status[self._place_name(worker_id)] = WorkerSetupStatus.STARTING
        process = self._nursery.Process(
            target=inference_worker,
            args=(
                lit_api,
                self.device_of(worker_id),
                worker_id,
                self._get_request_queue(lit_api.api_path),
                self._transport,
                self.workers_setup_status,
                self._callback_runner,
                self.restart_workers,
            ),
            name="inference-worker",
        )
        process.start()
        return process

    def _start_server(
        self,
        port: int,
        num_uvicorn_servers: int,
        log_level: str,
        sockets: list[socket],
        uvicorn_worker_type: str,
        **kwargs: Any,  # noqa: ANN401 - options of uvicorn
    ) -> dict[int, BaseProcess]:
        def start() -> dict[int, BaseProcess]:
            return LitServer._start_server(  # type: ignore[no-any-return]
                self, port, num_uvicorn_servers, log_level, sockets, uvicorn_worker_type, **kwargs
            )

        self._restart_http = start
        return start()

    def _start_worker_monitoring(
        self,
        manager: Any,  # noqa: ANN401 - LitServe's manager
        uvicorn_workers: dict[int, BaseProcess],
    ) -> None:
        self.places = [Place(process, self.api.run) for process in self.inference_workers]

        def watch() -> None:
            while not self.draining.is_set():
                try:
                    self._look(uvicorn_workers)
                except Exception:  # the watch must outlive whatever it meets
                    LOG.exception("the watch over the processes met an error")
                time.sleep(WATCH_EVERY_S)

        threading.Thread(target=watch, name="watch", daemon=True).start()
        for start in self.at_start:
            start()

    def _look(self, http: dict[int, BaseProcess]) -> None:
        """Look once at everything."""
        if not http[0].is_alive() and self._restart_http is not None:
            LOG.error("the HTTP process died (%s): starting another", http[0].exitcode)
            http.update(self._restart_http())
            time.sleep(HTTP_PAUSE_S)
        for slot, place in enumerate(self.places):
            self._revive(slot, place)
        self._swap()
        for process, since_s in list(self.leaving):
            if not process.is_alive():
                process.join()
                self.leaving.remove((process, since_s))
            elif time.monotonic() - since_s > LEAVE_WITHIN_S:
                process.kill()

    def _revive(self, slot: int, place: Place) -> None:
        """Start a worker again: at once if it had worked for a while, else later and later."""
        now_s = time.monotonic()
        if place.process.is_alive() or now_s < place.not_before_s:
            return
        lived_s = now_s - place.started_s
        place.failures = place.failures + 1 if self._status(slot) != "ready" else 0
        LOG.error("worker %d died (%s) after %.0f s", slot, place.process.exitcode, lived_s)
        place.process = self._launch(slot, place.run)
        place.started_s = now_s
        place.not_before_s = now_s + min(2.0**place.failures, LONGEST_PAUSE_S)

    def _swap(self) -> None:
        """Bring one worker at a time to the published run: the old goes when the new is ready."""
        target = self._target()
        if target is None:
            return
        for slot, place in enumerate(self.places):
            if place.successor is not None:
                self._succeed(slot, place, place.successor)
                return
            if place.run != target:
                place.successor = Successor(self._launch(slot, target), target)
                return

    def _target(self) -> Path | None:
        """The run that all workers should serve; None while that is unknown or was refused."""
        if self.family is None:
            return None
        try:
            target = current_run(self.family)
        except RunError as error:
            self._tell(str(error))
            return None
        if target == self.refused:
            return None
        if self.refused is not None:
            self.refused = None
            self._tell("")
        return target

    def _succeed(self, slot: int, place: Place, successor: Successor) -> None:
        process, run = successor.process, successor.run
        status = self._status(slot)
        if status == WorkerSetupStatus.READY:
            self.leaving.append((place.process, time.monotonic()))
            place.process.terminate()  # it answers what it has in hand first
            place.process, place.run, place.successor = process, run, None
            place.started_s, place.failures = time.monotonic(), 0
            self._tell("")
            LOG.warning("worker %d serves %s", slot, run)
        elif status == WorkerSetupStatus.ERROR or not process.is_alive():
            process.kill()
            place.successor = None
            self.refused = run
            self._tell(f"{run.name} was published but cannot be opened; the log says why")
            LOG.error("%s cannot be opened: the run before it is served on", run)

    def _launch(self, slot: int, run: Path) -> BaseProcess:
        api = copy.copy(self.api)
        api.run = run
        return self.launch_single_inference_worker(api, slot)

    def _status(self, slot: int) -> object:
        return self.workers_setup_status[self._place_name(slot)]

    def _place_name(self, slot: int) -> str:
        """What LitServe calls a worker."""
        return f"{self.api.api_path.rsplit('/', 1)[-1]}_{slot}"

    def _tell(self, notice: str) -> None:
        if self.notice() != notice:
            self.workers_setup_status[NOTICE] = notice

    def _perform_graceful_shutdown(
        self,
        manager: Any,  # noqa: ANN401 - LitServe's manager
        uvicorn_workers: dict[int, BaseProcess],
        shutdown_reason: str = "normal",
    ) -> None:
        """Refuse what is new, answer what is there, stop: the HTTP process first, then workers."""
        self.draining.set()
        for stop in self.at_end:
            stop()
        time.sleep(WATCH_EVERY_S)  # the watch ends; it must not start anybody any more
        self.inference_workers = [place.process for place in self.places] or self.inference_workers
        self.inference_workers += [p for p, _ in self.leaving]
        self.inference_workers += [p.successor.process for p in self.places if p.successor]
        super()._perform_graceful_shutdown(manager, uvicorn_workers, shutdown_reason)
        self.line.remove_folder()
