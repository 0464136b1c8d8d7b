"""How long it takes from adding an item to its appearing everywhere."""

from __future__ import annotations

import io
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from engine.recommend import Engine
from engine.recommendation import Recommendation
from engine.scene import Scene
from engine.types import Event, EventKind, Item

ITEM, SHOPPER = "new-item-case", "new-item-case-shopper"
SIBLINGS = 12
K = 100
ALL = 1_000
"""Answers that the shopper gets: the reranker trusts what sells, and nobody has bought it yet."""


@dataclass(frozen=True, slots=True)
class NewItemSeconds:
    """Wall clock from the call of ``add_item`` on; each answer is asked for in turn."""

    added: float
    """Until the call returns: encoded, placed, durable."""
    searched: float
    """Until a search for its words answers with it."""
    similar: float
    """Until its nearest sibling's similar items hold it."""
    recommended: float
    """Until a shopper who took its siblings is recommended it, without asking for it."""
    again: float
    """``recommended`` of a second item."""
    rank_searched: int
    rank_similar: int
    rank_recommended: int
    """Ranks from 1, of 100 answers; of all candidates, up to 1,000, for the shopper."""


def new_item_seconds(run: Path) -> NewItemSeconds:
    """Add two items to a run, on a store of their own, and ask for them.

    Raises:
        LookupError: An answer does not hold the new item.
    """
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'events.sqlite'}"
        with Engine.open(run, store_url=url) as engine:
            engine.prepare_changes()  # as serving does before it is ready
            model, siblings = _family(engine)
            _shop(engine, siblings)
            _answers(engine, model, siblings[0].item_id, time.perf_counter())  # warm up
            first = _measure(engine, model, siblings[0].item_id, ITEM)
            again = _measure(engine, model, siblings[0].item_id, f"{ITEM}-2")
    return replace(first, again=again.recommended)


def _family(engine: Engine) -> tuple[Item, list[Item]]:
    """A best-seller that the new item is modelled on, and its nearest siblings."""
    run = engine.run
    shown = run.world.items.recommendable[: run.n_trained]
    sold = np.where(shown, run.world.trends.last_28_days[: run.n_trained], -1)
    model = run.catalogue[int(sold.argmax())]
    return model, [r.item for r in engine.similar(model.item_id, k=SIBLINGS)]


def _shop(engine: Engine, siblings: list[Item]) -> None:
    """Somebody who takes the siblings, a few each week."""
    kind = EventKind.PURCHASE
    engine.observe(
        [
            Event(SHOPPER, item.item_id, kind, engine.as_of - timedelta(days=1 + 3 * n))
            for n, item in enumerate(siblings)
        ]
    )


def _measure(engine: Engine, model: Item, sibling: str, item_id: str) -> NewItemSeconds:
    title = f"Entirely new {model.title}"
    begun = time.perf_counter()
    engine.add_item(
        item_id,
        title,
        picture=_picture(),
        categories=model.categories,
        brand=model.brand,
        price=model.price,
    )
    added = time.perf_counter() - begun
    answers = _answers(engine, model, sibling, begun)
    searched, similar, recommended = (at for _, at in answers)
    ranks = [_rank(found, item_id) for found, _ in answers]
    return NewItemSeconds(added, searched, similar, recommended, math.nan, *ranks)


def _answers(
    engine: Engine, model: Item, sibling: str, begun: float
) -> list[tuple[list[Recommendation], float]]:
    scene = Scene(time=engine.as_of)
    questions: tuple[Callable[[], list[Recommendation]], ...] = (
        lambda: engine.search(f"Entirely new {model.title}", k=K),
        lambda: engine.similar(sibling, k=K),
        lambda: engine.recommend(SHOPPER, scene, k=ALL, new_only=True),
    )
    return [(ask(), time.perf_counter() - begun) for ask in questions]


def _rank(found: list[Recommendation], item_id: str) -> int:
    for recommendation in found:
        if recommendation.item.item_id == item_id:
            return recommendation.rank
    raise LookupError(f"{item_id} is not among {len(found)} answers")


def _picture() -> bytes:
    """A photo's worth of bytes that no cache has met."""
    noise = np.random.default_rng(0).integers(0, 255, (512, 512, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    ImageDraw.Draw(picture).ellipse((96, 96, 416, 416), fill=(200, 60, 40))
    file = io.BytesIO()
    picture.save(file, "JPEG")
    return file.getvalue()
