"""What a writer may say of the items of a list: their sheets, apart from the list itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from engine.asking import encode_words, moment_of, scene_wishes
from engine.explain.sheet import Sheet, sheet_of
from engine.reasons import Situation, facts_of_all
from engine.scene import Scene
from engine.shopper import history_of
from engine.types import Event

if TYPE_CHECKING:
    from engine.recommend import Engine


def sheets_of(
    engine: Engine,
    user_id: str,
    item_ids: Sequence[str],
    scene: Scene | None = None,
    events: Sequence[Event] = (),
) -> tuple[Sheet, ...]:
    """What may be claimed of items to a user in a scene, in the order given.

    Args:
        engine: Is open.
        user_id: May be unknown.
        item_ids: Items of the run, such as a list has them.
        scene: As the list was asked for; None is now, with nothing else known.
        events: What the user did that the store does not hold.

    Raises:
        UnknownIdError: There is no such item.
        SceneError: The scene cannot be understood.
    """
    run, scene = engine.run, scene or Scene()
    moment, known = moment_of(run, scene), engine.known_as(user_id)
    live = sorted([*engine.store.history(user_id), *events], key=lambda event: event.timestamp)
    situation = Situation.of(run, known, scene, history_of(run, known, live, moment), moment)
    wishes = tuple(scene_wishes(run, partial(encode_words, run), scene))
    rows = np.array([run.vocabulary.items.row(item_id) for item_id in item_ids], dtype=np.int64)
    facts = facts_of_all(situation, rows, channels=[()] * len(rows), wishes=wishes)
    return tuple(sheet_of(one) for one in facts)
