"""What a shop would write without LitServe: one FastAPI app that calls the engine."""

from __future__ import annotations

import os

import torch
from fastapi import FastAPI

from engine.recommend import Engine
from engine.serve.schemas import ListAnswer, RecommendRequest
from engine.serve.verbs import answer


def make_app() -> FastAPI:
    """The app; ``BENCH_RUN`` and ``BENCH_STORE`` say of what."""
    torch.set_num_threads(1)
    engine = Engine.open(os.environ["BENCH_RUN"], store_url=os.environ["BENCH_STORE"])
    for shopper in engine.shoppers(limit=8):
        engine.recommend(shopper.user_id)
    app = FastAPI()

    @app.post("/v1/recommend")
    def recommend(body: RecommendRequest) -> ListAnswer:
        found = answer(body, engine)
        if not isinstance(found, ListAnswer):
            raise TypeError(f"got {type(found).__name__}, expected a list")
        return found

    @app.get("/ready")
    def ready() -> bool:
        return True

    return app
