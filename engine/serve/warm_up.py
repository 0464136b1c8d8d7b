"""Answers before anybody waits: the first forward pass takes many times the usual."""

from __future__ import annotations

import logging
import time

from pydantic import ValidationError

from engine.errors import VitrineError
from engine.recommend import Engine
from engine.scene import Scene
from engine.store.database import open_database
from engine.store.recent import Asked, recent_requests

LOG = logging.getLogger(__name__)
REPLAYED = 100
"""Requests of the past that are asked again."""
AT_MOST_S = 1.0
SHOPPERS = 8
"""Asked about where the store remembers nobody."""


def warm_up(engine: Engine, store_url: str) -> int:
    """Replay the newest requests of the store; nothing of it is logged.

    Args:
        engine: Freshly opened.
        store_url: Its store.

    Returns:
        How many were answered within :data:`AT_MOST_S`.
    """
    give_up_at = time.monotonic() + AT_MOST_S
    warmed = 0
    for asked in _recent(store_url) or _invented(engine):
        try:
            engine.recommend(asked.user_id, Scene.model_validate_json(asked.scene))
        except (VitrineError, ValidationError) as error:
            LOG.info("a request of the past cannot be replayed: %s", error)
            continue
        warmed += 1
        if time.monotonic() > give_up_at:
            break
    return warmed


def _recent(store_url: str) -> list[Asked]:
    database = open_database(store_url)
    try:
        return recent_requests(database, REPLAYED)
    finally:
        database.dispose()


def _invented(engine: Engine) -> list[Asked]:
    scene = Scene(time=engine.as_of, query="warm up").model_dump_json(exclude_none=True)
    return [Asked(shopper.user_id, scene) for shopper in engine.shoppers(limit=SHOPPERS)]
