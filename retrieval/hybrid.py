"""Answers by vector and answers by words made one list."""

from __future__ import annotations

import numpy as np

from retrieval.candidates import Channel, Floats, Ints, top_rows

WORDS_SHARE = 0.5
"""Share of the words in the sum; chosen by ``benchmarks/retrieval_cases/hybrid.py``."""
WORDS_POWER = 3
"""Of a text that holds half of the query an eighth counts: a whole match is worth most, and
where the query says it in other words, what little is shared does not drown the vectors."""


def blend(
    name: str,
    by_vector: Channel,
    by_words: Channel,
    n: int,
    *,
    words_share: float = WORDS_SHARE,
    words_power: float = WORDS_POWER,
) -> Channel:
    """The ``n`` best rows by the weighted sum of cosine and words.

    The convex combination of Bruch, Gai and Ingber (2023), with the scales as they are: a cosine
    and a score of :class:`retrieval.words.WordIndex` both say 1 of a full match. More than 1
    counts as 1, and the words are raised to a power first. A row that only the words found gets
    the lowest cosine of the list, which is as much as it can have.

    Args:
        name: Of the blended channel.
        by_vector: Nearest rows, best first; scores are cosines.
        by_words: What :meth:`retrieval.words.WordIndex.search` found; ask both for some times
            ``n``, as the sum may lift what stands low in one of them.
        n: Rows kept.
        words_share: From 0 (vectors alone) to 1 (words alone).
        words_power: From 1 on.

    Raises:
        ValueError: ``words_share`` is not from 0 to 1.
    """
    if not 0 <= words_share <= 1:
        raise ValueError(f"words_share: got {words_share}, expected 0 to 1")
    rows = np.union1d(by_vector.rows, by_words.rows)
    lowest = float(by_vector.scores.min()) if len(by_vector.scores) else 0.0
    cosine, words = _placed(by_vector, rows, lowest), _placed(by_words, rows, 0.0)
    words = np.minimum(words, 1) ** np.float32(words_power)
    scores = np.float32(1 - words_share) * cosine + np.float32(words_share) * words
    return top_rows(name, rows, scores, n)


def _placed(channel: Channel, rows: Ints, otherwise: float) -> Floats:
    """The scores of a channel at ascending rows ``[C]`` that hold its own: float32 ``[C]``."""
    scores = np.full(len(rows), otherwise, np.float32)
    scores[np.searchsorted(rows, channel.rows)] = channel.scores
    return scores
