"""The LitServe adapter: four verbs around an engine."""

# No ``from __future__ import annotations``: LitServe reads the annotations as objects.

from pathlib import Path

import torch
from litserve import LitAPI  # type: ignore[import-untyped]
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from encoders import ImageError
from engine.errors import DataError, RunError, SceneError, UnknownIdError, VitrineError
from engine.recommend import Engine
from engine.scene import Scene
from engine.serve.lifeline import die_with_parent
from engine.serve.problems import Problem, body_problem
from engine.serve.schemas import (
    Call,
    ItemRequest,
    ObserveRequest,
    PictureRequest,
    RecommendRequest,
    SimilarRequest,
)
from engine.serve.verbs import answer


class RecommendAPI(LitAPI):  # type: ignore[misc]
    """One engine in one worker process; it answers every call that needs the run."""

    def __init__(self, run: Path, *, store_url: str | None, threads: int) -> None:
        super().__init__(api_path="/v1/recommend")
        self.run = run
        self.store_url = store_url
        self.threads = threads

    def setup(self, device: str) -> None:
        """Open the run; once per worker."""
        die_with_parent()
        torch.set_num_threads(self.threads)
        self.engine = Engine.open(self.run, store_url=self.store_url)
        self.engine.prepare_changes()
        self._warm_up()

    def _warm_up(self) -> None:
        """Answer once before anybody waits: the first forward pass takes many times the usual."""
        warm = Scene(time=self.engine.as_of, query="warm up")
        for shopper in self.engine.shoppers(limit=1):
            self.engine.recommend(shopper.user_id, warm)

    def decode_request(self, request: Call) -> Call:
        """The call as the HTTP process checked it."""
        return request

    def predict(self, call: Call) -> BaseModel:
        """Let the engine answer; what the caller got wrong becomes a 4xx."""
        try:
            return answer(call, self.engine)
        except (VitrineError, ImageError, SQLAlchemyError) as error:
            problem = _problem(error, call)
            if problem is None:
                raise
            raise problem.as_exception() from error

    def encode_response(self, output: BaseModel) -> BaseModel:
        """The answer; the HTTP process writes the JSON."""
        return output


def _problem(error: Exception, call: Call) -> Problem | None:
    if isinstance(error, ImageError):
        path = ("scene", "image") if isinstance(call, RecommendRequest) else ("image",)
        return body_problem(422, str(error), *path)
    if isinstance(error, SQLAlchemyError):
        return Problem(status=503, detail=f"the store cannot be used: {type(error).__name__}")
    if isinstance(error, SceneError):
        return body_problem(422, str(error), "scene", *error.field.split("."))
    if isinstance(error, UnknownIdError):
        return _unknown(error, call)
    if isinstance(error, DataError):
        return Problem(status=422, detail=str(error))
    if isinstance(error, RunError):
        return Problem(status=503, detail=str(error))
    return None


def _unknown(error: UnknownIdError, call: Call) -> Problem:
    if isinstance(call, SimilarRequest | ItemRequest | PictureRequest):
        return Problem(status=404, detail=str(error))
    if isinstance(call, ObserveRequest) and error.kind == "item":
        at = next(i for i, event in enumerate(call.events) if event.item_id == error.value)
        path = (at, "item_id") if call.listed else ("item_id",)
        return body_problem(422, str(error), *path)
    return Problem(status=422, detail=str(error))
