"""What operators and their machines ask: is it alive, may it be sent shoppers, what has it done."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel

from engine.serve.desk import Desk
from engine.serve.meters import CONTENT_TYPE, Meters
from engine.serve.problems import Problem, problem_of, problem_response
from engine.serve.schemas import HealthAnswer, HealthRequest
from engine.serve.supervise import Server

CHECK_WITHIN_S = 3.0
HUNG_S = 20.0
"""A worker that is silent for longer over what it has in hand counts as stuck."""


class WorkerHealth(BaseModel):
    """One engine worker, as it is now."""

    worker: int
    pid: int
    run_id: str
    since_unix_s: float
    """When it became ready."""
    answered: int
    busy_s: float
    """For how long it has had in hand what it has not answered; 0 when it is free."""


class Health(BaseModel):
    """The truth about the server."""

    status: Literal["ok", "degraded"]
    run_id: str
    """Of the worker that checked the store."""
    store: str
    workers_ready: int
    workers: int
    waiting: int
    """Calls in the line."""
    draining: bool
    notice: str
    """What is wrong without being fatal: a run that was published and cannot be opened."""
    each: tuple[WorkerHealth, ...]


class Readiness(BaseModel):
    """Whether shoppers may be sent here."""

    ready: bool


def watch_routes(server: Server, desk: Desk, meters: Meters) -> APIRouter:
    """``/health``, ``/ready`` and ``/metrics``: never behind a key."""
    router = APIRouter()

    @router.get("/health", responses={503: {"model": Problem}})
    async def health() -> Health:
        """Alive: at least one worker answers, and the store can be written."""
        workers = _workers(server)
        try:
            checked = await desk.ask(HealthRequest(), HealthAnswer, timeout_s=CHECK_WITHIN_S)
        except HTTPException as error:
            ready = f"{len(workers)} of {server.wanted} workers ready"
            problem = Problem(status=503, detail=f"{ready}; {problem_of(error).detail}")
            raise problem.as_exception() from error
        notice = await asyncio.to_thread(server.notice)
        well = len(workers) >= server.wanted and all(w.busy_s < HUNG_S for w in workers)
        return Health(
            status="ok" if well and not notice else "degraded",
            run_id=checked.run_id,
            store=checked.store,
            workers_ready=min(len(workers), server.wanted),
            workers=server.wanted,
            waiting=server.line.waiting,
            draining=server.draining.is_set(),
            notice=notice,
            each=workers,
        )

    @router.get("/ready", responses={503: {"model": Problem}}, response_model=Readiness)
    async def ready() -> Readiness | Response:
        """Ready: a worker is warm, and the server is not stopping."""
        if server.draining.is_set():
            return problem_response(Problem(status=503, detail="draining"))
        if not server.line.workers:
            return problem_response(Problem(status=503, detail="no worker is ready"))
        return Readiness(ready=True)

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Everything that is counted, for Prometheus."""
        return Response(meters.text(), media_type=CONTENT_TYPE)

    return router


def _workers(server: Server) -> tuple[WorkerHealth, ...]:
    now_s = time.monotonic()
    return tuple(
        WorkerHealth(
            worker=one.hello.slot,
            pid=one.hello.pid,
            run_id=one.hello.run_id,
            since_unix_s=one.hello.since_unix_s,
            answered=one.answered,
            busy_s=round(now_s - one.busy_since_s, 3) if one.in_hand else 0.0,
        )
        for one in sorted(server.line.workers, key=lambda one: (one.hello.slot, one.hello.pid))
    )
