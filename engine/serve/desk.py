"""Where the HTTP process hands its calls to the engine workers."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from litserve import LitServer  # type: ignore[import-untyped]
from litserve.server import RegularRequestHandler  # type: ignore[import-untyped]
from litserve.utils import WorkerSetupStatus  # type: ignore[import-untyped]
from pydantic import BaseModel
from starlette.responses import Response

from engine.pseudonyms import Pseudonyms
from engine.serve.fields import Request
from engine.serve.problems import Problem
from engine.serve.recommend_api import RecommendAPI
from engine.serve.schemas import ObserveRequest

Answer = TypeVar("Answer", bound=BaseModel)


class Desk:
    """Takes a call to whichever worker is free, and waits for the answer.

    One process model for every route: only workers hold an engine, so that an event which a
    worker has stored is in the store that all of them read.
    """

    def __init__(
        self, server: LitServer, api: RecommendAPI, pseudonyms: Pseudonyms | None = None
    ) -> None:
        """Stand before the workers of a server.

        Args:
            server: Has the workers.
            api: Is in each of them.
            pseudonyms: What users are called behind this desk; None is by their ids.
        """
        self._pseudonyms = pseudonyms
        self._server = server
        self._handler = RegularRequestHandler(api, server)

    async def ask(
        self, call: Request, expected: type[Answer], *, timeout_s: float = 30.0
    ) -> Answer:
        """The worker's answer to one call.

        Raises:
            HTTPException: What the worker found wrong with the call; 504 when it is too late.
        """
        return expected.model_validate_json(bytes((await self._answer(call, timeout_s)).body))

    async def ask_for_list(self, call: Request, *, timeout_s: float = 30.0) -> Response:
        """The same for a list, as the worker has written it: it is sent as it is.

        Raises:
            HTTPException: As :meth:`ask`.
        """
        return await self._answer(call, timeout_s)

    async def _answer(self, call: Request, timeout_s: float) -> Response:
        if self._pseudonyms is not None:
            call = _pseudonymised(call, self._pseudonyms)
        waiting = self._handler.handle_request(call, type(call))
        try:
            answer: Response = await asyncio.wait_for(waiting, timeout_s)
        except TimeoutError as error:
            late = Problem(status=504, detail=f"no engine worker answered within {timeout_s:g} s")
            raise late.as_exception() from error
        return answer

    def workers(self) -> tuple[int, int]:
        """How many workers are ready, and how many there should be."""
        states = list(self._server.workers_setup_status.values())
        return sum(s == WorkerSetupStatus.READY for s in states), len(states)


def _pseudonymised(call: Request, pseudonyms: Pseudonyms) -> Request:
    """The call with every user under a pseudonym."""
    update: dict[str, object] = {}
    user_id = getattr(call, "user_id", None)
    if isinstance(user_id, str):
        update["user_id"] = pseudonyms.of(user_id)
    if isinstance(call, ObserveRequest):
        update["events"] = tuple(
            event.model_copy(update={"user_id": pseudonyms.of(event.user_id)})
            for event in call.events
        )
    return call.model_copy(update=update) if update else call
