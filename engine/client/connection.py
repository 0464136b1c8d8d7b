"""One connection to a server: what is sent again, and what an error becomes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from engine.serve.problems import Problem

Answer = TypeVar("Answer", bound=BaseModel)
BUSY = frozenset({429, 503})
LONGEST_WAIT_S = 30.0
Query = Mapping[str, str | int | list[str]]
"""Parameters of a call; a list is one parameter several times."""


class ApiError(Exception):
    """The server answered with a problem.

    Attributes:
        problem: What it said, with the fields at fault.
    """

    def __init__(self, problem: Problem) -> None:
        faults = "; ".join(f"{e.pointer or e.parameter}: {e.detail}" for e in problem.errors)
        super().__init__(f"{problem.status}: {faults or problem.detail}")
        self.problem = problem

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.problem.status


class Connection:
    """Sends calls; those that may be answered twice again, when the server asks for that."""

    def __init__(self, http: httpx.Client, retries: int) -> None:
        self._http, self._retries = http, retries

    def close(self) -> None:
        """Let go of the sockets."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        *,
        body: object = None,
        query: Query | None = None,
        again: bool = True,
    ) -> Answer:
        """The answer to one call.

        Args:
            method: HTTP method.
            path: With its ids quoted.
            answer: What the body of the answer is.
            body: Sent as JSON; None sends none.
            query: Parameters.
            again: Whether the call may be sent twice: it does no more than once.

        Raises:
            ApiError: The server refused.
            httpx.TransportError: It could not be reached.
        """
        response = self.send(method, path, body=body, query=query, again=again)
        return answer.model_validate_json(response.content)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Query | None = None,
        again: bool = True,
    ) -> httpx.Response:
        """The response to one call; as :meth:`ask`."""
        for left in reversed(range(self._retries + 1)):
            response = self._http.request(method, path, json=body, params=query)
            wait_s = _wait_s(response)
            if response.status_code in BUSY and again and left and wait_s is not None:
                time.sleep(min(wait_s, LONGEST_WAIT_S))
                continue
            break
        if response.is_success:
            return response
        raise ApiError(_problem(response))


def _wait_s(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait; None where it asks for nothing that is known here."""
    told = response.headers.get("retry-after", "")
    return float(told) if told.isdecimal() else None


def _problem(response: httpx.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:  # something between here and the server answered
        return Problem(status=response.status_code, detail=response.text[:500])
