"""A few lists as shoppers would have seen them: a good one, one in the middle, a bad one."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np

from encoders import ImageError, decode_image
from engine.evaluate.engine_ranker import Answers
from engine.evaluate.protocol import EvaluationSet
from engine.evaluate.rankers import Scores
from engine.recommend import Engine
from engine.scene import Scene

WHICH = (
    (0.95, "Among the best lists"),
    (0.75, "Better than most"),
    (0.5, "In the middle"),
    (0.1, "Among the worst"),
)
"""Shares of the requests whose lists were worth less, and what to call such a list."""
PICTURE_PX, MOST_SVG_BYTES, JPEG_QUALITY = 96, 16_384, 70


@dataclass(frozen=True, slots=True)
class ShownItem:
    """One place of a list."""

    item_id: str
    title: str
    reason: str
    probability: float
    taken: bool
    picture: str | None
    """A data URI; None where the item has no picture that can be read."""


@dataclass(frozen=True, slots=True)
class ExampleList:
    """A list, and what its shopper then took. It does not tell who they are."""

    name: str
    at: str
    """In the shop's zone."""
    place: str | None
    n_events_before: int
    ndcg: float
    items: tuple[ShownItem, ...]
    basket: tuple[str, ...]
    """Titles of what was taken, of the items that could be recommended."""


def example_lists(
    engine: Engine, asked: EvaluationSet, answers: Answers, scores: Scores
) -> tuple[ExampleList, ...]:
    """Lists from all over the scale, so that no one can pick the pretty ones.

    Args:
        engine: Tells the reasons.
        asked: The requests.
        answers: Their lists.
        scores: What they were worth.
    """
    order = np.argsort(scores.ndcg, kind="stable")
    chosen: dict[int, str] = {}
    for share, name in WHICH:
        chosen.setdefault(int(order[min(int(share * len(order)), len(order) - 1)]), name)
    return tuple(_example(engine, asked, answers, scores, i, n) for i, n in chosen.items())


def picture_uri(path: Path | None) -> str | None:
    """A small picture as a data URI: drawings as they are, photographs as thumbnails."""
    if path is None:
        return None
    content = path.read_bytes()
    if path.suffix.lower() == ".svg":
        # As an image a browser runs no script of a drawing, and fetches nothing for it.
        return _uri("svg+xml", content) if len(content) <= MOST_SVG_BYTES else None
    try:
        image = decode_image(content).convert("RGB")
    except ImageError:
        return None
    image.thumbnail((PICTURE_PX, PICTURE_PX))
    file = BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return _uri("jpeg", file.getvalue())


def _example(
    engine: Engine, asked: EvaluationSet, answers: Answers, scores: Scores, i: int, name: str
) -> ExampleList:
    run, requests = engine.run, asked.requests
    user, at = int(requests.user[i]), datetime.fromtimestamp(int(requests.at_unix_s[i]), UTC)
    place = run.vocabulary.places.id(int(requests.place[i])) or None
    rows = answers.ranked.rows[i][answers.ranked.valid[i]]
    ids = [run.vocabulary.items.id(int(row)) for row in rows]
    user_id = run.vocabulary.users.id(user)
    listed = engine.rank(user_id, ids, Scene(time=at, place=place)).recommendations if ids else ()
    reasons = {slot.item.item_id: slot for slot in listed}
    taken = np.isin(rows, asked.targets[i])
    return ExampleList(
        name=name,
        at=at.astimezone(run.zone).strftime("%A %d %B %Y, %H:%M"),
        place=place,
        n_events_before=int((asked.history.user == user).sum()),
        ndcg=float(scores.ndcg[i]),
        items=tuple(
            ShownItem(
                item_id,
                reasons[item_id].item.title,
                reasons[item_id].reason,
                reasons[item_id].probability or 0.0,
                bool(was_taken),
                picture_uri(engine.picture_path(item_id)),
            )
            for item_id, was_taken in zip(ids, taken, strict=True)
        ),
        basket=tuple(run.catalogue[int(row)].title for row in asked.targets[i]),
    )


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
