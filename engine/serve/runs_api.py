"""What an operator does with runs: list, publish, roll back."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, StringConstraints

from engine.errors import RunError
from engine.publish import history_of_family, publish, rollback, runs_of
from engine.serve.problems import Problem, body_problem

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]


class RunOut(BaseModel):
    """A run of the family."""

    name: str
    run_id: str
    as_of_unix_s: int
    created_at: str
    current: bool


class PublishedOut(BaseModel):
    """A change of the run that is served."""

    action: str
    run: str
    run_id: str
    at_unix_s: int


class RunsAnswer(BaseModel):
    """The runs of the family, and what was done with them."""

    runs: tuple[RunOut, ...]
    history: tuple[PublishedOut, ...]


class PublishRequest(BaseModel):
    """Body of ``POST /v1/runs/publish``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Name
    """Name of a run's folder in the family: never a path."""


def runs_routes(family: Path | None) -> APIRouter:
    """For the operator. A server of a plain run answers 409: it has nothing to swap to."""
    router = APIRouter(prefix="/v1/runs")
    responses: dict[int | str, dict[str, object]] = {409: {"model": Problem}}

    @router.get("", responses=responses)
    async def listed() -> RunsAnswer:
        folder = _family(family)
        runs = await asyncio.to_thread(runs_of, folder)
        return RunsAnswer(
            runs=tuple(RunOut(**asdict(run)) for run in runs),
            history=tuple(PublishedOut(**asdict(one)) for one in history_of_family(folder)),
        )

    @router.post("/publish", responses=responses)
    async def published(body: PublishRequest) -> PublishedOut:
        folder = _family(family)
        if body.run not in {run.name for run in await asyncio.to_thread(runs_of, folder)}:
            detail = f"no run {body.run!r} in this family: GET /v1/runs lists them"
            raise body_problem(422, detail, "run").as_exception()
        try:
            done = await asyncio.to_thread(publish, folder / body.run)
        except RunError as error:
            raise Problem(status=409, detail=str(error)).as_exception() from error
        return PublishedOut(**asdict(done))

    @router.post("/rollback", responses=responses)
    async def rolled_back() -> PublishedOut:
        try:
            done = await asyncio.to_thread(rollback, _family(family))
        except RunError as error:
            raise Problem(status=409, detail=str(error)).as_exception() from error
        return PublishedOut(**asdict(done))

    return router


def _family(family: Path | None) -> Path:
    if family is None:
        detail = "this server serves one run: publish it into a family with `vitrine publish RUN`"
        raise Problem(status=409, detail=detail).as_exception()
    return family
