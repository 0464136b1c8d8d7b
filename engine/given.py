"""Items that somebody else chose, scored for a user: a list to be reranked, one to be explained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.errors import DataError
from engine.interactions import Floats, Ints
from engine.policy import Placed
from engine.runtime import Run
from engine.scoring import Asked, Scored, score
from retrieval.candidates import Bools, Channel, top_rows

MOST_LISTED = 1_000
TASTE_SHARE = 0.3
"""What the best by taste gains on the worst, where the best match of a search is 1 above the last:
set by hand, as no data here says what people chose after a search."""


def known_rows(run: Run, item_ids: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
    """Rows of the ids that the run knows, in their order, and the ids that it does not.

    Raises:
        DataError: There are none, too many, or one of them twice.
    """
    if not 1 <= len(item_ids) <= MOST_LISTED:
        raise DataError(f"got {len(item_ids)} item ids, expected 1 to {MOST_LISTED:,}")
    if len(set(item_ids)) != len(item_ids):
        twice = next(id_ for at, id_ in enumerate(item_ids) if id_ in item_ids[:at])
        raise DataError(f"item {twice!r} comes twice: give every id once")
    found = [(run.vocabulary.items.find(id_), id_) for id_ in item_ids]
    rows = np.array([row for row, _ in found if row is not None], dtype=np.int64)
    return rows, tuple(id_ for row, id_ in found if row is None)


def score_listed(run: Run, asked: Asked, rows: Ints) -> Scored:
    """Scores of exactly these rows, as the model would give them among any others.

    Args:
        run: Knows the items.
        asked: Who, when and where; its own conditions are not read.
        rows: int64 ``[C]``, distinct; available or not.
    """
    only: Bools = np.zeros(len(run.world.items), dtype=np.bool_)
    only[rows] = True
    whole = Asked(asked.user_id, asked.moment, asked.live, asked.wishes, only, rows)
    return score(run, whole)


def best_first(scored: Scored) -> list[Placed]:
    """Every candidate in the order of its score; of equal ones, the earlier row."""
    return [Placed(int(at), ()) for at in np.argsort(-scored.total, kind="stable")]


def personal(run: Run, asked: Asked, found: Channel, k: int) -> Channel:
    """What a search found, in an order that heeds the user's state too.

    Scores of the search and of the model are both brought to [0, 1] over what was found, and
    weighed: a user's taste decides among what matches about as well, and not against the words.
    """
    if len(found.rows) == 0:
        return found
    scored = score_listed(run, asked, found.rows)
    at = np.searchsorted(scored.recalled.candidates.rows, found.rows)
    taste = _within_one(scored.model[at])
    return top_rows("search", found.rows, _within_one(found.scores) + TASTE_SHARE * taste, k)


def _within_one(scores: Floats) -> Floats:
    """From 0 for the lowest to 1 for the highest; all 0 where they are equal."""
    low, high = float(scores.min()), float(scores.max())
    return ((scores - low) / (high - low or 1.0)).astype(np.float32)
