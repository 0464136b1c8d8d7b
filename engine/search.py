"""Search by words and photos: what an item means, shows, and is called."""

from __future__ import annotations

import numpy as np

from engine.interactions import Floats
from engine.plain import plain_list
from engine.recommendation import Recommendation
from engine.runtime import Run
from engine.scoring import Wish, nearest_by_content, nearest_by_terms
from retrieval.candidates import merge
from retrieval.hybrid import blend

DEPTH = 100
"""How deep each way of searching is read, at least."""


def search_list(run: Run, wishes: tuple[Wish, ...], k: int) -> list[Recommendation]:
    """Items that match words, a photo, or both: by meaning, and by the very words.

    Args:
        run: Knows the items.
        wishes: At least one.
        k: Items at most.
    """
    depth = max(2 * k, DEPTH)
    by_vector = nearest_by_content(run, wishes[0].channel, _mean(wishes), depth)
    channels, found = [by_vector], by_vector.first(k)
    for text in (wish.text for wish in wishes if wish.text is not None):
        by_words = nearest_by_terms(run, text, depth)
        channels.append(by_words)
        found = blend("search", by_vector, by_words, k)
    return plain_list(run, found, "Matches what you asked for.", merge(channels))


def _mean(wishes: tuple[Wish, ...]) -> Floats:
    mean: Floats = np.mean([wish.vector for wish in wishes], axis=0)
    return mean / np.float32(max(float(np.linalg.norm(mean)), 1e-9))
