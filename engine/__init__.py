"""Vitrine: ids in, explained recommendations out.

    from engine import Engine, Scene

    engine = Engine.open("runs/demo")
    for r in engine.recommend("household-1228", Scene(place="store-406"), k=10):
        print(r.item.title, r.score, r.reason)

Names are loaded when they are first used, so that ``import engine`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import engine.lazy as _lazy

if TYPE_CHECKING:
    from engine.errors import VitrineError
    from engine.filters import Filters
    from engine.recommend import Engine
    from engine.recommendation import Evidence, Recommendation
    from engine.scene import Scene
    from engine.scene_headers import HeaderScene, scene_from_headers
    from engine.scene_parse import Reading, read_scene
    from engine.similar import Likeness
    from engine.types import Event, EventKind, Item

__all__ = [
    "Engine",
    "Event",
    "EventKind",
    "Evidence",
    "Filters",
    "HeaderScene",
    "Item",
    "Likeness",
    "Reading",
    "Recommendation",
    "Scene",
    "VitrineError",
    "read_scene",
    "scene_from_headers",
]

_HOMES = {
    "Engine": "engine.recommend",
    "Event": "engine.types",
    "EventKind": "engine.types",
    "Evidence": "engine.recommendation",
    "Filters": "engine.filters",
    "HeaderScene": "engine.scene_headers",
    "Item": "engine.types",
    "Likeness": "engine.similar",
    "Reading": "engine.scene_parse",
    "Recommendation": "engine.recommendation",
    "Scene": "engine.scene",
    "VitrineError": "engine.errors",
    "read_scene": "engine.scene_parse",
    "scene_from_headers": "engine.scene_headers",
}

__getattr__ = _lazy.names_from(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
