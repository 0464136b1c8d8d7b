"""Search by words and photos: what an item means, shows, and is called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.filters import Filters, allowed_items
from engine.interactions import Floats
from engine.plain import plain_list
from engine.recommendation import Recommendation
from engine.runtime import Run
from engine.scoring import Wish, nearest_by_content, nearest_by_terms
from retrieval.candidates import Channel, merge
from retrieval.hybrid import blend

DEPTH = 100
"""How deep each way of searching is read, at least."""
REORDERED = 3
"""Times as many answers as are asked for that a user's taste may choose among."""

Reorder = Callable[[Channel, int], Channel]
"""What was found, in another order, and no more than so many of it."""


def search_list(
    run: Run,
    wishes: tuple[Wish, ...],
    k: int,
    filters: Filters | None = None,
    reorder: Reorder | None = None,
) -> list[Recommendation]:
    """Items that match words, a photo, or both: by meaning, and by the very words.

    Args:
        run: Knows the items.
        wishes: At least one.
        k: Items at most.
        filters: What the answers must meet.
        reorder: Puts the best of what was found in a user's order.
    """
    wanted = k if reorder is None else REORDERED * k
    depth = max(2 * wanted, DEPTH)
    allowed = None if filters is None else np.flatnonzero(allowed_items(run, filters))
    by_vector = nearest_by_content(run, wishes[0].channel, _mean(wishes), depth, allowed)
    channels, found = [by_vector], by_vector.first(wanted)
    for text in (wish.text for wish in wishes if wish.text is not None):
        by_words = nearest_by_terms(run, text, depth, allowed)
        channels.append(by_words)
        found = blend("search", by_vector, by_words, wanted)
    if reorder is not None:
        found = reorder(found, k)
    return plain_list(run, found, "Matches what you asked for.", merge(channels))


def _mean(wishes: tuple[Wish, ...]) -> Floats:
    mean: Floats = np.mean([wish.vector for wish in wishes], axis=0)
    return mean / np.float32(max(float(np.linalg.norm(mean)), 1e-9))
