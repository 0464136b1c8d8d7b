"""The LitServe adapter: the engines of a worker, and how they answer."""

# No ``from __future__ import annotations``: LitServe reads the annotations as objects.

import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from fastapi import HTTPException
from litserve import LitAPI  # type: ignore[import-untyped]
from pydantic import BaseModel

from engine.artifacts import Checked
from engine.serve.answer_loop import AnswerLoop
from engine.serve.lifeline import die_with_parent
from engine.serve.messages import Answered, Output, Spent, Written
from engine.serve.problems import Problem, log_failure
from engine.serve.schemas import (
    Call,
    ListAnswer,
)

LOG = logging.getLogger(__name__)
SWITCH_S = 0.001
"""How long the thread that writes to the log may hold up one that answers; Python's own choice is
as long as an answer takes."""


class RecommendAPI(LitAPI):  # type: ignore[misc]
    """What one worker process does: it answers every call that needs a run."""

    def __init__(
        self,
        run: Path,
        *,
        store_url: str,
        threads: int,
        batch: int = 1,
        rules: Path | None = None,
    ) -> None:
        super().__init__(api_path="/v1/recommend", loop=AnswerLoop(), max_batch_size=batch)
        self.run = run
        self.store_url = store_url
        self.threads = threads
        self.rules = rules
        self.checked: Checked | None = None
        """Files that need not be hashed again."""

    def setup(self, device: str) -> None:
        """Open the run; once per worker.

        What an engine needs is imported here, where the nursery has done it already: the main
        process and the HTTP process have none, and start seconds sooner without.
        """
        die_with_parent()
        import torch

        from engine.serve.engines import open_engines

        torch.set_num_threads(self.threads)
        sys.setswitchinterval(SWITCH_S)
        if device.startswith("cuda"):
            torch.cuda.set_device(device)  # what is placed on "cuda" then lies on this one
        self.engines = open_engines(self.run, self.store_url, self.rules, self.checked)
        self.engine = self.engines.usual

    def decode_request(self, request: Call) -> Call:
        """The call as the HTTP process checked it."""
        return request

    def predict(self, calls: Sequence[tuple[str, Call]]) -> Iterator[Answered]:
        """Let the engine answer each; what the caller got wrong becomes a 4xx."""
        for uid, call in calls:
            started = time.perf_counter()
            output = self._answer(call)
            answered = time.perf_counter()
            written = _written(output)
            stages = ("engine", answered - started), ("write", time.perf_counter() - answered)
            spent = Spent(stages, _channels(output), together=len(calls))
            yield Answered(uid, written, spent)

    def encode_response(self, output: BaseModel) -> BaseModel:
        """The answer, before it is written."""
        return output

    def close(self) -> None:
        """Write what is waiting to be logged."""
        self.engines.close()
        self.engine.close()

    def _answer(self, call: Call) -> BaseModel | HTTPException:
        from engine.serve.engines import engine_for
        from engine.serve.faults import problem_of_error
        from engine.serve.verbs import answer

        try:
            return self.encode_response(answer(call, engine_for(call, self.engines)))
        except HTTPException as error:
            return error
        except Exception as error:  # the loop must outlive every call
            problem = problem_of_error(error, call)
            if problem is None:
                log_failure(LOG, type(call).__name__, error)
                problem = Problem(status=500, detail="the server failed; its log says why")
            return problem.as_exception()


def _written(output: BaseModel | HTTPException) -> Output:
    """An answer as JSON: the one HTTP process then need not write it."""
    if isinstance(output, HTTPException):
        return output
    return Written(output.model_dump_json().encode())


def _channels(output: BaseModel | HTTPException) -> tuple[tuple[str, int], ...]:
    """How many slots of a list each channel had proposed."""
    if not isinstance(output, ListAnswer):
        return ()
    return tuple(
        Counter(hit.channel for slot in output.items for hit in slot.trace.channels).items()
    )
