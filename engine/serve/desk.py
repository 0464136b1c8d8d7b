"""Where the HTTP process hands its calls to the engine workers."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from litserve import LitServer  # type: ignore[import-untyped]
from litserve.server import RegularRequestHandler  # type: ignore[import-untyped]
from litserve.utils import WorkerSetupStatus  # type: ignore[import-untyped]
from pydantic import BaseModel

from engine.serve.problems import Problem
from engine.serve.recommend_api import RecommendAPI
from engine.serve.schemas import Call

Answer = TypeVar("Answer", bound=BaseModel)


class Desk:
    """Takes a call to whichever worker is free, and waits for the answer.

    One process model for every route: only workers hold an engine, so that an event which a
    worker has stored is in the store that all of them read.
    """

    def __init__(self, server: LitServer, api: RecommendAPI) -> None:
        self._server = server
        self._handler = RegularRequestHandler(api, server)

    async def ask(self, call: Call, expected: type[Answer], *, timeout_s: float = 30.0) -> Answer:
        """The worker's answer to one call.

        Raises:
            HTTPException: What the worker found wrong with the call; 504 when it is too late.
        """
        try:
            answer = await asyncio.wait_for(
                self._handler.handle_request(call, type(call)), timeout_s
            )
        except TimeoutError as error:
            late = Problem(status=504, detail=f"no engine worker answered within {timeout_s:g} s")
            raise late.as_exception() from error
        if not isinstance(answer, expected):
            raise TypeError(f"got {type(answer).__name__}, expected {expected.__name__}")
        return answer

    def workers(self) -> tuple[int, int]:
        """How many workers are ready, and how many there should be."""
        states = list(self._server.workers_setup_status.values())
        return sum(s == WorkerSetupStatus.READY for s in states), len(states)
